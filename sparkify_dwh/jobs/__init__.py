"""What changes a warehouse: load, migrate, compact, erase, prune. Not here: what only looks."""
