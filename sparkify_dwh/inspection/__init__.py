"""What only looks: queries, runs, rejects, checks, profiles, the report. It changes no row."""
