"""Hook the execution of one module, and leave its loader and spec as they were.

A loader that belongs to one file gets a one-shot ``exec_module`` on the instance, so its type and
its spec stay what they are. A loader that others share (zipimporter, pytest's rewriter, the
builtin importer's class) is stood in for by a proxy until its module runs.
"""

from __future__ import annotations

import _frozen_importlib_external as _external

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


_NamespaceLoader: Any = _external._NamespaceLoader
_PER_FILE = (
    _external.SourceFileLoader,
    _external.SourcelessFileLoader,
    _external.ExtensionFileLoader,
    _NamespaceLoader,
)


def hook_exec(spec: ModuleSpec, handler: Handler, early: bool) -> None:
    """Make ``handler`` see the module of ``spec`` after (and, if ``early``, before) it runs."""
    is_namespace = spec.loader is None
    if is_namespace:
        spec.loader = _namespace_loader(spec)
    loader: Any = spec.loader
    is_own = type(loader) in _PER_FILE and getattr(loader, "name", spec.name) == spec.name
    if is_own:
        loader.exec_module = _one_shot(spec.name, loader, handler, early, is_namespace)
    else:
        spec.loader = LoaderProxy(spec.name, loader, handler, early)  # type: ignore[assignment]


def _namespace_loader(spec: ModuleSpec) -> Any:
    """Return the loader that importlib itself would give a namespace package."""
    loader = _NamespaceLoader.__new__(_NamespaceLoader)
    loader._path = spec.submodule_search_locations
    return loader


def _one_shot(
    name: str, loader: Any, handler: Handler, early: bool, is_namespace: bool
) -> Callable[[ModuleType], None]:
    def exec_module(module: ModuleType) -> None:
        loader.__dict__.pop("exec_module", None)
        if is_namespace:
            # importlib sets it for a namespace package alone, and only if the loader was None.
            module.__dict__.setdefault("__file__", None)
        _run(name, module, loader, handler, early)

    return _hidden(exec_module)


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


def _restore_loader(module: ModuleType, proxy: LoaderProxy, loader: Any) -> None:
    if module.__dict__.get("__loader__") is proxy:
        module.__dict__["__loader__"] = loader
    spec = module.__dict__.get("__spec__")
    if spec is not None and spec.loader is proxy:
        spec.loader = loader


def _run(name: str, module: ModuleType, loader: Any, handler: Handler, early: bool) -> None:
    seeds = handler.before_exec(name, module) if early else None
    try:
        loader.exec_module(module)
    except BaseException:
        if seeds is not None:
            seeds.rollback()
        raise
    handler.after_exec(name, module, seeds)


def _hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``function`` importlib's file name: importlib trims such frames from tracebacks."""
    function.__code__ = function.__code__.replace(co_filename=_TRIMMED)
    return function


_TRIMMED = "<frozen importlib._bootstrap_external>"
_run = _hidden(_run)
LoaderProxy.exec_module = _hidden(LoaderProxy.exec_module)  # type: ignore[method-assign]
