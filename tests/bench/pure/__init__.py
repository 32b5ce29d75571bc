"""shimhub.pure against torch, end to end: a process that imports, trains and ends."""
