"""The optimizer under the name of torch_speedkit."""

from shimhub.speed.training import make_adamw

__all__ = ["make_adamw"]
