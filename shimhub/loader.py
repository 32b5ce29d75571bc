"""Hook the execution of one module, and leave its loader and spec as they were.

A loader that belongs to one file gets a one-shot ``exec_module`` on the instance, so its type and
its spec stay what they are. A loader that others share (zipimporter, pytest's rewriter, the
builtin importer's class) is stood in for by a proxy until its module runs.
"""

from __future__ import annotations

import _frozen_importlib_external as _external
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Protocol

    class Seeds(Protocol):
        """Names put into a module before its body runs."""

        def rollback(self) -> None:
            """Take the names out again."""

    class Handler(Protocol):
        """What the hub does about a target's module."""

        def generate(self, fullname: str) -> ModuleSpec | None:
            """Return the spec of a module that no other finder has, or None."""

        def before_exec(self, fullname: str, module: ModuleType) -> Seeds | None:
            """Seed the module's namespace; called only for names that ask for it."""

        def after_exec(self, fullname: str, module: ModuleType, seeds: Seeds | None) -> None:
            """Patch the module; raises ShimError in strict mode."""

        def give_up(self, error: Exception) -> None:
            """Say that shimhub cannot do its part any more; raises it in strict mode."""


_PER_FILE = (
    _external.SourceFileLoader,
    _external.SourcelessFileLoader,
    _external.ExtensionFileLoader,
)


def hook_exec(spec: ModuleSpec, handler: Handler, early: bool) -> None:
    """Make ``handler`` see the module of ``spec`` after (and, if ``early``, before) it runs."""
    loader: Any = spec.loader
    if loader is None:
        _hook_namespace(spec, handler)
    elif type(loader) in _PER_FILE and loader.name == spec.name:
        loader.exec_module = OneShot(spec, loader, loader, handler, early)
    elif type(loader) is getattr(sys.modules.get("zipimport"), "zipimporter", None):
        own: Any = object.__new__(type(loader))
        own.__dict__.update(vars(loader))
        own.exec_module = OneShot(spec, own, loader, handler, early)
        spec.loader = own
    else:
        spec.loader = LoaderProxy(spec.name, loader, handler, early)  # type: ignore[assignment]


def _hook_namespace(spec: ModuleSpec, handler: Handler) -> None:
    """A namespace package has no loader until it is imported, and no body to run again."""
    if spec.name in sys.modules:
        return
    from shimhub.watch import when_imported

    def imported() -> None:
        module = sys.modules.get(spec.name)
        if module is not None:
            handler.after_exec(spec.name, module, None)

    when_imported(spec, imported)


class OneShot:
    """``exec_module`` of one loader instance, for one call; equal to any other of its name."""

    def __init__(
        self, spec: ModuleSpec, holder: Any, loader: Any, handler: Handler, early: bool
    ) -> None:
        self.name = spec.name
        self._given = (spec, holder, loader, handler, early)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OneShot) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what a loader does by itself: the spec travels, the hook does not."""
        from functools import partial

        loader = self._given[2]
        return partial, (type(loader).exec_module, loader)

    def __call__(self, module: ModuleType) -> None:
        """Give the module its own loader back and run it."""
        spec, holder, loader, handler, early = self._given
        holder.__dict__.pop("exec_module", None)
        _restore_loader(module, holder, loader)
        _run(spec.name, module, loader, handler, early)


class LoaderProxy:
    """Stands in for a loader that others share, until its module runs."""

    def __init__(self, name: str, loader: Any, handler: Handler, early: bool) -> None:
        self._shimhub = (name, loader, handler, early)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shimhub[1], name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let the real loader create the module, under a spec that shows the real loader."""
        loader = self._shimhub[1]
        spec.loader = loader
        try:
            module: ModuleType | None = loader.create_module(spec)
        finally:
            spec.loader = self  # type: ignore[assignment]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its real loader back and run it."""
        name, loader, handler, early = self._shimhub
        _restore_loader(module, self, loader)
        _run(name, module, loader, handler, early)


def _restore_loader(module: ModuleType, stand_in: Any, loader: Any) -> None:
    if module.__dict__.get("__loader__") is stand_in:
        module.__dict__["__loader__"] = loader
    spec = module.__dict__.get("__spec__")
    if spec is not None and spec.loader is stand_in:
        spec.loader = loader


def _run(name: str, module: ModuleType, loader: Any, handler: Handler, early: bool) -> None:
    seeds = handler.before_exec(name, module) if early else None
    try:
        loader.exec_module(module)
    except BaseException:  # whatever ends the body, Ctrl-C too; raised again
        if seeds is not None:
            seeds.rollback()
        raise
    handler.after_exec(name, module, seeds)


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``function`` importlib's file name: importlib trims such frames from tracebacks."""
    function.__code__ = function.__code__.replace(co_filename=_TRIMMED)
    return function


_TRIMMED = "<frozen importlib._bootstrap_external>"
_run = hidden(_run)
OneShot.__call__ = hidden(OneShot.__call__)  # type: ignore[method-assign]
LoaderProxy.exec_module = hidden(LoaderProxy.exec_module)  # type: ignore[method-assign]
