"""What the shims of axolotl's packing share: which arguments the kernels can serve, and cases."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from shimhub import Decline, kernels
from shimhub.errors import PatchError
from shimhub.fingerprint import fingerprint

_MOST_CAPACITY = 2**31 - 1
#: What numba adds and subtracts as int64; with uint64 it would go on in floats.
_KINDS = {*map(np.dtype, ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"))}


class Parallel(NamedTuple):
    """Arguments of ``pack_parallel`` that were looked at, and how many processes there would be."""

    capacity: int
    group_size: int
    bin_size: int
    processes: int


def parallel(
    count: int,
    capacity: Any,
    group_size: Any,
    bin_size: Any,
    num_processes: Any,
    safe_mode: Any,
    start_method: Any,
    most_processes: int,
) -> Parallel:
    """Return the arguments of ``pack_parallel`` for so many lengths, or decline."""
    if type(safe_mode) is not bool:
        raise Decline("safe_mode is no bool")
    if start_method and not (
        type(start_method) is str and start_method in multiprocessing.get_all_start_methods()
    ):
        raise Decline("a start method that is not there")
    size, most = whole(group_size), whole(bin_size, least=-(2**63), most=2**63 - 1)
    if num_processes is None:
        groups = min(count // size, multiprocessing.cpu_count(), most_processes)
        num_processes = max(1, groups)
    if whole(num_processes) > 1 and multiprocessing.current_process().daemon:
        raise Decline("a daemon may have no processes")
    return Parallel(whole(capacity), size, most, int(num_processes))


def pack_parallel(given: np.ndarray[Any, Any], asked: Parallel, log: Any) -> kernels.Bins:
    """Return the bins, and say what the original says.

    Groups are not handed to processes: packing one takes less time than a process to start.
    """
    if asked.processes == 1:
        log.debug("Using single process for pack_parallel, running sequentially.")
    size, most = asked.group_size, asked.bin_size
    return kernels.pack_multipack(given, asked.capacity, group_size=size, bin_size=most)


def pack_in_order(given: np.ndarray[Any, Any], capacity: int) -> kernels.Bins:
    """Return bins of lengths as they come: each goes into the last bin, or a new one."""
    return kernels.pack(given, capacity, strategy="next_fit", overlong="own_bin")


def lengths(given: Any) -> np.ndarray[Any, Any]:
    """Return an array that the kernels read as numba does, or decline."""
    if type(given) is not np.ndarray or given.ndim != 1 or given.dtype not in _KINDS:
        raise Decline("lengths are no plain array of integers")
    if given.dtype.kind == "i" and len(given) and given.min() < 0:
        raise Decline("negative lengths")
    return given


def signed(given: Any) -> np.ndarray[Any, Any]:
    """Return an array as ``lengths`` does, of a type whose sums numba keeps as integers."""
    array = lengths(given)
    if array.dtype.kind != "i":
        raise Decline("unsigned lengths")
    return array


def whole(given: Any, least: int = 1, most: int = _MOST_CAPACITY) -> int:
    """Return an int that numba takes for an int64, within bounds, or decline."""
    if type(given) not in (int, np.int64) or not least <= given <= most:
        raise Decline("a number that is no int, or out of range")
    return int(given)


def fitting(array: np.ndarray[Any, Any], capacity: Any) -> int:
    """Return a capacity that the lengths' own type can hold, as first fit keeps room in it."""
    return whole(capacity, most=min(_MOST_CAPACITY, int(np.iinfo(array.dtype).max)))


def calls(module: ModuleType, known: dict[str, list[str]]) -> Callable[[], None]:
    """Return what declines where another body than these stands at a name of the module.

    ``known`` has the fingerprints of the bodies that the replacement stands in for, besides its
    original's own. Raises PatchError where one of them is another already.
    """
    names: dict[str, Any] = dict.fromkeys(known)

    def stranger() -> str:
        for name, before in names.items():
            now = names[name] = _at(module, name)
            if now is not before and not (is_ours(now) or fingerprint(now) in known[name]):
                names[name] = None
                return name
        return ""

    def check() -> None:
        if stranger():
            raise Decline("what it calls was patched")

    if name := stranger():
        raise PatchError(f"{module.__name__}.{name} is none of the bodies it was proved with")
    return check


def _at(module: ModuleType, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        found = vars(found).get(name)
    return found


def is_ours(found: Any) -> bool:
    """Whether a replacement of this pack stands there."""
    return hasattr(found, "__shimhub__")


def as_jitted(made: Any, original: Any) -> Any:
    """Return a replacement that jitted code can still call by its name: it compiles the original.

    numba asks what it finds in a module for its type by this attribute.
    """
    for name in ("_numba_type_", "py_func"):
        if hasattr(original, name):
            setattr(made, name, getattr(original, name))
    return made


def samples(dtype: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Yield small arrays of lengths: ties, zeros, overlong ones, and enough for a real sort.

    Cases keep to one dtype, that of the sampler: numba compiles for each of them, for seconds.
    """
    random = np.random.default_rng(7)
    yield np.array([5, 3, 5, 0, 12, 0, 4, 10, 10, 1], dtype)
    yield random.integers(0, 40, 200).astype(dtype)
    yield random.integers(1, 9, 300).astype(dtype)
    yield np.zeros(0, dtype)
