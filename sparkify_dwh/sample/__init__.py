"""Generated logs and songs with their known answers. Nothing that reads or loads them."""
