"""The logger under the names of torch_speedkit; it leaves the root logger alone."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

__all__ = ["LogConfig", "setup_logger"]


@dataclass(frozen=True)
class LogConfig:
    """The logger's level and name."""

    level: int = logging.INFO
    name: str = "torch_speedkit"


def setup_logger(cfg: LogConfig = LogConfig()) -> logging.Logger:
    """Return the logger of ``cfg`` with one handler, on stderr, however often it is called."""
    logger = logging.getLogger(cfg.name)
    logger.setLevel(cfg.level)
    logger.propagate = False
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
    return logger
