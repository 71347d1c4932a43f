"""Generated logs and songs with known answers. Not here: anything that reads or loads them."""
