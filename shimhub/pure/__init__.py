"""Deep learning on numpy and our kernels: tensors with gradients, layers, optimizers, a trainer."""
