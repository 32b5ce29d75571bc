"""The real axolotl for tests: whether it is there, which one, and its functions with the pack.

A test file begins with ``support.require()``, which skips all of it where no axolotl is installed
(a folder of this name on ``sys.path`` is none). Nothing of shimhub stays installed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

import shimhub
from shimhub import api

PACK = "axolotl"
#: What keeps axolotl and its libraries off the network and off devices.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
    "TOKENIZERS_PARALLELISM": "false",
    "CUDA_VISIBLE_DEVICES": "",
}

Pair = tuple[Callable[..., Any], Callable[..., Any]]


def examples() -> int:
    """Return how many examples a differential test tries: SHIMHUB_EXAMPLES, else 50."""
    return int(os.environ.get("SHIMHUB_EXAMPLES", "50"))


def version() -> str:
    """Return the version of the axolotl that would be imported; empty where there is none."""
    try:
        found = metadata.version("axolotl")
    except metadata.PackageNotFoundError:
        return ""
    if "axolotl" in sys.modules:
        return found
    spec = importlib.util.find_spec("axolotl")
    return found if spec and spec.origin else ""


def is_version(rule: str) -> bool:
    """Whether the axolotl that is here is one of ``rule``, such as ``<0.10``."""
    return SpecifierSet(rule).contains(version(), prereleases=True)


def metadata_version() -> str:
    """Return the version that an installed axolotl's metadata tells; empty without."""
    try:
        return metadata.version("axolotl")
    except metadata.PackageNotFoundError:
        return ""


def require(rule: str = "") -> str:
    """Return axolotl's version; skip where it is none of ``rule``, the whole file if at its top."""
    found = version()
    if not found:
        pytest.skip("axolotl is not installed", allow_module_level=True)
    if not is_version(rule):
        pytest.skip(f"axolotl {found} is not {rule}", allow_module_level=True)
    os.environ.update(OFFLINE)
    return found


def load(name: str) -> ModuleType:
    """Import a module of axolotl, or of its libraries, without their warnings; on CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _start_on_cpu()
        return importlib.import_module(name)


@functools.cache
def _start_on_cpu() -> None:
    """Before 0.9 axolotl's loggers want accelerate's state to be there."""
    importlib.import_module("accelerate").PartialState(cpu=True)


@contextlib.contextmanager
def packed(*only: str) -> Iterator[shimhub.Verdicts]:
    """Install the pack, or some ids of it, for a block; nothing else of shimhub is on."""
    assert not shimhub.status(), "the hub is installed already: there are no originals"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with shimhub.shimmed(only=only or (PACK,)) as verdicts:
            yield verdicts


def get(attach: str) -> Any:
    """Return what stands at ``module:qualname`` now; None where there is no such name."""
    name, _, path = attach.partition(":")
    found: Any = load(name)
    for word in path.split("."):
        found = getattr(found, word, None)
    return found


@functools.cache
def pair(attach: str) -> Pair:
    """Return the original at an attach point of the pack, and the replacement.

    Each is as its owner gives it: a method is the function, to be called with ``self``. Within a
    call of either, every other function is the original; ``packed`` has them all replaced. Skips
    where this axolotl has no such function, or the row's version rule leaves it out; any other
    reason not to replace it is a failure.
    """
    try:
        original = get(attach)
    except ModuleNotFoundError:
        original = None
    if original is None:
        pytest.skip(f"axolotl {version()} has no {attach}")
    with packed():
        _check_applied(attach)
        replacement = get(attach)
    assert get(attach) is original
    assert replacement is not original
    return original, replacement


def _check_applied(attach: str) -> None:
    planned = api.explain_plan(attach, only=PACK)
    ids = [one.id for one in planned if one.status is not shimhub.Status.GATED]
    if not ids:
        pytest.skip(f"axolotl {version()}: {planned.items[0].reason}")
    found = [shimhub.status()[one] for one in ids]
    assert any(one.status is shimhub.Status.APPLIED for one in found), list(map(str, found))


@contextlib.contextmanager
def uncollected(module: ModuleType) -> Iterator[None]:
    """Keep the sampler from collecting the garbage of the whole process once a draw."""
    real = vars(module).get("gc")
    if real is not None:
        module.gc = SimpleNamespace(collect=lambda: 0)
    try:
        yield
    finally:
        if real is not None:
            module.gc = real


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a call returned, or the type of what it raised."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # whatever it is, its type is compared
        return type(error)
