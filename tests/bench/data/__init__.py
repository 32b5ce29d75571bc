"""How fast data is read, and in how much memory, beside pyarrow, datasets and others.

``python -m tests.bench.data`` prints it; ``--write`` makes docs/benchmarks-data.md.
"""
