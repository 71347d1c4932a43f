"""Scanning files for a profile, in memory. Not here: the profile, which is in inspection."""
