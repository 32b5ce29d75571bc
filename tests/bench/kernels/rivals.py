"""The rivals: their versions, and how each is imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.bench.kernels.harness import NotHere

#: Distributions that ``make bench-rivals`` installs, at the versions that docs/ has figures of.
PINS = {
    "axolotl": "0.19.0",
    "datasketch": "2.0.0",
    "fast-axolotl": "0.2.0",
    "numba": "0.68.1",
    "numpy": "2.4.6",
    "pandas": "3.1.1",
    "polars": "2.1.0",
    "pyarrow": "26.0.1",
    "rensa": "0.5.0",
    "torch": "2.13.0",
    "transformers": "5.23.0",
    "trl": "1.16.0",
    "xxhash": "4.1.0",
}


def versions() -> dict[str, str]:
    """Return the version of each rival; ``not installed`` is told as such, other versions too."""
    return {name: _version(name, pin) for name, pin in PINS.items()}


def version(name: str) -> str:
    """Return the version of a distribution, or ``not installed``."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _version(name: str, pin: str) -> str:
    found = version(name)
    same = found.partition("+")[0] in {pin, "not installed"}
    return found if same else f"{found} (not {pin})"


def load(module: str, dist: str | None = None) -> Any:
    """Import a rival's module; raises :class:`NotHere` if it or what it needs is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs; the answers are compared anyway
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NotHere(f"not installed ({dist or module.partition('.')[0]}: {error})") from None


def axolotl(module: str) -> ModuleType:
    """Import ``axolotl.<module>``, the real file.

    Before fast-axolotl: its import puts modules of its own into ``sys.modules`` under the names
    of axolotl's that are not imported yet.
    """
    found = load(f"axolotl.{module}", "axolotl")
    if not Path(str(getattr(found, "__file__", ""))).is_file():
        raise NotHere(f"not installed (axolotl.{module} in sys.modules is not axolotl's)")
    return found


def fast_axolotl() -> Any:
    """Import fast-axolotl, after axolotl's own modules where a row has both."""
    return load("fast_axolotl", "fast-axolotl")


def ours(name: str) -> Any:
    """Return ``shimhub.kernels.<name>``; raises :class:`NotHere` without the native library."""
    from shimhub import kernels

    if not kernels.available():
        raise NotHere("no native library here")
    try:
        return getattr(kernels, name)
    except AttributeError:
        raise NotHere(f"shimhub.kernels has no {name}") from None
