"""How far one outcome of a step is from another, tensor by tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from shimhub.speed._observing import UPDATE, Outcome, dense

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass
class Deviations:
    """Distances in L2 by kind and name, and of the loss; infinite where one has no other."""

    loss: float = 0.0
    kinds: dict[str, dict[str, float]] = field(default_factory=dict)
    #: Whether all of it is equal.
    equal: bool = True
    #: Whether other random numbers were drawn.
    other_random: bool = False


def deviations(
    one: Outcome, other: Outcome, shift: Mapping[str, torch.Tensor] | None = None
) -> Deviations:
    """Return how far ``other`` is from ``one``.

    ``shift`` is by how much its parameters were others before the step: no part of the update.
    """
    found = Deviations(_apart(one.loss, other.loss))
    for kind in sorted({*one.kinds, *other.kinds}):
        moved = (shift or {}) if kind == UPDATE else {}
        found.kinds[kind] = _distances(one.kinds.get(kind, {}), other.kinds.get(kind, {}), moved)
    if one.steps != other.steps:
        found.kinds[UPDATE] = dict.fromkeys(found.kinds[UPDATE], math.inf)
    distances = [far for kind in found.kinds.values() for far in kind.values()]
    found.equal = not any([found.loss, *distances])
    found.other_random = not all(map(torch.equal, one.random, other.random))
    return found


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    far = abs(one - other)
    return far if math.isfinite(far) else math.inf


def _distances(
    some: Mapping[str, torch.Tensor],
    others: Mapping[str, torch.Tensor],
    shift: Mapping[str, torch.Tensor],
) -> dict[str, float]:
    return {
        name: _distance(some[name], others[name], shift.get(name))
        if name in some and name in others
        else math.inf
        for name in {**some, **others}
    }


def _distance(one: torch.Tensor, other: torch.Tensor, shift: torch.Tensor | None) -> float:
    """Return the distance in L2; integers, shapes and what is no number must be the same."""
    if one.shape != other.shape:
        return math.inf
    first, second = dense(one), dense(other).to(one.device)
    if shift is None and torch.equal(first, second):
        return 0.0
    if not (first.is_floating_point() or first.is_complex()):
        return math.inf
    return norm(_difference(first, second, shift))


def _difference(
    first: torch.Tensor, second: torch.Tensor, shift: torch.Tensor | None
) -> torch.Tensor:
    wide = torch.promote_types(torch.promote_types(first.dtype, second.dtype), torch.float32)
    first, second = first.to(wide), second.to(wide)
    # The same infinity in both, as in a mask, is no difference; nor is the same NaN.
    same = (first == second) | (first.isnan() & second.isnan())
    apart = torch.where(same, torch.zeros_like(first), second - first)
    return apart if shift is None else apart - shift.to(apart)


def norm(tensor: torch.Tensor) -> float:
    """Return the length of a tensor in L2; infinite if an entry is no number."""
    if not tensor.numel():
        return 0.0
    whole = dense(tensor)
    wide = whole.to(torch.promote_types(whole.dtype, torch.float32))
    length = float(torch.linalg.vector_norm(wide))
    return length if math.isfinite(length) else math.inf


def joined(distances: Mapping[str, float]) -> float:
    """Return the length of all distances together."""
    return math.hypot(*distances.values())


def widest(some: Iterable[Deviations], kind: str) -> dict[str, float]:
    """Return the greatest distance of each name."""
    found: dict[str, float] = {}
    for one in some:
        for name, far in one.kinds.get(kind, {}).items():
            found[name] = max(found.get(name, 0.0), far)
    return found
