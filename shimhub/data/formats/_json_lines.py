"""One line of JSON, strictly: what all quicker ways of reading JSONL must agree with.

RFC 8259 and NaN, Infinity and -Infinity, which Python writes. A line is one object; a key comes
once; integers are of int64 or uint64, and other numbers of what a double can hold; strings are
Unicode without lone surrogates; nesting is at most :data:`DEPTH` deep.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

#: As deep as ``kernels.conform`` and Arrow's readers go.
DEPTH: Final = 60
#: Digits of the largest uint64.
_DIGITS: Final = 20
_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 64) - 1
_TOO_DEEP: Final = f"is nested more than {DEPTH} deep; keep it as a string"


class BadLineError(Exception):
    """What is wrong with a line, and how to mend it."""


def parse_line(line: bytes | memoryview) -> dict[str, Any]:
    """Return the object on a line.

    Raises:
        BadLineError: there is none, or more than one, or it is not as told above.
    """
    line = bytes(line)
    try:
        found = _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise BadLineError(
            f"is not UTF-8: {error.reason} at byte {error.start} of the line; if the file has "
            "another encoding, write it as UTF-8, such as with iconv"
        ) from None
    except json.JSONDecodeError as error:
        raise BadLineError(_told(error, line)) from None
    except RecursionError:
        raise BadLineError(_TOO_DEEP) from None
    return _checked(found, line)


def is_blank(line: bytes) -> bool:
    """Is there nothing but JSON's whitespace on the line."""
    return not line.strip(b" \t\r\n")


def _checked(found: Any, line: bytes) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise BadLineError(f"holds {_KINDS[type(found)]}, want one object: {{...}}")
    if line.count(b"{") + line.count(b"[") > DEPTH and _depth(found) > DEPTH:
        raise BadLineError(_TOO_DEEP)
    if b"\\ud" in line or b"\\uD" in line:
        _check_surrogates(found)
    return found


def _told(error: json.JSONDecodeError, line: bytes) -> str:
    if error.msg == "Extra data":
        return (
            f"has more than one value, the second at column {error.colno}; write one object a line"
        )
    if error.pos >= len(error.doc.rstrip()) and not line.endswith(b"\n"):
        return "ends in the middle of its value: the file was cut short; get it again"
    return f"is no JSON: {error.msg}, column {error.colno}"


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _check_surrogates(found: Any) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadLineError(
            f"has a lone surrogate, \\u{ord(error.object[error.start]):04x}, in a string: it is no "
            "Unicode; write \\ufffd in its place"
        ) from None


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= _DIGITS else _MOST + 1
    if not _LEAST <= value <= _MOST:
        shown = digits if len(digits) <= 2 * _DIGITS else digits[: 2 * _DIGITS] + "..."
        raise BadLineError(
            f"has the integer {shown}, beyond int64 and uint64; write it as a string"
        )
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise BadLineError(f"has the number {digits[:40]}, beyond double; write it as a string")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadLineError(f"has the key {twice!r} twice in one object; only one can be kept")
    return found


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number
)
_KINDS: Final = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}
