"""The logger of the release."""

from __future__ import annotations

import logging

from tests.speedkit.served import served


def test_it_has_one_handler() -> None:
    """However often it is set up; the root logger has none of it."""
    with served("logging") as module:
        before = list(logging.getLogger().handlers)
        logger = module.setup_logger()
        assert module.setup_logger() is logger
        assert 1 == len(logger.handlers)
        assert before == logging.getLogger().handlers
        logger.handlers.clear()
