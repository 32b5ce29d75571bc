"""Consolidate the safetensors files that ranks have written into files that Hugging Face reads.

Origin: https://github.com/pytorch/pytorch/pull/154743 and /pull/159393 (in torch 2.9), /pull/171885
(the index after consolidation on every rank). Written anew for torch 2.8, whose checkpoints carry
the same sharding information. The files are those of torch 2.9, byte for byte; beyond it, integer
tensors and scalars come out right, and shards that are missing, damaged or at odds are an error.

Format: https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch.distributed as dist
from torch.distributed.checkpoint._hf_utils import (
    CUSTOM_METADATA_KEY,
    DATA_OFFSETS_KEY,
    DEFAULT_EXTRA_METADATA_KEY,
    DTYPE_KEY,
    SAVED_OFFSETS_KEY,
    SHAPE_KEY,
    SUFFIX,
    _gen_file_name,
    _metadata_fn,
)

logger = logging.getLogger(__name__)

_LENGTH_BYTES = 8
_PARTIAL = ".partial"


@dataclass(frozen=True)
class _Shard:
    """A piece of a tensor: where its bytes are, and its place in the whole, in elements."""

    file: str
    start: int
    size: int
    dtype: str
    shape: tuple[int, ...]
    offsets: tuple[int, ...]

    @property
    def end(self) -> tuple[int, ...]:
        return tuple(map(sum, zip(self.offsets, self.shape, strict=True)))

    @property
    def item_size(self) -> int:
        """Bytes of one element; 0 where there are none."""
        return self.size // (math.prod(self.shape) or 1)

    def read(self) -> Any:
        """Return the bytes as an array of the shard's shape, with one axis more for the item."""
        found = np.fromfile(self.file, np.uint8, self.size, offset=self.start)
        return found.reshape(*self.shape, self.item_size)


@dataclass(frozen=True)
class _Tensor:
    """A whole tensor and the shards it is made of."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    item_size: int
    shards: tuple[_Shard, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.item_size

    def read(self) -> Any:
        """Return the whole tensor's bytes."""
        whole = np.zeros((*self.shape, self.item_size), np.uint8)
        for shard in filter(lambda one: one.size, self.shards):
            whole[tuple(map(slice, shard.offsets, shard.end))] = shard.read()
        return whole


def consolidate_safetensors_files(
    input_dir: str,
    output_dir: str,
    fqn_to_index_mapping: dict[str, int],
    num_threads: int = 1,
) -> None:
    """Write the tensors of the mapping, whole, into the files of their indices, and the index.

    ``fqn_to_index_mapping`` tells for each name the number of its file, from 1 on; tensors that it
    does not name are left out. Up to ``num_threads`` files are written at a time. Raises ValueError
    for shards that cannot be consolidated, naming file or tensor, and OSError.
    """
    files = _plan(input_dir, fqn_to_index_mapping)
    _write_files(output_dir, files, num_threads)
    _write_index(output_dir, files)


#: The name under which an earlier compatibility layer of TorchTitan had it.
consolidate_safetensor_files = consolidate_safetensors_files


def consolidate_safetensors_files_on_every_rank(
    input_dir: str,
    output_dir: str,
    fqn_to_index_mapping: dict[str, int],
    num_threads: int = 1,
    process_group: dist.ProcessGroup | None = None,
) -> None:
    """Consolidate with every rank of the group writing its share of the files.

    The group's first rank writes the index when all are done. A rank that fails makes all of them
    raise RuntimeError, with the ranks and their errors, instead of leaving the others to wait.
    """
    rank, size = _place_in(process_group)
    if rank < 0:
        return
    error = _write_share(rank, size, input_dir, output_dir, fqn_to_index_mapping, num_threads)
    errors = _gather(error, size, process_group)
    if any(errors):
        told = "; ".join(f"rank {one}: {text}" for one, text in enumerate(errors) if text)
        raise RuntimeError(f"cannot consolidate {input_dir}: {told}")
    if rank == 0:
        _write_index(output_dir, _plan(input_dir, fqn_to_index_mapping))
    _gather("", size, process_group)


def _place_in(group: dist.ProcessGroup | None) -> tuple[int, int]:
    """Return this process's rank in the group and the group's size; 0 of 1 without a group."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(group), dist.get_world_size(group)
    logger.warning("torch.distributed is not initialized: consolidating in a single process.")
    return 0, 1


def _write_share(
    rank: int, size: int, input_dir: str, output_dir: str, mapping: dict[str, int], threads: int
) -> str:
    """Write the files that fall to this rank; return why that failed, or an empty string."""
    try:
        files = _plan(input_dir, mapping)
        mine = {_file_name(one, mapping) for one in mapping.values() if one % size == rank}
        _write_files(output_dir, {name: files[name] for name in files if name in mine}, threads)
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _gather(text: str, size: int, group: dist.ProcessGroup | None) -> list[str]:
    """Return every rank's text; nobody goes on before all have come here."""
    if not (dist.is_available() and dist.is_initialized()):
        return [text]
    texts = [""] * size
    dist.all_gather_object(texts, text, group=group)
    return texts


def _file_name(index: int, mapping: Mapping[str, int]) -> str:
    name: str = _gen_file_name(index, max(mapping.values()))
    return name


