"""Scanning files for a profile with DuckDB in memory. The profile is made in inspection."""
