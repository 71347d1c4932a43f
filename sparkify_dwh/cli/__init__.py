"""The `sparkify` command."""
