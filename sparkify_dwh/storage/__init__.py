"""Objects in folders and on S3: list, read, cut into records. Not here: SQL, declarations."""
