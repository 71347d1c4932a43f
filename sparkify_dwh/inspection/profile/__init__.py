"""What is in files before any table exists. Not here: scanning, which is in dialects."""
