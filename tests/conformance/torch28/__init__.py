"""TorchTitan 0.2 on torch 2.8.0, with shimhub and without: measured, judged, and told in a table.

``python -m tests.conformance.torch28 [--only LINE ...] [--write FILE]``; a full run wrote
docs/conformance-torch28.md.
"""
