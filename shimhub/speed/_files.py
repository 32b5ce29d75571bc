"""YAML and TOML files of settings: their data, and where in the file each key stands."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shimhub.errors import nearest
from shimhub.speed.errors import SpeedConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: What a line of a message begins with, by the path of a key.
Place = Callable[[tuple[str, ...]], str]

#: Settings are written by hand; anything larger is something else. YAML takes 25 s for a megabyte.
MAX_BYTES = 1024 * 1024
MAX_YAML = 64 * 1024
#: Merges (``<<``) of a short file can make a mapping of any size.
_PAIRS = 10_000
_MERGE = "tag:yaml.org,2002:merge"
#: As deep as keys go: ``compile.options.name``.
_DEPTH = 3


def no_place(_path: tuple[str, ...]) -> str:
    """Return no place: a mapping has none."""
    return ""


def _text(path: str | os.PathLike[str], most: int = MAX_BYTES) -> str:
    with Path(path).open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise SpeedConfigError(f"{path}: larger than {most} bytes: no file of settings")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpeedConfigError(f"{path}, line {line}: is not UTF-8; save it as UTF-8") from None


def read_toml(path: str | os.PathLike[str], table: str) -> tuple[Any, Place]:
    """Return a table of a TOML file. Raises SpeedConfigError where it cannot be read."""
    text = _text(path)
    try:
        data: Any = tomllib.loads(text)
    except ValueError as error:  # an integer of thousands of digits is no TOMLDecodeError
        raise SpeedConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise SpeedConfigError(f"{path}: nested too deeply: no file of settings") from None
    for name in filter(None, table.split(".")):
        if not isinstance(data, Mapping) or name not in data:
            near = nearest(name, data) if isinstance(data, Mapping) else ""
            raise SpeedConfigError(f"{path}: has no table [{table}]: no {name!r}{near}")
        data = data[name]
    return data, lambda _path: f"{path}, [{table}]: " if table else f"{path}: "


def read_yaml(path: str | os.PathLike[str]) -> tuple[Any, Place, list[str]]:
    """Return the data of a YAML file, and a line for each key that is there twice.

    Raises SpeedConfigError where it cannot be read.
    """
    yaml = _yaml()
    loader = yaml.SafeLoader(_text(path, MAX_YAML))
    lines: dict[tuple[str, ...], int] = {}
    with _telling(path, yaml):
        root = loader.get_single_node()
        twice = [f"{path}, {one}" for one in _keys_twice(root, (), lines, set())]
        is_huge = _is_huge(root)
    if is_huge:
        raise SpeedConfigError(f"{path}: its merges (<<) make too many keys: no settings")
    with _telling(path, yaml):
        data = None if root is None else loader.construct_document(root)
    return {} if data is None else data, lambda at: _line(path, lines, at), twice


@contextmanager
def _telling(path: str | os.PathLike[str], yaml: Any) -> Iterator[None]:
    try:
        yield
    except (yaml.YAMLError, ValueError) as error:  # a day that no month has is a ValueError
        raise SpeedConfigError(f"{path}: not valid YAML: {error}") from None
    except RecursionError:
        raise SpeedConfigError(f"{path}: nested too deeply: no file of settings") from None


def _is_huge(root: Any) -> bool:
    """Whether the mappings of a document have too many keys, those that are merged counted in."""
    sizes: dict[int, int] = {}
    return sum(_keys(one, sizes) for one in _nodes(root)) > _PAIRS


def _nodes(root: Any) -> list[Any]:
    """Return the nodes of a document, each once: an alias is the same node again."""
    found, seen = [root], {id(root)}
    for node in found:
        pairs = _pairs(node)
        for one in (*_items(node), *(value for _, value in pairs), *(key for key, _ in pairs)):
            if id(one) not in seen:
                seen.add(id(one))
                found.append(one)
    return found


def _keys(node: Any, sizes: dict[int, int]) -> int:
    """Return how many keys a mapping has after its merges."""
    if id(node) not in sizes:
        sizes[id(node)] = 0  # for a mapping that merges itself
        merged = [value for key, value in _pairs(node) if key.tag == _MERGE]
        merged += [one for each in merged for one in _items(each)]
        sizes[id(node)] = len(_pairs(node)) + sum(_keys(one, sizes) for one in merged)
    return sizes[id(node)]


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    return list(node.value) if getattr(node, "id", "") == "mapping" else []


def _items(node: Any) -> list[Any]:
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def _yaml() -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError:
        raise SpeedConfigError("YAML needs PyYAML: pip install 'shimhub[speed]'") from None


def _line(
    path: str | os.PathLike[str], lines: dict[tuple[str, ...], int], at: tuple[str, ...]
) -> str:
    return f"{path}, line {lines[at]}: " if at in lines else f"{path}: "


def _keys_twice(
    node: Any, path: tuple[str, ...], lines: dict[tuple[str, ...], int], seen: set[int]
) -> Iterator[str]:
    """Note the line of each key, and yield those that are there twice: the last would win."""
    if len(path) >= _DEPTH or id(node) in seen:
        return
    seen.add(id(node))  # an alias is the same node again
    for key, value in _pairs(node):
        at = (*path, str(key.value))
        line = key.start_mark.line + 1
        if at in lines and key.value != "<<":
            yield f"line {line}: {'.'.join(at)}: is there already, in line {lines[at]}"
        lines.setdefault(at, line)
        yield from _keys_twice(value, at, lines, seen)
