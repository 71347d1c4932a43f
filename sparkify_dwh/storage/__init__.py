"""Objects in folders and on S3: list, read, cut into records. No SQL and no declarations."""
