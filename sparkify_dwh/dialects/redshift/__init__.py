"""Everything specific to Amazon Redshift. Not here: what DuckDB shares."""
