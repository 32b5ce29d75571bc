"""Benchmarks of ``shimhub.kernels`` beside the real rivals: ``python -m tests.bench.kernels``.

Each area is measured in a process of its own. A row is one piece of work; its calls are the ways
to do it, ours among them. Their answers are compared first, in the same process, and a difference
ends the run: what gives other answers is not measured beside ours.
"""
