"""The finder: an exact look-up for every import, and real work only for names of the table.

It knows modules and nothing of registries. It never imports a target and never calls
``importlib.util.find_spec``: finders run under the import lock, where that deadlocks
(https://github.com/GrahamDumpleton/wrapt/issues/217). On the start-up path: builtins only.
"""

import _imp
import sys
from _thread import _local, allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from shimhub.loader import Handler

#: A module that we find in another place than its file: so imports come by us first.
CANARY = "shimhub._canary"

#: Held for the moment in which one of our finders changes its place.
_MOVING = allocate_lock()


class Finder:
    """``sys.meta_path`` entry that hands targets to ``handler`` and leaves the rest alone.

    ``names`` maps module names to whether the handler must see the module before its body runs.
    The real spec always wins, wherever its finder stands on ``sys.meta_path``.
    """

    def __init__(self, names: "Mapping[str, bool]", handler: "Handler") -> None:
        self.names = {**names, CANARY: False}
        self.handler = handler
        self._busy = _local()
        self._steps = 16

    def find_spec(
        self,
        fullname: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        """Return a hooked or generated spec for names of the table, None for all others."""
        if fullname not in self.names:
            if sys.meta_path[0] is not self and self._steps:
                self.step_forward()
            return None
        return self._find(fullname, path, target)

    def step_forward(self) -> None:
        """Stand first again: a finder before us may serve a target without asking us.

        Given up after a while, so as not to quarrel with one that insists on the place. The
        second entry goes only when the first is there, so no thread ever misses us.
        """
        if not _MOVING.acquire(False):
            return
        try:
            if self._steps and self in sys.meta_path and sys.meta_path[0] is not self:
                self._steps -= 1
                sys.meta_path.insert(0, self)
                places = [place for place, one in enumerate(sys.meta_path) if one is self]
                del sys.meta_path[places[-1]]
        finally:
            _MOVING.release()

    def leave(self) -> None:
        """Leave ``sys.meta_path`` for good, unless somebody has removed us already."""
        self._steps = 0
        with _MOVING:
            if self in sys.meta_path:
                sys.meta_path.remove(self)

    def enter(self) -> None:
        """Stand first on ``sys.meta_path``."""
        self._steps = 16
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self.step_forward()

    def _find(
        self, fullname: str, path: "Sequence[str] | None", target: "ModuleType | None"
    ) -> "ModuleSpec | None":
        busy = self._busy.__dict__
        if fullname in busy:
            return None
        early = self.names.get(fullname, False)  # before anything slow: the table may be swapped
        if fullname == CANARY:
            return self.handler.generate(fullname)
        busy[fullname] = True
        try:
            spec = real_spec(self, fullname, path, target)
            with _Unlocked():
                if spec is None:
                    return self.handler.generate(fullname)
                try:
                    from shimhub.loader import hook_exec  # most processes import no target
                except ImportError as error:  # somebody has removed or replaced shimhub
                    self.handler.give_up(error)
                    return spec
                hook_exec(spec, self.handler, early or fullname in sys.modules)
        finally:
            del busy[fullname]
        return spec


class _Unlocked:
    """Let go of the global import lock, under which importlib calls finders.

    What decides about a target imports our own modules. Another thread that imports one of the
    same would hold that module's lock and wait for the global one, which we hold: a deadlock that
    importlib does not detect. The lock of the target itself stays with us.
    """

    def __enter__(self) -> None:
        self._depth = 0
        try:
            while _imp.lock_held():
                _imp.release_lock()
                self._depth += 1
        except RuntimeError:  # another thread holds it now
            return

    def __exit__(self, *error: object) -> None:
        for _ in range(self._depth):
            _imp.acquire_lock()


def real_spec(
    skip: object, fullname: str, path: "Sequence[str] | None", target: "ModuleType | None"
) -> "ModuleSpec | None":
    """Return what the other finders of ``sys.meta_path`` find, asked in order over a copy."""
    for finder in list(sys.meta_path):
        find_spec = getattr(finder, "find_spec", None)
        if finder is skip or find_spec is None:
            continue
        spec: ModuleSpec | None = find_spec(fullname, path, target)
        if spec is not None:
            return spec
    return None


# As ``loader.hidden``, which only a process with a target needs.
for _one in (real_spec, Finder.find_spec, Finder._find):
    _one.__code__ = _one.__code__.replace(co_filename="<frozen importlib._bootstrap_external>")
