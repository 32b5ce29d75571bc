"""What a configuration's keys may hold: rules that read a value, or tell what is wrong with it."""

from __future__ import annotations

import copy
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Protocol

from shimhub.errors import nearest

#: Words of other tools for what is meant here.
MEANT = {
    "amp": "auto",
    "16-mixed": "fp16",
    "bf16-mixed": "bf16",
    "bfloat16": "bf16",
    "float16": "fp16",
    "float32": "fp32",
    "full": "fp32",
    "gpu": "cuda",
    "half": "fp16",
    "hip": "cuda",
    "no": "fp32",
    "rocm": "cuda",
}


class Rule(Protocol):
    """One kind of value."""

    @property
    def told(self) -> str:
        """The values in words, for messages and documents."""

    def read(self, value: Any) -> Any:
        """Return the value as it is kept. Raises ValueError with what is wrong."""


def shown(value: Any) -> str:
    """Return a value as a message shows it: short, whatever it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"an {type(value).__name__} too long to show"


def _refusal(value: Any, rule: Rule, cure: str = "") -> ValueError:
    return ValueError(f"{shown(value)} is not {rule.told}{cure}")


def _any_of(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@dataclass(frozen=True)
class Choice:
    """One of some words; with ``flag`` also true and false."""

    words: tuple[str, ...]
    flag: bool = False

    @property
    def told(self) -> str:
        return _any_of((*self.words, "true", "false") if self.flag else self.words)

    def read(self, value: Any) -> Any:
        if self.flag and isinstance(value, bool):
            return value
        if isinstance(value, str) and value in self.words:
            return self.words[self.words.index(value)]
        raise _refusal(value, self, _meant(value, self.words))


def _meant(value: Any, words: tuple[str, ...]) -> str:
    """Return a suggestion for a word that is none of ``words``, or an empty string."""
    if not isinstance(value, str):
        return ""
    word = value.strip().lower().removeprefix("torch.")
    known = MEANT.get(word)
    return f" (did you mean {known!r}?)" if known in words else nearest(word, words)


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    told: str = "true or false"

    def read(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise _refusal(value, self)


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int | None = None

    @property
    def told(self) -> str:
        upper = "or more" if self.high is None else f"to {self.high}"
        return f"a whole number, {self.low} {upper}"

    def read(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise _refusal(value, self)
        number = int(value)
        if number < self.low or (self.high is not None and number > self.high):
            raise _refusal(value, self)
        return number


@dataclass(frozen=True)
class Number:
    """A finite number, 0 or more; with ``above`` more than 0."""

    above: bool = False

    @property
    def told(self) -> str:
        return "a number above 0" if self.above else "a number, 0 or more"

    def read(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise _refusal(value, self, _unquoted(value))
        try:
            number = float(value)
        except OverflowError:
            raise _refusal(value, self) from None
        if not math.isfinite(number) or number < 0 or (self.above and number == 0):
            raise _refusal(value, self)
        return number


def _unquoted(value: Any) -> str:
    """Return the cure for a number that came as a word, which is what YAML makes of 3e-4."""
    if not isinstance(value, str) or not re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return ""
    mantissa, _, exponent = value.lower().partition("e")
    sign = exponent if exponent[0] in "+-" else f"+{exponent}"
    return f"; YAML reads it as a word: write {float(mantissa)}e{sign}"


@dataclass(frozen=True)
class Device:
    """A device of torch, with or without an index."""

    told: str = "auto, cpu, cuda, xpu or mps, or cuda or xpu with an index, such as cuda:1"

    def read(self, value: Any) -> str:
        if isinstance(value, str) and re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d{1,4})?", value):
            return str(value)
        cure = _meant(value, ("auto", "cpu", "cuda", "xpu", "mps"))
        raise _refusal(value, self, cure)


@dataclass(frozen=True)
class Word:
    """A name that others define."""

    told: str = "a name"

    def read(self, value: Any) -> str:
        if isinstance(value, str) and value.strip():
            return str(value)
        raise _refusal(value, self)


@dataclass(frozen=True)
class Options:
    """Options that are handed on: names with words, numbers, flags, or lists of them."""

    told: str = "a table of names with words, numbers, true or false"

    def read(self, value: Any) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            raise _refusal(value, self)
        bad = [key for key, one in value.items() if not _is_option(key, one)]
        if bad:
            raise ValueError(f"{', '.join(map(shown, bad))}: not in {self.told}")
        return copy.deepcopy(dict(value)) or None


def _is_option(key: Any, value: Any) -> bool:
    values = value if isinstance(value, (list, tuple)) else [value]
    return isinstance(key, str) and bool(key) and all(map(_is_plain, values))


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int)) or (isinstance(value, float) and not math.isnan(value))
