"""Amazon Redshift: everything specific to it. Nothing that DuckDB shares."""
