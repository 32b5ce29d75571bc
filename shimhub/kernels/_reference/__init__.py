"""What the native library answers, in Python: the fallback, and the oracle of its tests."""
