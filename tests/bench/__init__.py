"""Benchmarks of shimhub beside its rivals, and the gate on its budgets.

``python -m tests.bench`` measures and prints, ``--check`` holds the ratios of ``budgets.py``,
``--write docs/benchmarks.md`` keeps the table. Linux and macOS: CPU time comes from ``wait4``.
"""
