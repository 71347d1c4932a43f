"""What a load does to rows, as SQL for any engine. Nothing here opens or commits a connection."""
