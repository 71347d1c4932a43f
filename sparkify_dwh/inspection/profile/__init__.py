"""What is in files before any table exists. Scanning itself is in the dialects."""
