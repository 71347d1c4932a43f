"""Settings, errors, progress, engine names. Not here: anything that knows a table."""
