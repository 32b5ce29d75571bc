"""``python -m torch_speedkit.bench --config FILE``: a configuration measured on a small MLP."""

from __future__ import annotations

import argparse

from torch_speedkit.config import SpeedConfig

from shimhub.speed import benching

__all__ = ["benchmark", "main"]


def benchmark(cfg: SpeedConfig) -> None:
    """Print a step's time with the configuration and without, and the verdict."""
    print("\n".join(benching.lines_of(benching.benchmark(cfg))))


def main() -> None:
    """Read the configuration that ``--config`` names, and measure it."""
    parser = argparse.ArgumentParser("torch_speedkit.bench")
    parser.add_argument("--config", required=True, metavar="FILE", help="YAML")
    benchmark(SpeedConfig.from_yaml(parser.parse_args().config))


if __name__ == "__main__":
    main()
