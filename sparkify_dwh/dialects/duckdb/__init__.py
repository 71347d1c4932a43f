"""DuckDB, the embedded engine: all it does its own way. Nothing that Redshift shares."""
