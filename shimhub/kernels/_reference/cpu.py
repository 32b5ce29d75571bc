"""Instruction sets, from /proc/cpuinfo."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Flags of /proc/cpuinfo that the native library knows too; ``neon`` is listed as ``asimd``.
_X86: Final = "sse2 ssse3 sse4_1 sse4_2 popcnt pclmulqdq bmi1 bmi2 sha_ni avx avx2 fma"
_AVX512: Final = "avx512f avx512bw avx512dq avx512vl"
_NAMES: Final = {flag: flag for flag in f"{_X86} {_AVX512}".split()} | {"asimd": "neon"}


def cpu_features(cpuinfo: str = "/proc/cpuinfo") -> frozenset[str]:
    """Return the known features that the file lists; empty if it cannot be read. Never raises."""
    try:
        text = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, flags = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(_NAMES[flag] for flag in flags.split() if flag in _NAMES)
    return frozenset()
