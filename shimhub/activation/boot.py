"""What runs in every active process before the user's code: a table, a finder, nothing more.

The hub itself (data classes, packaging, metadata) is imported when the first target is. This
module is on the start-up path: builtins only.
"""

import os
import sys
from _frozen_importlib_external import PathFinder
from _thread import get_ident

from shimhub import compiled, trust
from shimhub.finder import CANARY, Finder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from shimhub.hub import Hub
    from shimhub.records import Record


#: ``site`` runs the lines of a ``.pth`` twice in a virtual environment.
_has_failed = False


def start() -> None:
    """Activate this process, once; what hinders it is said on stderr and the process goes on.

    Called by the ``.pth`` or ``.start`` file of ``shimhub activate`` and by the sitecustomize of
    ``shimhub run``; the second call of a process does nothing. With SHIMHUB_STRICT=1 an error
    ends the process with code 1.
    """
    global _has_failed
    try:
        boot(os.environ)
    except Exception as error:  # noqa: BLE001  # nothing of ours keeps a program from starting
        if sys.stderr is not None and not _has_failed:
            sys.stderr.write(f"shimhub: this process runs unpatched: {error}\n")
            sys.stderr.flush()
        _has_failed = True
        if os.environ.get("SHIMHUB_STRICT", "0") not in ("", "0"):
            os._exit(1)  # an exit by exception would be a fatal error of ``site``


def boot(environ: "Mapping[str, str]") -> Finder | None:
    """Insert the finder that ``environ`` asks for; None where SHIMHUB=0 switches it off.

    Raises RegistryError when a registry has errors. A second call does nothing.
    """
    if environ.get("SHIMHUB") == "0" or any(type(one) is Finder for one in sys.meta_path):
        return None
    grant = trust.granted(environ)
    _tell_project(grant, environ)
    table = compiled.load(compiled.sources_of(environ, trusted=grant.sources), head=True)
    _compare_digest(environ.get("SHIMHUB_DIGEST"), table["digest"])
    handler = Deferred(dict(environ))
    if environ.get("SHIMHUB_RUN_DIR"):
        from shimhub import records

        handler.record = records.begin(environ, table["digest"])
        records.at_end(handler.tell_if_gone)
    finder = Finder(table["modules"], handler)
    handler.finder = finder
    sys.meta_path.insert(0, finder)
    if not sys.modules.keys().isdisjoint(table["modules"]):
        handler.adopt()
    return finder


def _tell_project(grant: trust.Grant, environ: "Mapping[str, str]") -> None:
    """Name the project for children, and say once what is left out of it."""
    if environ is not os.environ or "SHIMHUB_PROJECT" in environ:
        return
    if grant.refused and sys.stderr is not None:
        sys.stderr.write(f"shimhub: {grant.refused}\n")
    if grant.project or grant.refused:
        os.environ["SHIMHUB_PROJECT"] = grant.project


def _compare_digest(told: str | None, found: str) -> None:
    """Say so when the launcher read other registries, or another shimhub, than this process."""
    if told not in (None, found) and sys.stderr is not None:
        sys.stderr.write(f"shimhub: registries differ here ({found}) and at the start ({told})\n")


