"""Directories that Hugging Face `datasets` writes, as the files of one split.

Three kinds are known by the JSON beside the data: ``save_to_disk`` of a Dataset (``state.json``
names its files in order), of a DatasetDict (``dataset_dict.json`` names its splits), and the cache
of a builder (``dataset_info.json``, or ``dataset_infos.json`` of a repository; files are named
``<name>-<split>-00000-of-00002.arrow`` or ``.parquet``). ``cache-*.arrow`` and ``indices-*.arrow``
there are results and orders that `map`, `shuffle` and others left: no rows of the split.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Final

from shimhub.data._model import Source
from shimhub.data.errors import DataError, FormatError

_STATE: Final = "state.json"
_DICT: Final = "dataset_dict.json"
_INFO: Final = "dataset_info.json"
_INFOS: Final = "dataset_infos.json"
#: Names of splits have no hyphen: the last one before the shard ends the name of the dataset.
_FILE: Final = re.compile(
    r"(?:.*?-)??(?P<split>\w+(?:\.\w+)*?)"
    r"(?:-(?P<shard>\d{5})-of-(?P<shards>\d{5})(?:-[0-9a-f]+)?)?\.(?P<format>arrow|parquet)"
)
#: What `datasets` writes into its JSON, one of them at least.
_KEYS: Final = {"builder_name", "config_name", "features", "splits"}
_NOT_DATA: Final = ("cache-", "indices-", "tmp")


@dataclass(frozen=True, slots=True)
class _File:
    """A data file by what its name says; ``shards`` is 0 where it is the split's only one."""

    path: str
    split: str
    shard: int
    shards: int
    format: str


def resolve_directory(
    path: str, split: str | None = None, follow_symlinks: bool = False
) -> tuple[list[Source], str | None] | None:
    """Return the files of a split in order, and its name; None if the directory is no dataset's.

    ``split`` may be left out where there is one. Raises :class:`DataError` that lists the splits
    where there are several or none of that name, and :class:`FormatError` where a file that is
    told is not there, lies elsewhere, or the JSON is not what `datasets` writes.
    """
    if _has(path, _DICT):
        path, split = _member(path, split)
        found = _files_of(_json(path, _STATE), path)
    elif _has(path, _STATE):
        found, split = _saved(path, split)
    elif _has(path, _INFO) or _has(path, _INFOS):
        found, split = _built(path, split)
        if not found:
            return None
    else:
        return None
    return [_source(path, one, follow_symlinks) for one in found], split


def _has(path: str, name: str) -> bool:
    return os.path.isfile(os.path.join(path, name))


def _json(path: str, name: str) -> dict[str, Any]:
    """Return the object in the file."""
    full = os.path.join(path, name)
    try:
        with open(full, encoding="utf-8") as file:
            found = json.load(file)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{full}: not JSON: {error}; save the dataset again") from error
    if not isinstance(found, dict):
        raise FormatError(f"{full}: no JSON object; save the dataset again")
    return found


def _member(path: str, split: str | None) -> tuple[str, str]:
    """Return the directory of a split of a DatasetDict."""
    names = _json(path, _DICT).get("splits")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError(f"{os.path.join(path, _DICT)}: no list of splits; save it again")
    chosen = _chosen(path, split, names)
    inside = _inside(path, chosen)
    if not _has(inside, _STATE):
        raise FormatError(f"{path}: split {chosen!r} has no {_STATE}: save the DatasetDict again")
    return inside, chosen


def _chosen(path: str, split: str | None, names: list[str]) -> str:
    if not names:
        raise DataError(f"{path}: the dataset has no splits, so no rows")
    if split is None and len(names) == 1:
        return names[0]
    if split is None:
        raise DataError(f"{path}: several splits; pass split=, one of {names}")
    if split not in names:
        raise DataError(f"{path}: no split {split!r}; it has {names}")
    return split


def _inside(path: str, name: str) -> str:
    """Return the path of a file or directory told by name; raise where it is not right there."""
    if not name or name in (".", "..") or re.search(r"[/\\\0]", name):
        raise FormatError(f"{path}: it tells of {name!r}, which is no name of a file in it")
    return os.path.join(path, name)


