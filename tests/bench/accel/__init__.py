"""Is AUTO as fast as the best backend? Every operation, kind of input and size, in turns."""