class SiteTimePath:
    """Let this thread import as at start-up, before the program's folder was on ``sys.path``.

    The hub is imported in the middle of the program; a ``random.py`` or ``packaging.py`` beside
    the script is the program's own business, and must be neither run nor hidden by that.
    """

    def __init__(self, finder: Finder, path: list[str]) -> None:
        self._finder = finder
        self._path = [*path, *(entry for entry in _site_dirs() if entry not in path)]
        self._extra = [entry for entry in sys.path if entry not in self._path]
        self._thread = get_ident()
        self._before = frozenset(sys.modules)

    def __enter__(self) -> None:
        if self._extra:
            vars(self._finder).setdefault("find_spec", self._find_spec)

    def __exit__(self, *error: object) -> None:
        if vars(self._finder).get("find_spec") != self._find_spec:
            return
        del self._finder.find_spec
        own = {name.partition(".")[0] for folder in self._extra for name in _names_in(folder)}
        for name in set(sys.modules) - self._before:
            if name.partition(".")[0] in own - {"shimhub"}:
                del sys.modules[name]

    def _find_spec(
        self, fullname: str, path: "Any" = None, target: "Any" = None
    ) -> "ModuleSpec | None":
        """Find a top-level module where it was at start-up; other threads are not concerned."""
        is_other = path is not None or get_ident() != self._thread
        if is_other or fullname in sys.builtin_module_names or fullname in self._finder.names:
            return Finder.find_spec(self._finder, fullname, path, target)
        return PathFinder.find_spec(fullname, self._path, target)


def _site_dirs() -> list[str]:
    """Return the folders that ``site`` adds; a start-up file may run before it has added all."""
    site: Any = sys.modules.get("site")
    return [*site.getsitepackages(), site.getusersitepackages()] if site else []


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")
    except OSError:
        return []


class Deferred:
    """Stands in for the hub until the first target shows up, then hands over to it."""

    finder: Finder
    record: "Record | None" = None

    def __init__(self, environ: "Mapping[str, str]") -> None:
        self._environ = environ
        self._path = list(sys.path)
        self._importing: set[int] = set()
        self._hub: Hub | None = None
        self._seen: list[str] = []
        self._has_failed = False
        self._strict = environ.get("SHIMHUB_STRICT", "0") not in ("", "0")

    def tell_if_gone(self) -> None:
        """Record that somebody took the finder off ``sys.meta_path``, unless we did."""
        is_off = getattr(self.finder.handler, "config", self) is None
        if self.record is not None and self.finder not in sys.meta_path and not is_off:
            self.record.tell_event("gone", "", "")

    def adopt(self) -> "Hub | None":
        """Import the hub and hand over; None while this very thread is already doing so.

        Where that fails, the program's import does not, unless strict: the process goes on as if
        it were not active, and says so once.
        """
        thread = get_ident()
        if self._hub is not None or self._has_failed or thread in self._importing:
            return self._hub
        self._importing.add(thread)
        try:
            self._hub = self._hand_over()
        except Exception as error:  # noqa: BLE001  # nothing of ours keeps a target from importing
            self.give_up(error)
        finally:
            self._importing.discard(thread)
        return self._hub

    def give_up(self, error: Exception) -> None:
        """Go on without the hub and say so once; raises ``error`` in strict mode."""
        if self._strict:
            raise error
        if not self._has_failed and self.record is not None:
            self.record.tell_event("passive", "shimhub", str(error))
        if not self._has_failed and sys.stderr is not None:
            sys.stderr.write(f"shimhub: this process runs unpatched: {error}\n")
        self._has_failed = True

    def _hand_over(self) -> "Hub":
        with SiteTimePath(self.finder, self._path):
            from shimhub import config, hub
        chosen = config.config_of(None, None, None, None, False, self._environ)
        self._strict = chosen.strict
        return hub.adopt(self.finder, chosen, self._seen, self.record)

    def generate(self, fullname: str) -> "ModuleSpec | None":
        """Ask the hub; a name that the hub's own import asks for is not generated."""
        adopted = None if fullname == CANARY else self.adopt()
        return adopted.generate(fullname) if adopted else None

    def before_exec(self, fullname: str, module: "ModuleType") -> "Any":
        """Ask the hub for seeds."""
        adopted = self.adopt()
        return adopted.before_exec(fullname, module) if adopted else None

    def after_exec(self, fullname: str, module: "ModuleType", seeds: "Any") -> None:
        """Let the hub patch the module, now or as soon as its own import is done."""
        adopted = self.adopt()
        if adopted is None:
            self._seen.append(fullname)
        else:
            adopted.after_exec(fullname, module, seeds)
