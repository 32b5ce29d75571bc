"""``shimhub trust`` and ``distrust``: the writing side of the trust store."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shimhub import _toml, compiled, paths, trust
from shimhub.environment import entry_points
from shimhub.errors import RegistryError, TrustError, nearest
from shimhub.finder import real_spec
from shimhub.model import Problem, Shim
from shimhub.registry import Registry, code_path
from shimhub.speed.config import SpeedConfig
from shimhub.speed.errors import SpeedConfigError
from shimhub.speed.settings import WORDS

GROUP = "shimhub.registries"
_HEADER = "# What `shimhub trust` allowed; `shimhub distrust` takes it back.\n"
_LISTS = ("enable", "disable", "only")
_KEYS = ("registry", *_LISTS, "strict", "speed")


@dataclass(frozen=True)
class EntryPoint:
    """A registry that an installed distribution offers; ``file`` is empty where there is none."""

    name: str
    value: str
    dist: str
    file: str


@dataclass(frozen=True)
class Trusted:
    """One entry of the store: a project with its files and settings, or an entry point."""

    kind: str
    name: str
    files: tuple[str, ...]
    settings: Mapping[str, str]


def trust_project(project: str) -> Trusted:
    """Trust a pyproject.toml, the registries that it names and the code of their shims.

    Raises TrustError where there is no ``[tool.shimhub]``, RegistryError for mistakes in the
    table or in a registry; the store is then as it was.
    """
    project = _place(project)
    settings = _settings_of(project)
    registries = _registries_of(project, settings.pop("registry", []))
    registry = _loaded(project, registries)
    code = [file for shim in registry.shims if shim.file in registries for file in code_files(shim)]
    files = list(dict.fromkeys([project, *registries, *code]))
    told = {name: _stored(name, value) for name, value in settings.items()}
    block = [("project", project), *(("registry", one) for one in registries), *told.items()]
    block += [("sha256", f"{_pinned(one)} {one}") for one in files]
    _replace("project", project, block)
    return Trusted("project", project, tuple(files), told)


def trust_entry_point(name: str) -> Trusted:
    """Trust the registry that an installed distribution offers under ``name``.

    Raises TrustError, with a suggestion, where no distribution does, or its file is missing.
    """
    found = [one for one in offered() if one.name == name and not set(name) & set(" \n")]
    if not found:
        hint = nearest(name, [one.name for one in offered()])
        raise TrustError(f"no installed distribution offers a registry {name!r} in {GROUP}{hint}")
    if len(found) > 1:
        dists = ", ".join(one.dist for one in found)
        raise TrustError(f"{name!r} is offered by {dists}; uninstall all but one")
    if not found[0].file:
        raise TrustError(f"{found[0].dist}: {name} = {found[0].value!r} leads to no file")
    file = found[0].file
    compiled.load([(paths.packaged_registry(), "packaged"), (file, f"entry point {name}")])
    _replace("entry-point", name, [("entry-point", f"{name} {file}")])
    return Trusted("entry point", name, (file,), {})


def mistake_in(project: str) -> Problem | None:
    """Return what keeps a project's table and registries from being trusted; None if nothing."""
    try:
        _loaded(project, _registries_of(project, _settings_of(project).get("registry", [])))
    except RegistryError as error:
        return error.problems[0]
    except TrustError as error:
        return Problem(project, 0, "file", str(error))
    return None


def distrust(name: str) -> Trusted:
    """Take back the trust in a project (its pyproject.toml) or an entry point.

    Raises TrustError, with a suggestion, where nothing of that name is trusted.
    """
    places = (os.path.abspath(name), _place(name))
    for one in entries():
        if one.name == name or (one.kind == "project" and one.name in places):
            _replace(one.kind.replace(" ", "-"), one.name, [])
            return one
    raise TrustError(f"{name!r} is not trusted{nearest(name, [one.name for one in entries()])}")


def _place(project: str) -> str:
    """Return a file by the folder where it lies: a run beside it knows no links to that."""
    folder, name = os.path.split(os.path.abspath(project))
    return os.path.join(os.path.realpath(folder), name)


def entries() -> list[Trusted]:
    """Return what the store holds, in its order; raises TrustError where others may write it."""
    found: list[Trusted] = []
    lines = _lines()
    for word, rest in lines:
        if word == "entry-point":
            name, _, file = rest.partition(" ")
            found.append(Trusted("entry point", name, (file,), {}))
        elif word == "project":
            block = trust.block_of(lines, rest)
            files = tuple(told.partition(" ")[2] for key, told in block if key == "sha256")
            settings = {key: told for key, told in block if key not in ("sha256", "registry")}
            found.append(Trusted("project", rest, files, settings))
    return found


def offered() -> list[EntryPoint]:
    """Return the registries that installed distributions offer; none of them is imported."""
    return [
        EntryPoint(one.name, one.value, one.dist.metadata["Name"], _file_of(one))
        for one in entry_points(GROUP)
    ]


