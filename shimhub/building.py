"""Turn a registry row into the replacement: import its code, call it, stamp the result."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from shimhub import gates
from shimhub.adapt import make_adapter
from shimhub.environment import Environment, file_of, is_module, namespace
from shimhub.errors import PatchError, nearest
from shimhub.generated import import_object
from shimhub.guard import Guards
from shimhub.model import Context, Provenance, Shim
from shimhub.patching import MISSING, Slot, Transaction, own_names
from shimhub.placeholder import make_placeholder
from shimhub.probing import plain
from shimhub.proving import prove
from shimhub.registry import code_path
from shimhub.watch import is_initializing

Builder = Callable[[Any, Context], Any]


class NotYetError(Exception):
    """An alias leads into a module whose import has not ended; ``args[0]`` is its spec."""


def prepare(shim: Shim, version: str = "") -> Builder:
    """Import what the shim needs and return what builds its replacement from the original.

    ``version`` is that of the attach point's distribution, for the messages of placeholders.
    Called before a transaction opens. Raises whatever the shim's code raises on import.
    """
    if shim.action == "alias":
        found = _moved(shim)
        return lambda original, ctx: found
    if shim.action == "placeholder":
        stamp = provenance(shim, placeholder=True)
        made = make_placeholder(shim.module, shim.qualname, shim.message, stamp, version)
        return lambda original, ctx: made
    if shim.action == "adapt":
        return lambda original, ctx: _dress(shim, make_adapter(shim, original))
    return _prepare_code(shim)


def behavioural_probe(shim: Shim) -> Callable[[Context], Any] | None:
    """Return the shim's ``probe(ctx)``, or the ``file.py:attr`` that its ``check`` names."""
    return _named(shim, shim.check, "probe") if shim.check else None


def _named(shim: Shim, told: bool | str, default: str) -> Callable[..., Any]:
    """Return ``default`` of the shim's own file, or what ``told`` names as ``file.py:attr``."""
    if told is True:
        return _callable(load_code(shim, code_path(shim)), default, shim)
    name, _, attr = str(told).partition(":")
    path = os.path.join(os.path.dirname(shim.file), name)
    return _callable(load_code(shim, path), attr or default, shim)


def build(
    shim: Shim,
    builder: Builder,
    original: Any,
    ctx: Context,
    guards: Guards,
    evidence: dict[str, Any],
) -> Any:
    """Return the replacement for ``original``, guarded and in the same kind of descriptor.

    What its proof came to goes into ``evidence``. Raises PatchError where the shim's code returned
    nothing to put in place, NotProvedError where it does not do what the original does.
    """
    given = None if original is MISSING else _callable_of(original, ctx.owner)
    made = builder(given, ctx)
    if made is None and shim.action in ("replace", "wrap", "adapt"):
        raise PatchError(f"{shim.id}: build() returned None for {shim.attach}")
    if shim.proof and made is not given:
        evidence["proof"] = _proved(shim, given, made, ctx)
    return _finished(shim, original, given, made, ctx, guards)


def cases_of(shim: Shim) -> Callable[..., Any]:
    """Return the shim's ``cases``, or the ``file.py:attr`` that its ``proof`` names."""
    return _named(shim, shim.proof, "cases")


def _proved(shim: Shim, given: Any, made: Any, ctx: Context) -> str:
    cases = cases_of(shim)
    files = [path for path in (code_path(shim), cases.__code__.co_filename) if path]
    return prove(shim, given, plain(made), ctx, partial(cases, ctx), files)


def _finished(
    shim: Shim, original: Any, given: Any, made: Any, ctx: Context, guards: Guards
) -> Any:
    if shim.action == "replace" and made is not given and made is not original:
        made = _guarded(shim, original, given, made, ctx, guards)
    is_kept = isinstance(ctx.owner, type) and not isinstance(made, type(original))
    if is_kept and isinstance(original, (staticmethod, classmethod)):
        return type(original)(made)
    return made


def _guarded(shim: Shim, original: Any, given: Any, made: Any, ctx: Context, guards: Guards) -> Any:
    """Return ``made`` under a guard: a function, which ``build`` puts into the right descriptor."""
    inner = plain(made)
    is_kept = isinstance(original, (staticmethod, classmethod))
    # On a class a function is given the instance, and a callable without ``__get__`` is not.
    is_bound = is_kept or not isinstance(ctx.owner, type) or hasattr(type(given), "__get__")
    is_alike = is_bound and (inner is made or type(made) is type(original))
    guarded = guards.guard(shim, given, inner, is_alike)
    if guarded is inner:
        return made
    _stamp(shim, guarded)
    _describe(guarded, given)
    return guarded


def _describe(guarded: Any, given: Any) -> None:
    """Give the guarded function what the original tells of itself."""
    guarded.__doc__ = getattr(given, "__doc__", None)
    annotations = getattr(given, "__annotations__", None)
    if isinstance(annotations, dict):
        guarded.__annotations__ = dict(annotations)


def _callable_of(original: Any, owner: Any) -> Any:
    """Return what a caller would get: on a class the function, on an instance the bound method."""
    is_instance = not (isinstance(owner, (type, dict)) or is_module(owner))
    is_own = any(one is original for one in list(own_names(owner).values()))
    if is_instance and not is_own:
        return original.__get__(owner, type(owner)) if hasattr(original, "__get__") else original
    return plain(original)


