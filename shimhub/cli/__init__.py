"""The command line. ``run`` is parsed by hand and imports nothing that it does not need."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from shimhub.errors import (
    ActivationError,
    RegistryError,
    ReportError,
    SelectionError,
    TrustError,
    UnknownShimError,
)

EXIT_OK, EXIT_FINDINGS, EXIT_USAGE, EXIT_UNMET, EXIT_STOPPED = 0, 1, 2, 5, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (0 ok, 1 findings, 2 usage, 5 environment unmet)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _dispatch(list(arguments))
    except (ReportError, SelectionError, TrustError, UnknownShimError) as error:
        return _complain(str(error))
    except ActivationError as error:
        _complain(str(error))
        return EXIT_UNMET
    except KeyboardInterrupt:  # while a command is imported, or one that has nothing to tell of it
        if list(arguments[:1]) == ["run"]:
            raise
        _complain("stopped")
        return EXIT_STOPPED
    except RegistryError as error:
        count = len(error.problems)
        return _complain(f"{count} problem{'s' if count > 1 else ''} in the registry\n{error}")


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        return _run(arguments[1:])
    if arguments[:2] == ["completion", "--words"]:  # at every press of a key: be quick
        from shimhub.cli.words import words

        print(*words(), sep="\n")
        return EXIT_OK
    try:
        from shimhub.cli.commands import command
    except ModuleNotFoundError as error:
        told = f"{sys.executable} does not find {error.name}, which shimhub needs"
        _complain(f"{told}; install shimhub into this environment, or start without -S")
        return EXIT_UNMET
    return command(arguments)


def _run(arguments: list[str]) -> int:
    from shimhub.activation.launcher import USAGE, UsageError, run

    try:
        run(arguments)
    except UsageError as error:
        return _complain(f"run: {error}\n{USAGE}")


def _complain(text: str) -> int:
    print(f"shimhub: {text}", file=sys.stderr)
    return EXIT_USAGE