def _saved(path: str, split: str | None) -> tuple[list[str], str | None]:
    """Return the files of a Dataset that save_to_disk wrote, and its split."""
    state = _json(path, _STATE)
    own = state.get("_split")
    if split is not None and split != own:
        raise DataError(f"{path}: no split {split!r}; it was saved as {own!r}")
    return _files_of(state, path), own


def _files_of(state: dict[str, Any], path: str) -> list[str]:
    """Return the files that state.json names, in its order."""
    try:
        names = [str(file["filename"]) for file in state["_data_files"]]
    except (KeyError, TypeError) as error:
        raise FormatError(f"{os.path.join(path, _STATE)}: no _data_files; save it again") from error
    if state.get("_indices_data_files"):
        raise FormatError(
            f"{path}: saved by an old version of datasets with an order of its rows beside them; "
            "load it with datasets, and save_to_disk() it again"
        )
    return [_inside(path, name) for name in names]


def _built(path: str, split: str | None) -> tuple[list[str], str | None]:
    """Return the files of a split that a builder wrote, and its name."""
    infos = _infos(path)
    if not infos:
        return [], None
    files = _listed(path) or _listed(os.path.join(path, "data"))
    told = _told(infos)
    if not files:
        if told and _has(path, _INFO):
            raise FormatError(f"{path}: {_INFO} tells of splits {sorted(told)}, but has no files")
        return [], None
    names = list(told) or sorted({file.split for file in files})
    chosen = _chosen(path, split, names)
    mine = [file for file in files if file.split == chosen]
    return _whole(path, chosen, mine, told.get(chosen)), chosen


def _listed(path: str) -> list[_File]:
    """Return the data files right in a directory, by shard."""
    if not os.path.isdir(path):
        return []
    found = []
    for name in sorted(os.listdir(path)):
        match = _FILE.fullmatch(name)
        if match and not name.startswith(_NOT_DATA):
            shard, shards = int(match["shard"] or 0), int(match["shards"] or 0)
            full = os.path.join(path, name)
            found.append(_File(full, match["split"], shard, shards, match["format"]))
    return sorted(found, key=lambda file: (file.split, file.shard, file.path))


def _infos(path: str) -> list[dict[str, Any]]:
    """Return what is told of each configuration; other programs have files of that name too."""
    found = [_json(path, _INFO)] if _has(path, _INFO) else list(_json(path, _INFOS).values())
    return [info for info in found if isinstance(info, dict) and _KEYS & info.keys()]


def _told(infos: list[dict[str, Any]]) -> dict[str, int | None]:
    """Return the splits that are told of, and how many files each has; None if untold."""
    splits = infos[0].get("splits") if len(infos) == 1 else None
    if not isinstance(splits, dict):
        return {}
    return {name: _shards(split) for name, split in splits.items()}


def _shards(split: Any) -> int | None:
    lengths = split.get("shard_lengths") if isinstance(split, dict) else None
    return len(lengths) if isinstance(lengths, list) else None


def _whole(path: str, split: str, files: list[_File], told: int | None) -> list[str]:
    """Return the paths; raise where a shard is missing, or where two sets of files are there."""
    sets = sorted({(file.shards, file.format) for file in files})
    if told is not None and len(sets) > 1:
        sets = [one for one in sets if max(1, one[0]) == max(1, told)]
        files = [file for file in files if (file.shards, file.format) in sets]
    if len(sets) > 1 or len({file.shard for file in files}) < len(files):
        names = [os.path.basename(file.path) for file in files]
        raise FormatError(f"{path}: split {split!r} is there more than once: {names}; name files")
    wanted = max(1, told or 0, *(file.shards for file in files))
    missing = sorted(set(range(wanted)) - {file.shard for file in files})
    if missing:
        raise FormatError(
            f"{path}: split {split!r} is incomplete: shard {missing[0]} of {wanted} is missing; "
            "download or save the dataset again"
        )
    return [file.path for file in files]


def _source(directory: str, path: str, follow_symlinks: bool) -> Source:
    if os.path.islink(path) and not follow_symlinks:
        raise FormatError(
            f"{path}: a symbolic link; pass follow_symlinks=True to read where it leads"
        )
    if not os.path.isfile(path):
        raise FormatError(
            f"{directory}: incomplete: {os.path.basename(path)} is missing; "
            "download or save the dataset again"
        )
    kind = "parquet" if path.endswith(".parquet") else "arrow"
    return Source(path, kind, size=os.path.getsize(path), found_in=directory)
