"""Knob ``fp32_precision``: how many bits a float32 matrix multiplication works with.

torch has two families of settings for it. The older one is ``set_float32_matmul_precision`` and
``allow_tf32``; since 2.9 there are nine fields ``fp32_precision``. Writing the newer one makes the
getters of the older one raise, so it is written only where they raise already: by
``set_float32_matmul_precision`` both families stay readable. That function sets a word of its own
and the fields of two matmuls; nothing else is touched here. 'medium' lowers CPU matmuls to
bfloat16, too (oneDNN).
https://docs.pytorch.org/docs/2.13/notes/numerical_accuracy.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch

from shimhub.speed.errors import KnobError
from shimhub.speed.model import Hardware, Numerics, State, Targets

Field = tuple[str, str]

#: The nine fields by what a user would type; a field without a value of its own tells its parent's.
FIELDS: Final[Mapping[str, Field]] = {
    "torch.backends.fp32_precision": ("generic", "all"),
    "torch.backends.cudnn.fp32_precision": ("cuda", "all"),
    "torch.backends.cuda.matmul.fp32_precision": ("cuda", "matmul"),
    "torch.backends.cudnn.conv.fp32_precision": ("cuda", "conv"),
    "torch.backends.cudnn.rnn.fp32_precision": ("cuda", "rnn"),
    "torch.backends.mkldnn.fp32_precision": ("mkldnn", "all"),
    "torch.backends.mkldnn.matmul.fp32_precision": ("mkldnn", "matmul"),
    "torch.backends.mkldnn.conv.fp32_precision": ("mkldnn", "conv"),
    "torch.backends.mkldnn.rnn.fp32_precision": ("mkldnn", "rnn"),
}
_WORD: Final = "torch.get_float32_matmul_precision()"
_GETTERS: Final[Mapping[str, Callable[[], Any]]] = {
    _WORD: torch.get_float32_matmul_precision,
    "torch.backends.cuda.matmul.allow_tf32": torch._C._get_cublas_allow_tf32,
    "torch.backends.cudnn.allow_tf32": torch._C._get_cudnn_allow_tf32,
}
#: What a getter of the older family is told as when it raises because of the newer one.
RAISES: Final = "raises"

#: The fields that ``set_float32_matmul_precision`` writes, and what it writes.
_WRITES: Final = {
    "highest": {("cuda", "matmul"): "ieee", ("mkldnn", "matmul"): "ieee"},
    "high": {("cuda", "matmul"): "tf32", ("mkldnn", "matmul"): "tf32"},
    "medium": {("cuda", "matmul"): "tf32", ("mkldnn", "matmul"): "bf16"},
}
_LEAVES: Final = tuple(_WRITES["highest"])
_NAMES: Final = {field: name for name, field in FIELDS.items()}
#: A field that has no value of its own.
_UNSET: Final = "none"
_GENERIC: Final = ("generic", "all")
#: Before torch 2.9 there is the older family alone.
_HAS_FIELDS: Final = hasattr(torch._C, "_get_fp32_precision_getter")


def _get(field: Field) -> str:
    return torch._C._get_fp32_precision_getter(*field)


def _set(field: Field, value: str) -> None:
    torch._C._set_fp32_precision_setter(*field, value)


def _told(getter: Callable[[], Any]) -> Any:
    """Return what a getter of the older family says, which may be that it says nothing."""
    try:
        return getter()
    except RuntimeError:
        return RAISES


def _moves(field: Field, parents: tuple[Field, ...]) -> bool:
    """Whether a field changes with its parents, which are changed for a moment to see that."""
    value, saved = _get(field), {parent: _get(parent) for parent in parents}
    try:
        for parent in parents:
            _set(parent, "ieee" if value != "ieee" else _UNSET)
        return _get(field) != value
    finally:
        for parent, was in saved.items():
            _set(parent, was)


def _own(leaf: Field) -> str:
    """Return the value that a field was given itself; ``none`` where it follows its parents."""
    value, parent = _get(leaf), (leaf[0], "all")
    if value == _get(parent) != _UNSET:
        parents = (_GENERIC,) if _moves(parent, (_GENERIC,)) else (_GENERIC, parent)
        return _UNSET if _moves(leaf, parents) else value
    return value


@contextmanager
def _held(fields: tuple[Field, ...]) -> Iterator[None]:
    """Give fields back the values of their own that they had, whatever happens inside."""
    saved = {field: _own(field) for field in fields}
    try:
        yield
    finally:
        for field, value in saved.items():
            _set(field, value)


def _word() -> str:
    """Return the word that ``set_float32_matmul_precision`` got last, readable or not."""
    word: str = _told(torch.get_float32_matmul_precision)
    if word != RAISES:
        return word
    with _held(_LEAVES):
        for leaf in _LEAVES:
            _set(leaf, "ieee")
        return torch.get_float32_matmul_precision()


class Fp32Precision:
    """``highest``, ``high`` or ``medium``, as ``torch.set_float32_matmul_precision`` has them."""

    id: Final = "fp32_precision"
    numerics: Final = Numerics.LOSSY
    scope: Final = "process"

    def why_not(self, value: Any, hardware: Hardware, targets: Targets) -> str:
        """Return why the value means nothing here, or that it is there already."""
        if value not in _WRITES:
            return _wrong(value)
        if value == _told(torch.get_float32_matmul_precision):
            return f"{_WORD} is {value!r} already"
        if value == "high" and hardware.kind == "cpu" and "amx_fp16" not in hardware.features:
            return "this CPU has no TF32: it multiplies float32 as before"
        return ""

    def read(self, targets: Targets) -> State:
        """Return the nine fields and the three getters of the older family."""
        fields = {name: _get(field) for name, field in FIELDS.items()} if _HAS_FIELDS else {}
        return {**fields, **{name: _told(getter) for name, getter in _GETTERS.items()}}

    def apply(self, value: Any, targets: Targets) -> None:
        """Set the value so that getters which can be read stay readable."""
        if value not in _WRITES:
            raise KnobError(_wrong(value))
        if _told(torch.get_float32_matmul_precision) != RAISES:
            torch.set_float32_matmul_precision(value)
            return
        for leaf, precision in _WRITES[value].items():
            _set(leaf, precision)

    def restore(self, before: State, targets: Targets) -> None:
        """Bring back what ``read`` told; a field that told its parent's value follows it again."""
        word = before[_WORD]
        saved = {} if word == RAISES else {_WORD: word}
        for leaf in _LEAVES if _HAS_FIELDS else ():
            value = before[_NAMES[leaf]]
            parent = before[_NAMES[leaf[0], "all"]]
            saved[_NAMES[leaf]] = _UNSET if value == parent else value
        self.rewrite(saved, targets)

    def snapshot(self, targets: Targets) -> State:
        """Return what was written to the word and the two fields, to be brought back exactly.

        ``read`` cannot tell a field's own value from its parent's, nor the word where its getter
        raises. To see them, settings are changed for some microseconds.
        """
        leaves = {_NAMES[leaf]: _own(leaf) for leaf in _LEAVES} if _HAS_FIELDS else {}
        return {_WORD: _word(), **leaves}

    def rewrite(self, saved: State, targets: Targets) -> None:
        """Bring back a snapshot: first the word, whose setter writes the fields as well."""
        word = saved.get(_WORD)
        if word is not None and word != _word():
            torch.set_float32_matmul_precision(word)
        for leaf in _LEAVES if _HAS_FIELDS else ():
            _set(leaf, saved[_NAMES[leaf]])


def _wrong(value: Any) -> str:
    return f"fp32_precision is {value!r}: it can be 'highest', 'high' or 'medium'"


KNOB: Final = Fp32Precision()
