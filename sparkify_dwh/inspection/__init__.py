"""What only looks: query, runs, rejects, checks, profile, report. Not here: any change."""
