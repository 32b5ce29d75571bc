"""The training loop under the names of torch_speedkit; ``shimhub.speed.training`` does the work."""

from shimhub.speed.training import StepMetrics, Trainer

__all__ = ["StepMetrics", "Trainer"]
