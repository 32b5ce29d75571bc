"""What `shimhub compat` asks of axolotl, besides calling every function that is replaced."""

from __future__ import annotations

import os
from importlib import import_module, metadata

from shimhub import UntestedError
from shimhub.attach import module_exists

ROWS = "Axolotl Integration"


def prepare():
    # Its telemetry is told to stay silent before it is imported; no device is asked for.
    os.environ.setdefault("AXOLOTL_DO_NOT_TRACK", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def facts():
    names = ("axolotl", "torch", "transformers", "datasets", "numpy", "numba")
    return {f"{name} Version": _version(name) for name in names}


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def checks():
    yield "Axolotl Import", _imported


def _imported():
    if not module_exists("axolotl") or hasattr(import_module("axolotl"), "__stub__"):
        raise UntestedError("axolotl is not installed")
    # Before 0.9 its loggers want accelerate's state to be there.
    import_module("accelerate").PartialState(cpu=True)
    names = ("axolotl.utils.data", "axolotl.utils.collators", "axolotl.utils.samplers")
    for name in names:
        import_module(name)
    return f"axolotl {_version('axolotl')} is importable with the pack installed"
