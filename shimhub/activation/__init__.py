"""How the hub comes into a process: the launcher and the start-up files."""
