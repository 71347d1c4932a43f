"""One load, from its first row in the run log to its commit, and who is told of it."""
