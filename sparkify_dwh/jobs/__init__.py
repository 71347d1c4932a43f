"""What changes a warehouse: load, migrate, compact, erase, prune. Nothing that only looks."""
