"""Objects in folders and on S3: listed, read, cut into records, compacted. No SQL."""
