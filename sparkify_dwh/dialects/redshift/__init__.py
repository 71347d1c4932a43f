"""Amazon Redshift: all it does its own way. Nothing that DuckDB shares."""
