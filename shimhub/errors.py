"""Every error that shimhub raises names the thing, the place and the cure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

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
    by: a few constant words ("not contiguous"), not the values at hand. ``instead`` is called
    in place of the original, with no arguments: the original on what is known by now.
    """

    def __init__(self, reason: str, instead: Callable[[], Any] | None = None) -> None:
        self.reason = reason
        self.instead = instead
        super().__init__(reason)


class Raised(ShimhubError):  # noqa: N818  # raised to say so, as StopIteration is
    """Raised by a replacement for an exception that is the original's own: the caller gets that.

    The original is not called again, and no fault is counted. For what the original itself
    raised when the replacement called it, or would raise at this very point.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(f"{type(error).__name__}: {error}")

    @classmethod
    def by(cls, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call what the original would call with this; its exceptions are the original's own."""
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # whatever it raises is the caller's
            raise cls(error) from None

    def give(self) -> NoReturn:
        """Raise the exception as it was; no frame of it holds it."""
        error, context = self.error, self.error.__context__
        self.__context__ = None
        del self.error
        try:
            raise error
        finally:
            error.__context__ = context
            del error


class VerifyError(ShimhubError):
    """Strict mode with SHIMHUB_VERIFY: a replacement did not do what the original does."""
