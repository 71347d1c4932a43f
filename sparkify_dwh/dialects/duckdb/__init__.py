"""Everything specific to DuckDB, the embedded engine. Not here: what Redshift shares."""
