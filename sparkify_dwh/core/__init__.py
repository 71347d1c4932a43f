"""What every room needs: settings, errors, progress, engine names. Nothing that knows a table."""
