"""One HTML page about a warehouse. Not here: the checks and runs that it shows."""