def _plan(input_dir: str, mapping: Mapping[str, int]) -> dict[str, list[_Tensor]]:
    """Return the tensors of each output file, in the order of the mapping."""
    if not mapping:
        raise ValueError("fqn_to_index_mapping is empty: name the tensors and their files")
    shards = _read_shards(input_dir)
    if missing := [name for name in mapping if name not in shards]:
        raise ValueError(f"no shard in {input_dir} has {', '.join(sorted(missing))}")
    files: dict[str, list[_Tensor]] = defaultdict(list)
    for name, index in mapping.items():
        files[_file_name(index, mapping)].append(_assemble(name, shards[name]))
    return files


def _read_shards(input_dir: str) -> dict[str, list[_Shard]]:
    """Return tensor name -> shards, from the headers of all files in the folder."""
    names = sorted(name for name in os.listdir(input_dir) if name.endswith(SUFFIX))
    if not names:
        raise ValueError(f"there is no *{SUFFIX} file in {input_dir}")
    shards: dict[str, list[_Shard]] = defaultdict(list)
    for name in names:
        path = os.path.join(input_dir, name)
        try:
            for tensor, shard in _shards_of(path):
                shards[tensor].append(shard)
        except (KeyError, TypeError, ValueError) as error:
            told = f"has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{path} cannot be consolidated: {told}") from error
    return shards


def _shards_of(path: str) -> Iterable[tuple[str, _Shard]]:
    """Yield names and shards of one file; raises where the header is not one of DCP."""
    header, start = _read_header(path)
    sharding = header.pop(DEFAULT_EXTRA_METADATA_KEY, {}).get(CUSTOM_METADATA_KEY)
    if not sharding:
        raise ValueError(
            "No DCP custom metadata found in safetensors file. "
            "The file must be saved with DCP to be consolidated."
        )
    places = json.loads(sharding)
    room = os.path.getsize(path) - start
    for name, entry in header.items():
        first, last = entry[DATA_OFFSETS_KEY]
        if not 0 <= first <= last <= room:
            raise ValueError(f"{name} lies outside of the file, which is cut off or damaged")
        shape, offsets = tuple(entry[SHAPE_KEY]), tuple(places[name][SAVED_OFFSETS_KEY])
        shard = _Shard(path, start + first, last - first, entry[DTYPE_KEY], shape, offsets)
        _check(name, shard)
        yield name, shard


def _read_header(path: str) -> tuple[dict[str, Any], int]:
    """Return the header and the place where the data begin."""
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if not 0 < length <= os.path.getsize(path) - _LENGTH_BYTES:
            raise ValueError("it is cut off, or no safetensors file")
        header = json.loads(stream.read(length))
    if not isinstance(header, dict):
        raise TypeError("its header is no JSON object")
    return header, _LENGTH_BYTES + length


def _check(name: str, shard: _Shard) -> None:
    if len(shard.shape) != len(shard.offsets) or min((0, *shard.shape, *shard.offsets)) < 0:
        raise ValueError(f"{name} has shape {shard.shape} at offsets {shard.offsets}")
    if shard.size != math.prod(shard.shape) * shard.item_size:
        raise ValueError(f"{name} has {shard.size} bytes for shape {shard.shape}")


def _assemble(name: str, shards: list[_Shard]) -> _Tensor:
    """Return the whole tensor; raises ValueError where its shards do not make one."""
    sizes = {shard.item_size for shard in shards if shard.size}
    if len({(shard.dtype, len(shard.shape)) for shard in shards}) > 1 or len(sizes) > 1:
        kinds = sorted({f"{shard.dtype} {list(shard.shape)}" for shard in shards})
        raise ValueError(f"the shards of {name} are of different kinds: {', '.join(kinds)}")
    shape = tuple(map(max, zip(*(shard.end for shard in shards), strict=True)))
    places = {(shard.offsets, shard.shape) for shard in shards}
    if sum(math.prod(place[1]) for place in places) < math.prod(shape):
        raise ValueError(
            f"shards of {name} are missing: those found do not fill its shape {list(shape)}"
        )
    return _Tensor(name, shards[0].dtype, shape, max(sizes, default=0), tuple(shards))


def _write_files(output_dir: str, files: Mapping[str, list[_Tensor]], threads: int) -> None:
    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, name) for name in files]
    with ThreadPoolExecutor(max(1, min(threads, len(files)))) as pool:
        for _ in pool.map(_write_file, paths, files.values()):
            pass
    logger.info("Consolidated %d safetensors files in %s.", len(paths), output_dir)


def _write_file(path: str, tensors: list[_Tensor]) -> None:
    """Write one file; it appears under its name when it is complete."""
    header = json.dumps(_header_of(tensors)).encode()
    with open(path + _PARTIAL, "wb") as stream:
        stream.write(len(header).to_bytes(_LENGTH_BYTES, "little"))
        stream.write(header)
        stream.writelines(tensor.read() for tensor in tensors)
    os.replace(path + _PARTIAL, path)


def _header_of(tensors: list[_Tensor]) -> dict[str, Any]:
    header, end = {}, 0
    for tensor in tensors:
        start, end = end, end + tensor.size
        header[tensor.name] = {
            SHAPE_KEY: list(tensor.shape),
            DTYPE_KEY: tensor.dtype,
            DATA_OFFSETS_KEY: [start, end],
        }
    return header


def _write_index(output_dir: str, files: Mapping[str, list[_Tensor]]) -> None:
    """Write the file that tells in which file each tensor is."""
    total = sum(tensor.size for tensors in files.values() for tensor in tensors)
    places = {tensor.name: name for name, tensors in files.items() for tensor in tensors}
    with open(os.path.join(output_dir, _metadata_fn), "w", encoding="utf-8") as stream:
        json.dump({"metadata": {"total_size": total}, "weight_map": places}, stream, indent=2)
