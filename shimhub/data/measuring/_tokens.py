"""Texts of one batch into token ids, by Hugging Face's ``tokenizers``."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from shimhub.data.errors import DataError
from shimhub.data.measuring._sketches import Lengths

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

_COUNTS: Final = ("rows", "written", "overlong", "lost", "nulls", "tokens")
_CURE: Final = "tokenizing needs tokenizers: pip install 'shimhub[data]', or tokenizers alone"
#: Words of a vocabulary that are tried to see what stands around a text.
_SAMPLES: Final = 100
_SWITCH: Final = "TOKENIZERS_PARALLELISM"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How texts are encoded; ``bos`` and ``eos`` are tokens, None for none."""

    text: str = "text"
    max_length: int | None = None
    overlong: str = "truncate"
    stride: int = 0
    special_tokens: bool = True
    bos: str | None = None
    eos: str | None = None
    attention_mask: bool = False
    keep: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """What went in and out; it can be merged, and is JSON by ``told``."""

    rows: int = 0
    written: int = 0
    overlong: int = 0
    #: Tokens that were not written: of rows that were truncated or dropped, special ones apart.
    lost: int = 0
    nulls: int = 0
    tokens: int = 0
    lengths: Lengths = field(default_factory=Lengths)

    def merge(self, other: Tally) -> None:
        """Count what the other has counted."""
        self.rows += other.rows
        self.written += other.written
        self.overlong += other.overlong
        self.lost += other.lost
        self.nulls += other.nulls
        self.tokens += other.tokens
        self.lengths.merge(other.lengths)

    def told(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {**counts, "lengths": self.lengths.told()}

    @classmethod
    def read(cls, told: dict[str, Any]) -> Tally:
        """Return what ``told`` was made from."""
        return cls(**{**told, "lengths": Lengths.read(told["lengths"])})


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows of ids, one behind the other, and which text each is of."""

    ids: list[list[int]]
    texts: list[int]
    overlong: int
    lost: int


class OverlongError(DataError):
    """A text has more tokens than ``max_length``; ``place`` counts texts of the batch from 0."""

    def __init__(self, place: int, tokens: int, most: int) -> None:
        self.place = place
        super().__init__(
            f"{tokens} tokens, over max_length={most}; pass overlong='truncate', 'split' or 'drop'"
        )


class Encoder:
    """A tokenizer, set as a recipe says; what its file sets of padding and truncation is unset."""

    def __init__(self, told: str, recipe: Recipe) -> None:
        self._recipe = recipe
        self._tokenizer = tokenizer_of(told)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        before, after = self._special() if recipe.special_tokens else ([], [])
        self._own = len(before) + len(after)
        self._before = self._added(recipe.bos, before[:1])
        self._after = self._added(recipe.eos, after[-1:])
        self._cut()

    def _special(self) -> tuple[list[int], list[int]]:
        """Return what the tokenizer itself puts before and behind a text."""
        words = itertools.islice(self._tokenizer.get_vocab(with_added_tokens=False), _SAMPLES)
        for text in ("a", *words):
            found = self._tokenizer.encode(text)
            mask = found.special_tokens_mask
            if 0 in mask:
                start, stop = mask.index(0), len(mask) - mask[::-1].index(0)
                return found.ids[:start], found.ids[stop:]
        return self._tokenizer.encode("").ids, []

    def _added(self, token: str | None, there: list[int]) -> list[int]:
        """Return what is to be added: the token's id, unless the tokenizer itself adds it."""
        if token is None:
            return []
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise DataError(f"the tokenizer has no token {token!r}; name one of its vocabulary")
        return [] if there == [found] else [found]

    def _cut(self) -> None:
        """Let the tokenizer cut texts, where they are to be cut."""
        recipe, most = self._recipe, self._recipe.max_length
        if most is None:
            return
        most -= len(self._before) + len(self._after)
        room, stride = most - self._own, recipe.stride if recipe.overlong == "split" else 0
        if room < 1 or stride >= room:
            raise DataError(
                f"max_length: {recipe.max_length} leaves room for {max(room, 0)} tokens of text, "
                f"and stride is {stride}"
            )
        if recipe.overlong in ("truncate", "split"):
            self._tokenizer.enable_truncation(most, stride=stride)

    def encode(self, texts: list[str]) -> Encoded:
        """Return the ids of texts. Raises :class:`OverlongError` where the recipe says so."""
        with serial():
            found = self._tokenizer.encode_batch_fast(
                texts, add_special_tokens=self._recipe.special_tokens
            )
        pieces = [self._pieces(place, one) for place, one in enumerate(found)]
        return Encoded(
            [self._before + one + self._after for ids, _ in pieces for one in ids],
            [place for place, (ids, _) in enumerate(pieces) for _ in ids],
            sum(lost is not None for _, lost in pieces),
            sum(lost or 0 for _, lost in pieces),
        )

    def _pieces(self, place: int, encoding: Any) -> tuple[list[list[int]], int | None]:
        """Return the rows of a text, and how many of its tokens they lack; None: it fits."""
        ids, most = encoding.ids, self._recipe.max_length
        if most is None:
            return [ids], None
        if self._recipe.overlong in ("truncate", "split"):
            return self._cut_pieces(ids, encoding.overflowing)
        size = len(ids) + len(self._before) + len(self._after)
        if size <= most:
            return [ids], None
        if self._recipe.overlong == "error":
            raise OverlongError(place, size, most)
        return [], len(ids) - self._own

    def _cut_pieces(self, ids: list[int], rest: list[Any]) -> tuple[list[list[int]], int | None]:
        if not rest:
            return [ids], None
        if self._recipe.overlong == "split":
            return [ids, *(one.ids for one in rest)], 0
        return [ids], sum(len(one.ids) - self._own for one in rest)


def tokenizer_of(told: str) -> Any:
    """Return the tokenizer that a tokenizer.json tells of.

    Raises ``ModuleNotFoundError`` without ``tokenizers``, and ``DataError`` for what is none.
    """
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        if error.name != "tokenizers":
            raise
        raise ModuleNotFoundError(_CURE, name="tokenizers") from error
    try:
        return Tokenizer.from_str(told)
    except Exception as error:  # tokenizers raises Exception itself
        raise DataError(f"this is no tokenizer.json: {error}") from error


@contextlib.contextmanager
def serial() -> Iterator[None]:
    """Keep tokenizers to one thread, as processes share the cores already.

    It also keeps the library from warning of a fork. Who has set TOKENIZERS_PARALLELISM is heard.
    """
    if _SWITCH in os.environ:
        yield
        return
    os.environ[_SWITCH] = "false"
    try:
        yield
    finally:
        os.environ.pop(_SWITCH, None)


def lists_of(rows: list[list[int]]) -> tuple[pa.ListArray, Array]:
    """Return rows of ids as list<int32>, and how long they are. Raises ``OverflowError``."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    ids = np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(ends[-1]))
    offsets = pa.array(ends.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(ids)), lengths
