"""Other projects' own test suites, run with the hub and without it."""
