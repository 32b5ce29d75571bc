"""Settings that can be read, applied and restored exactly, one file each."""
