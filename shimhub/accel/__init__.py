"""The backend for each operation: our kernels, numpy or torch, by what was measured."""
