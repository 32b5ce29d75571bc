"""What errors of shimhub.data say of arguments, in the words of the command line.

``overwrite=True`` becomes ``--overwrite``, ``format='csv'`` becomes ``--as csv`` or
``--input-format csv``: an option of the command that was run. Messages are the only place where
users of a shell would meet Python.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping
from typing import Final

#: Names that are not those of the options with dashes; the first that the command has is meant.
_OTHERS: Final = {
    "format": ("--as", "--input-format"),
    "out": ("-o",),
    "n": ("-n",),
    "position_ids": ("--no-position-ids",),
    "special_tokens": ("--no-special-tokens",),
}
#: Arguments that only Python has; a message that names one says so.
IN_PYTHON: Final = (
    *("schema", "storage", "shard", "output", "batch_size", "block_bytes", "timeout", "exact"),
)
_VALUE: Final = r"""(?:'[^']*'|"[^"]*"|\[[^\]]*\]|[\w\-]+)"""
#: ``name=value``, or ``name='a', 'b' or 'c'``; a path that has such a word is left alone.
_WORD: Final = re.compile(rf"(?<![^ (])(\w+)=({_VALUE}(?:(?:, '\w+')* or '\w+')?)?")


def in_options(text: str, parser: argparse.ArgumentParser) -> str:
    """Return a message with the parser's options in place of arguments of Python."""
    return _WORD.sub(lambda found: _option(found, _options(parser)), text)


def _options(parser: argparse.ArgumentParser) -> Mapping[str, argparse.Action]:
    return parser._option_string_actions  # argparse has no other list of them


def _option(found: re.Match[str], options: Mapping[str, argparse.Action]) -> str:
    name, value = found[1], found[2] or ""
    usual = f"--{name.replace('_', '-')}"
    for option in (*_OTHERS.get(name, ()), usual):
        if option in options:
            takes_none = options[option].nargs == 0
            return option if takes_none or not value else f"{option} {_plain(value)}"
    return f"{found[0].rstrip('=')} (in Python)" if name in IN_PYTHON else found[0]


def _plain(value: str) -> str:
    """Return a value as a shell takes it: no quotes where it needs none, lists with commas."""
    texts = re.findall(r"""'([^']*)'|"([^"]*)\"""", value)
    if not texts:
        return "''" if value == "None" else value
    words = [shlex.quote(one or other) for one, other in texts]
    if value.startswith("["):
        return ",".join(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
