"""What a load does to rows, as SQL for any engine. Not here: connections and commits."""
