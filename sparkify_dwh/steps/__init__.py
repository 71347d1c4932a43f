"""What a load does to rows, as SQL for any engine. No connection is opened or committed here."""
