"""shimhub: run a training script on the versions that you have, faster, without editing it.

``python -m shimhub run train.py`` or ``import shimhub.auto``; this module is the API beneath
both. Names load on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from shimhub._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shimhub.api import explain, install, plan, shimmed, status, uninstall
    from shimhub.errors import (
        ActivationError,
        AdaptError,
        PatchError,
        PlaceholderError,
        RegistryError,
        ReportError,
        SelectionError,
        ShimError,
        ShimhubError,
        TrustError,
        UnknownShimError,
    )
    from shimhub.model import Context, Problem, Status, Verdict, Verdicts

__all__ = [
    "ActivationError",
    "AdaptError",
    "Context",
    "PatchError",
    "PlaceholderError",
    "Problem",
    "RegistryError",
    "ReportError",
    "SelectionError",
    "ShimError",
    "ShimhubError",
    "Status",
    "TrustError",
    "UnknownShimError",
    "Verdict",
    "Verdicts",
    "__version__",
    "explain",
    "install",
    "plan",
    "shimmed",
    "status",
    "uninstall",
]

_HOMES = {
    **dict.fromkeys(("explain", "install", "plan", "shimmed", "status", "uninstall"), "api"),
    **dict.fromkeys(("Context", "Problem", "Status", "Verdict", "Verdicts"), "model"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
    found: object = getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
