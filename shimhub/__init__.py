"""shimhub: run a training script on the versions that you have, faster, without editing it.

``python -m shimhub run train.py`` or ``import shimhub.auto``; this module is the API beneath
both. Names load on first use, so that importing the package costs next to nothing.
"""

from shimhub._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shimhub.api import (
        child_environ,
        disable,
        enable,
        explain,
        install,
        plan,
        shimmed,
        stats,
        status,
        uninstall,
    )
    from shimhub.errors import (
        ActivationError,
        AdaptError,
        Decline,
        NotProvedError,
        PatchError,
        PlaceholderError,
        Raised,
        RegistryError,
        ReportError,
        SelectionError,
        ShimError,
        ShimhubError,
        TrustError,
        UnknownShimError,
        UntestedError,
        VerifyError,
    )
    from shimhub.model import Context, Problem, ShimStats, Status, Verdict, Verdicts

__all__ = [
    "ActivationError",
    "AdaptError",
    "Context",
    "Decline",
    "NotProvedError",
    "PatchError",
    "PlaceholderError",
    "Problem",
    "Raised",
    "RegistryError",
    "ReportError",
    "SelectionError",
    "ShimError",
    "ShimStats",
    "ShimhubError",
    "Status",
    "TrustError",
    "UnknownShimError",
    "UntestedError",
    "Verdict",
    "Verdicts",
    "VerifyError",
    "__version__",
    "child_environ",
    "disable",
    "enable",
    "explain",
    "install",
    "plan",
    "shimmed",
    "stats",
    "status",
    "uninstall",
]

_HOMES = {
    **dict.fromkeys(("explain", "install", "plan", "shimmed", "uninstall"), "api"),
    **dict.fromkeys(("child_environ", "disable", "enable", "stats", "status"), "api"),
    **dict.fromkeys(("Context", "Problem", "Status", "Verdict", "Verdicts"), "model"),
    "ShimStats": "model",
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
