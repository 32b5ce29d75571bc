"""The Python face of the native library in ``native/``; knows nothing of the hub.

Importing this package loads nothing. The extension is loaded at the first call, and where it
cannot be (not built, built for another version, or ``SHIMHUB_NATIVE=0``) every function here
still answers, in Python, and ``why_unavailable()`` tells the reason. ``SHIMHUB_LANES=avx2``, for
example, leaves only that instruction set's versions in use, and the portable ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shimhub import _later
from shimhub._version import __version__
from shimhub.kernels import _loading
from shimhub.kernels._reference import cpu

if TYPE_CHECKING:
    from shimhub.kernels._columns import Ragged
    from shimhub.kernels.dedup import Seen, deduplicate
    from shimhub.kernels.hashing import hash_rows
    from shimhub.kernels.joining import join
    from shimhub.kernels.linalg import (
        add,
        cross_entropy,
        divide,
        gelu,
        layer_norm,
        linear,
        matmul,
        mse_loss,
        multiply,
        native_limit,
        relu,
        sigmoid,
        softmax,
        subtract,
        tanh,
    )
    from shimhub.kernels.packing import Bins, pack, pack_multipack
    from shimhub.kernels.packing_order import quick_order
    from shimhub.kernels.packing_tables import pack_table
    from shimhub.kernels.packing_tokens import concatenate_and_pack, pack_sequences
    from shimhub.kernels.padding import Field, collate, pad
    from shimhub.kernels.rows import CellError, Drift, conform, to_columns, to_rows
    from shimhub.kernels.similarity import jaccard, lsh_bands, minhash, near_duplicates

__all__ = [
    "Bins",
    "CellError",
    "Drift",
    "Field",
    "Ragged",
    "Seen",
    "add",
    "available",
    "collate",
    "concatenate_and_pack",
    "conform",
    "cpu_features",
    "cross_entropy",
    "deduplicate",
    "divide",
    "gelu",
    "hash_rows",
    "jaccard",
    "join",
    "lanes",
    "layer_norm",
    "linear",
    "lsh_bands",
    "matmul",
    "minhash",
    "mse_loss",
    "multiply",
    "native_limit",
    "near_duplicates",
    "pack",
    "pack_multipack",
    "pack_sequences",
    "pack_table",
    "pad",
    "quick_order",
    "relu",
    "sigmoid",
    "softmax",
    "subtract",
    "tanh",
    "to_columns",
    "to_rows",
    "version",
    "why_unavailable",
]

#: Public names by the module that has them; imported at first use.
_MODULES: Final = {
    "_columns": "Ragged",
    "dedup": "Seen deduplicate",
    "hashing": "hash_rows",
    "joining": "join",
    "linalg": "add cross_entropy divide gelu layer_norm linear matmul mse_loss multiply "
    "native_limit relu sigmoid softmax subtract tanh",
    "packing": "Bins pack pack_multipack",
    "packing_order": "quick_order",
    "packing_tables": "pack_table",
    "packing_tokens": "concatenate_and_pack pack_sequences",
    "padding": "Field collate pad",
    "rows": "CellError Drift conform to_columns to_rows",
    "similarity": "jaccard lsh_bands minhash near_duplicates",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = _later.attributes(globals(), _MODULES)


def available() -> bool:
    """Return whether the native library is loaded, trying to at the first call.

    This and all functions here raise ``ValueError`` if ``SHIMHUB_LANES`` names a lane that is
    unknown or that cannot run here, unless ``SHIMHUB_NATIVE=0`` is set.
    """
    return not isinstance(_loading.load(), str)


def why_unavailable() -> str:
    """Return why the native library is not in use, with the cure; empty if it is."""
    found = _loading.load()
    return found if isinstance(found, str) else ""


def version() -> str:
    """Return the version of the native library, or shimhub's own without one."""
    native = _loading.native()
    return __version__ if native is None else _loading.built_as(native)


def lanes() -> frozenset[str]:
    """Return the versions of kernels in use, such as ``{"portable", "avx2"}``; empty without."""
    native = _loading.native()
    if native is None:
        return frozenset()
    mask = native.lib.shimhub_lanes()
    names = enumerate(_loading.lane_names(native))
    return frozenset(name for lane, name in names if mask >> lane & 1)


def cpu_features() -> frozenset[str]:
    """Return the instruction sets that may be used here, such as ``{"sse2", "avx2"}``.

    A feature is listed if the processor has it and the operating system saves its registers.
    Names are those of /proc/cpuinfo, and ``neon``. Without the native library they are read from
    that file, and the set is empty where there is none.
    """
    native = _loading.native()
    return cpu.cpu_features() if native is None else _query(native)


def _query(native: Any) -> frozenset[str]:
    ffi, lib = native.ffi, native.lib
    mask, name = ffi.new("uint64_t *"), ffi.new("const char **")
    lib.shimhub_cpu_features(mask)
    found = set()
    for feature in range(lib.SHIMHUB_CPU_COUNT):
        lib.shimhub_cpu_feature_name(feature, name)
        if mask[0] >> feature & 1:
            found.add(ffi.string(name[0]).decode("ascii"))
    return frozenset(found)
