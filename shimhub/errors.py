"""Every error that shimhub raises names the thing, the place and the cure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from shimhub.model import Problem


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest of ``known``, or an empty string."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


class ShimhubError(Exception):
    """Base of all errors raised by shimhub."""


class RegistryError(ShimhubError):
    """A registry cannot be used. ``problems`` has every finding of every file, not the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SelectionError(ShimhubError, ValueError):
    """``only``, ``enable`` or ``disable`` names no shim, pack or glob of the registry."""


class UnknownShimError(ShimhubError, LookupError):
    """A question about an id or attach point that no registry row has."""


class PatchError(ShimhubError):
    """A patch cannot be applied to its attach point; the transaction is rolled back."""


class NotProvedError(ShimhubError):
    """A replacement does not do what the original that is installed does; that one stays."""


class ShimError(ShimhubError, ImportError):
    """Strict mode: a shim of the module being imported failed, so the import fails."""


class UntestedError(ShimhubError):
    """A check of ``compat`` cannot be made here; the message says why. It is no pass."""


class PlaceholderError(ShimhubError, NotImplementedError):
    """A placeholder was called; the message tells what to install or use instead."""


class PlaceholderAttributeError(ShimhubError, AttributeError):
    """A placeholder was asked for an attribute; the message tells the cure."""


class AdaptError(ShimhubError, TypeError):
    """An adapted callable got a keyword value that the installed version cannot honour."""


class ActivationError(ShimhubError):
    """Start-up files cannot be written or removed, or do not work; nothing was changed."""


class TrustError(ShimhubError):
    """A project or entry point cannot be trusted, or the store of trust cannot be used."""


class ReportError(ShimhubError):
    """There is no recorded run to report on."""


class Decline(ShimhubError):  # noqa: N818  # raised to say so, as StopIteration is
    """Raised by a replacement that cannot serve its input: the original is called instead.

    Raise it before anything is written to the input. ``reason`` is what such calls are counted
    by: a few constant words ("not contiguous"), not the values at hand.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class VerifyError(ShimhubError):
    """Strict mode with SHIMHUB_VERIFY: a replacement did not do what the original does."""
