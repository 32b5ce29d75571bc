"""``python -m torch_speedkit.report``: as ``python -m shimhub speed report``."""

from __future__ import annotations

import argparse

from shimhub.speed import reporting

__all__ = ["main"]


def main() -> int:
    """Print what is detected and decided; with ``--apply``, the flags before and after."""
    parser = argparse.ArgumentParser("torch_speedkit.report")
    parser.add_argument("--apply", action="store_true", help="apply the settings that auto picks")
    parser.add_argument("--restore", action="store_true", help="restore them, and show that")
    options = parser.parse_args()
    report = reporting.examine(apply=options.apply, restore=options.restore)
    print("\n".join(reporting.lines_of(report)))
    return report.code


if __name__ == "__main__":
    raise SystemExit(main())
