"""Plain torch against SpeedKit's settings on this machine, measured in turns.

    python examples/benchmark_compare.py
    python examples/benchmark_compare.py --dim 8192 --batch 512 --json-export result.json

FASTER is said only if chance is ruled out; on a CPU, where `auto` changes nothing, it never is.
"""

import argparse
import json
from pathlib import Path

import shimhub.auto  # noqa: F401  # serves torch_speedkit

from torch_speedkit import SpeedConfig
from shimhub.speed import benching


def main() -> None:
    """Measure, print, and write the figures where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", metavar="FILE", help="YAML; default: precision auto")
    parser.add_argument("--dim", type=int, default=0, help="width; default: 8192, 1024 on a CPU")
    parser.add_argument("--batch", type=int, default=0, help="rows; default: 512, 64 on a CPU")
    parser.add_argument("--budget", type=float, default=20, metavar="S", help="seconds; default 20")
    parser.add_argument("--paranoid", action="store_true", help="four times the seconds")
    parser.add_argument("--json-export", metavar="FILE", help="write the figures, too")
    told = parser.parse_args()
    config = (
        SpeedConfig.from_yaml(told.config)
        if told.config
        else SpeedConfig.from_dict({"precision": "auto"})
    )
    budget = told.budget * (4 if told.paranoid else 1)
    found = benching.benchmark(config, dim=told.dim, batch=told.batch, budget_s=budget)
    print("\n".join(benching.lines_of(found)))
    if told.json_export:
        Path(told.json_export).write_text(json.dumps(benching.data_of(found), indent=2) + "\n")


if __name__ == "__main__":
    main()
