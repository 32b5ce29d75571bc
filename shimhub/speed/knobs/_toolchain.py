"""Whether the compiler that inductor writes code for is here, before a first forward needs it."""

from __future__ import annotations

import importlib.util
import os
import shutil


def missing_tool(backend: object, kind: str) -> str:
    """Return what inductor lacks on this kind of device; empty where nothing is known to lack."""
    if backend != "inductor":
        return ""
    if kind == "cpu":
        return _missing_compiler()
    if kind in {"cuda", "rocm", "xpu"} and importlib.util.find_spec("triton") is None:
        return "inductor writes code for triton, which is not installed"
    return ""


def _missing_compiler() -> str:
    """Return that no C++ compiler is found where inductor looks for it."""
    names = [os.environ.get("CXX", ""), "g++", "clang++", "cl"]
    if any(name and shutil.which(name.split()[0]) for name in names):
        return ""
    return "inductor compiles with a C++ compiler and none is found: install g++ or set CXX"