def evidence_of(shim: Shim, module: ModuleType, facts: Environment) -> dict[str, Any]:
    """Return what is known about a shim before its probe: versions, the module's file, notes."""
    evidence = {**gates.judge(shim, facts).evidence, "module": file_of(module)}
    if told := gates.obsolete(shim, facts):
        evidence["retire"] = told
    if shim.overrides:
        evidence["overrides"] = shim.overrides
    return evidence


def context_of(
    shim: Shim, module: ModuleType, slot: Slot, facts: Environment, transaction: Transaction
) -> Context:
    """Return what the shim's code is given; side effects it registers go into ``transaction``."""
    return Context(
        shim=shim.id,
        module=module,
        owner=slot.owner,
        name=slot.name,
        version=facts.version,
        on_revert=lambda undo: transaction.effect(shim.id, undo),
        parameters=gates.parameters_of(shim, facts),
        load=partial(_load_beside, shim),
    )


def unfinished_parent(shim: Shim) -> Any:
    """Return the spec of a package to wait for before an alias within it is resolved, else None.

    Moved names are often found in a module that their package imports later; importing it in the
    middle of the package's own import would change the order and may run into a cycle.
    """
    place, parents = shim.to.partition(":")[0], shim.module.split(".")
    moved = namespace(sys.modules.get(place))
    if place.partition(".")[0] != parents[0] or (
        moved and not is_initializing(moved.get("__spec__"))
    ):
        return None
    names = [".".join(parents[:size]) for size in range(1, len(parents))]
    specs = [namespace(sys.modules.get(name)).get("__spec__") for name in names]
    return next((spec for spec in specs if is_initializing(spec)), None)


def provenance(shim: Shim, placeholder: bool = False) -> Provenance:
    """Return the stamp of a shim's replacement."""
    return Provenance(shim.id, shim.attach, code_path(shim) or shim.file, placeholder)


def _load_beside(shim: Shim, name: str) -> ModuleType:
    """Execute another file of the registry's folder; raises PatchError for one outside of it."""
    folder = os.path.realpath(os.path.dirname(shim.file))
    path = os.path.join(os.path.dirname(shim.file), name)
    if not os.path.realpath(path).startswith(folder + os.sep):
        raise PatchError(f"{shim.id}: ctx.load({name!r}) is outside of the registry's folder")
    return load_code(shim, path)


def load_code(shim: Shim, path: str) -> ModuleType:
    """Execute a shim's file once, as a module of its own name; raises what the file raises."""
    relative = os.path.relpath(path, os.path.dirname(shim.file))
    name = "shimhub.shims." + os.path.splitext(relative)[0].replace(os.sep, ".")
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == path:
        return loaded
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the path ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # whatever ends the body, Ctrl-C too; raised again
        del sys.modules[name]
        raise
    return module


def _moved(shim: Shim) -> Any:
    try:
        return import_object(shim.to)
    except ImportError as error:
        unfinished = namespace(sys.modules.get(str(error.name))).get("__spec__")
        if is_initializing(unfinished):
            raise NotYetError(unfinished) from error
        known = [] if error.name in sys.modules else list(sys.modules)
        told = f"{error}{nearest(str(error.name), known)}"
        raise PatchError(
            f"{shim.file}: {shim.id}: to: {shim.to!r} leads nowhere: {told}"
        ) from error


def _prepare_code(shim: Shim) -> Builder:
    path = code_path(shim)
    module = load_code(shim, path)
    attr = shim.source.partition(":")[2]
    if not attr:
        maker = _callable(module, "build", shim)
        return lambda original, ctx: _dress(shim, maker(original, ctx))
    found = _attribute(module, attr, shim)
    if shim.action == "add":
        return lambda original, ctx: _dress(shim, found)
    return lambda original, ctx: _dress(shim, found(original))


def _callable(module: ModuleType, name: str, shim: Shim) -> Callable[..., Any]:
    found: Callable[..., Any] = _attribute(module, name, shim)
    return found


def _attribute(module: ModuleType, name: str, shim: Shim) -> Any:
    try:
        return vars(module)[name]
    except KeyError:
        told = f"{shim.id}: {module.__file__} defines no {name!r}"
        raise PatchError(told) from None


def _dress(shim: Shim, made: Any) -> Any:
    """Give functions and classes of the shim's own code the attach point's name and the stamp.

    By that name they pickle by reference, as the real ones do.
    """
    inner = plain(made)
    if not _is_own(shim, inner):
        return made
    _stamp(shim, inner)
    return made


def _stamp(shim: Shim, made: Any) -> None:
    made.__module__ = shim.module
    made.__qualname__ = shim.qualname
    made.__name__ = shim.qualname.rpartition(".")[2]
    made.__shimhub__ = provenance(shim)


def _is_own(shim: Shim, made: Any) -> bool:
    """Whether the object was made by this shim's code, not taken from elsewhere."""
    if isinstance(made, functools._lru_cache_wrapper):
        made = made.__wrapped__
    if isinstance(made, FunctionType):
        return shim.action == "adapt" or made.__code__.co_filename == code_path(shim)
    if not isinstance(made, type):
        return False
    is_dressed = (made.__module__, made.__qualname__) == (shim.module, shim.qualname)
    return is_dressed or made.__module__.startswith("shimhub.shims.")