def code_files(shim: Shim) -> Iterator[str]:
    """Yield the files with code that a row names: of the replacement and of its probe."""
    if path := code_path(shim):
        yield path
    if isinstance(shim.check, str):
        yield os.path.join(os.path.dirname(shim.file), shim.check.partition(":")[0])


def _file_of(entry: Any) -> str:
    """Return the file of ``package.sub:name.toml``, found by the finders, without an import."""
    module, _, name = entry.value.partition(":")
    top, *below = module.strip().split(".")
    spec = real_spec(None, top, None, None)
    for folder in (spec and spec.submodule_search_locations) or ():
        file = os.path.abspath(os.path.join(folder, *below, name.strip() or "registry.toml"))
        if os.path.isfile(file) and file.startswith(os.path.abspath(folder) + os.sep):
            return file
    return ""


def _settings_of(project: str) -> dict[str, Any]:
    data, lines, problems = _toml.parse(_read(project), project)
    table = data.get("tool", {}).get("shimhub") if not problems else {}
    if table is None:
        raise TrustError(f"{project} has no [tool.shimhub] table; there is nothing to trust")
    for key, value in table.items():
        if told := _wrong(key, value):
            problems.append(Problem(project, lines.get(("tool", "shimhub", key), 0), key, told))
    if problems:
        raise RegistryError(problems)
    listed = {key: value for key, value in table.items() if key not in ("strict", "speed")}
    made: dict[str, Any] = {
        key: [value] if isinstance(value, str) else value for key, value in listed.items()
    }
    made |= {"speed": table["speed"]} if "speed" in table else {}
    return made | ({"strict": True} if table.get("strict") else {})


def _stored(key: str, value: Any) -> str:
    """Return a setting as one line of the store."""
    if key == "speed":
        return value if isinstance(value, str) else json.dumps(value)
    return ",".join(value) if key in _LISTS else "1"


def _wrong(key: str, value: Any) -> str:
    """Return what is wrong with a setting; empty when nothing is."""
    if key not in _KEYS:
        return f"unknown key{nearest(key, _KEYS)}; there are {', '.join(_KEYS)}"
    if key == "speed":
        return _wrong_speed(value)
    if key == "strict":
        return "" if isinstance(value, bool) else f"must be true or false, not {value!r}"
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        return f"must be a string or a list of strings, not {value!r}"
    return "must not have line breaks" if any("\n" in one for one in words) else ""


def _wrong_speed(value: Any) -> str:
    if not isinstance(value, dict):
        return "" if value in WORDS else f"must be a table, 'auto' or 'off', not {value!r}"
    try:
        SpeedConfig.from_dict(value)
    except SpeedConfigError as error:
        return str(error)
    return ""


def _registries_of(project: str, names: Iterable[str]) -> list[str]:
    """Return the paths as rows tell them: a row whose file is not among them is not pinned."""
    folder = os.path.dirname(project)
    return [os.path.abspath(os.path.join(folder, one)) for one in names]


def _loaded(project: str, registries: Iterable[str]) -> Registry:
    sources = [(paths.packaged_registry(), "packaged"), *((one, project) for one in registries)]
    return Registry.from_table(compiled.load(sources))


def _read(project: str) -> bytes:
    if not os.path.isfile(project):
        raise TrustError(f"there is no file {project}; give a pyproject.toml")
    if "\n" in project:
        raise TrustError(f"a path with a line break cannot be trusted: {project!r}")
    with open(project, "rb") as stream:
        return stream.read(trust.MAX_BYTES + 1)


def _lines() -> trust.Lines:
    try:
        return trust.read_store()
    except PermissionError as error:
        raise TrustError(str(error)) from error


def _pinned(file: str) -> str:
    digest = trust.sha256_of(file)
    if not digest or "\n" in file:
        raise TrustError(f"{file!r} cannot be read, or is larger than {trust.MAX_BYTES} bytes")
    return digest


def _replace(word: str, name: str, block: Iterable[tuple[str, str]]) -> None:
    """Put ``block`` in place of the entry of that kind and name, atomically."""
    kept: list[tuple[str, str]] = []
    is_old = False
    for key, rest in _lines():
        if key in ("project", "entry-point"):
            found = rest if key == "project" else rest.partition(" ")[0]
            is_old = (key, found) == (word, name)
        if not is_old:
            kept.append((key, rest))
    store = paths.trust_store()
    text = _HEADER + "".join(f"{key} {rest}\n" for key, rest in [*kept, *block])
    try:
        os.makedirs(os.path.dirname(store), mode=0o700, exist_ok=True)
        _put(store, text)
    except OSError as error:
        raise TrustError(f"{error.filename}: {error.strerror}; nothing was changed") from error


def _put(store: str, text: str) -> None:
    scratch = f"{store}.{os.getpid()}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(scratch, flags, 0o600), "w", errors="surrogateescape") as stream:
            stream.write(text)
        os.replace(scratch, store)
    finally:
        if os.path.lexists(scratch):
            os.unlink(scratch)
