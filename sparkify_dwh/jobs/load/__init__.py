"""One load, from the run log to COMMIT. Not here: the SQL it runs, which is in steps."""
