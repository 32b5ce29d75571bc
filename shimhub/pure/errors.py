"""What goes wrong with tensors and training: which value, where, and what to do."""

from __future__ import annotations

from shimhub.errors import ShimhubError


class PureError(ShimhubError):
    """Base of the errors about tensors, layers and training."""


class DataError(PureError, ValueError):
    """Values, shapes or files that cannot be used."""


class KindError(PureError, TypeError):
    """An argument of a type or dtype that has no meaning here."""


class GraphError(PureError, RuntimeError):
    """A gradient that cannot be computed, or would be lost or wrong."""


class DivergedError(PureError, ArithmeticError):
    """A loss that is no finite number, from which nothing is learnt."""
