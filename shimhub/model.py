"""The words of shimhub as data classes: what a registry holds and what a decision says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import Any

from shimhub.errors import UnknownShimError


class Status(str, Enum):
    """What became of a shim; equal to its own name as a string."""

    APPLIED = "APPLIED"
    PENDING = "PENDING"
    NOT_NEEDED = "NOT_NEEDED"
    GATED = "GATED"
    DISABLED = "DISABLED"
    CONFLICT = "CONFLICT"
    FAILED = "FAILED"
    RETIRED = "RETIRED"

    def __str__(self) -> str:
        return self.value


#: Statuses that keep a shim which ``needs`` this one from being applied.
REFUSING = frozenset({Status.GATED, Status.DISABLED, Status.CONFLICT, Status.FAILED})


@dataclass(frozen=True)
class Problem:
    """One finding about a registry: file, 1-based line (0: unknown), key, and what to do."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.message}"


@dataclass(frozen=True)
class Target:
    """A third-party distribution: its names on the index, in order, and its import name."""

    name: str
    dists: tuple[str, ...]
    module: str


@dataclass(frozen=True)
class Pack:
    """A named set of shims; an ``opt_in`` pack is off until the user enables it.

    ``compat`` is the file of its own checks, relative to the folder of the registry ``file``.
    """

    name: str
    summary: str
    opt_in: bool = False
    compat: str = ""
    file: str = ""


@dataclass(frozen=True)
class Shim:
    """One registry row; the fields are the keys of DESIGN.md's registry section."""

    id: str
    attach: str
    action: str
    why: str
    file: str = ""
    line: int = field(default=0, compare=False)
    origin: str = "packaged"
    overrides: str = ""
    packs: tuple[str, ...] = ()
    upstream: str = ""
    when: Mapping[str, Any] = field(default_factory=dict)
    probe: Mapping[str, Any] = field(default_factory=dict)
    check: bool | str = False
    retire: str = ""
    retired: str = ""
    source: str = ""
    to: str = ""
    message: str = ""
    names: Mapping[str, Mapping[str, str]] | None = None
    drop: Any = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    default: Mapping[str, Any] = field(default_factory=dict)
    lossy: str = ""
    needs: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    group: str = ""
    phase: str = "post"
    rebind: str = ""
    export: bool = False
    capability: bool = False
    fidelity: str = ""
    fingerprints: tuple[str, ...] = ()
    version_of: str = "release"
    mutates: bool = False
    draws: bool = False
    tolerance: float = 0.0
    parameters: tuple[Mapping[str, Any], ...] = ()
    proof: bool | str = False
    proved_with: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The module that the attach point is in."""
        return self.attach.partition(":")[0]

    @property
    def qualname(self) -> str:
        """Dotted path inside the module; empty when the row is about the module itself."""
        return self.attach.partition(":")[2]

    @property
    def is_module(self) -> bool:
        """Whether the row serves a whole module."""
        return not self.qualname

    @property
    def replaces(self) -> bool:
        """Whether the row swaps code that works, and so must be proved or asked for."""
        return self.action in ("replace", "wrap")

    @property
    def named_by_user(self) -> bool:
        """Whether the row comes from a registry that the user named."""
        return self.origin != "packaged"


@dataclass(frozen=True)
class Verdict:
    """What was decided about one shim, why, on what evidence, and how long it took."""

    id: str
    status: Status
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.status:<10} {self.id}: {self.reason}"


@dataclass(frozen=True)
class Verdicts:
    """Verdicts in plan order; iterable, sized, and indexed by shim id.

    ``active`` tells whether the hub's finder answers imports now (proved by a canary), and
    ``digest`` names the registries and selection that the verdicts are about.
    """

    items: tuple[Verdict, ...]
    active: bool = False
    digest: str = ""

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, shim_id: str) -> Verdict:
        """Return the verdict of ``shim_id``; raises UnknownShimError (a LookupError)."""
        for verdict in self.items:
            if verdict.id == shim_id:
                return verdict
        raise UnknownShimError(f"no verdict about {shim_id!r}")

    def __contains__(self, shim_id: object) -> bool:
        return any(verdict.id == shim_id for verdict in self.items)

    def __str__(self) -> str:
        return "\n".join(map(str, self.items))


@dataclass(frozen=True)
class Fact:
    """The version of a target: as its metadata prints it, and where that was read."""

    version: str
    origin: str


#: The target can be imported but has no metadata: its version is known once it is imported.
UNTOLD = Fact("", "not imported yet and without metadata")


@dataclass(frozen=True)
class Selection:
    """The user's word: patterns are ids, packs or globs over ids. ``None`` for ``only`` is all."""

    only: tuple[str, ...] | None = None
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Context:
    """What a shim's code is given: ``build(original, ctx)`` and ``probe(ctx)``.

    ``module`` is the target module as it stands in ``sys.modules``, ``owner`` the object whose
    slot ``name`` is patched. ``on_revert(f)`` registers ``f()`` to undo a side effect; it runs on
    revert and when the transaction is rolled back. ``parameters`` is what the row says for the
    versions that are here. ``load("shims/x/y.py")`` gives another file of the registry's folder
    as a module.
    """

    shim: str
    module: ModuleType
    owner: Any
    name: str
    version: Callable[[str], str | None]
    on_revert: Callable[[Callable[[], object]], None]
    parameters: Mapping[str, Any]
    load: Callable[[str], ModuleType]


@dataclass(frozen=True)
class Provenance:
    """Stamped on a replacement as ``__shimhub__``: where it comes from."""

    shim: str
    attach: str
    file: str
    placeholder: bool = False


@dataclass(frozen=True)
class ShimStats:
    """What became of the calls of a replacement in this process, over all threads.

    ``fallbacks`` counts by reason the calls that the original served, ``errors`` by type the
    unexpected exceptions. The rest is of SHIMHUB_VERIFY, without which served calls are not
    counted: ``calls``, how many of them were ``sampled``, and what was found. ``breaker`` tells
    why the replacement is out of use; empty while it is called.
    """

    shim: str
    fallbacks: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    sampled: int = 0
    verified: int = 0
    mismatches: Mapping[str, int] = field(default_factory=dict)
    unverifiable: Mapping[str, int] = field(default_factory=dict)
    breaker: str = ""

    def __str__(self) -> str:
        named = ("fallbacks", "errors", "mismatches", "unverifiable")
        parts = [_by_reason(name, getattr(self, name)) for name in named if getattr(self, name)]
        if self.calls:
            told = f"{self.calls} calls, {self.sampled} sampled, {self.verified} verified"
            parts.insert(0, told)
        return "; ".join(parts) or "no fallback"


def _by_reason(name: str, counts: Mapping[str, int]) -> str:
    return f"{name}: " + ", ".join(f"{count} x {reason}" for reason, count in counts.items())


def tuple_of(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return ``value`` as a tuple of patterns; items are split at commas."""
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else value
    return tuple(word.strip() for part in parts for word in part.split(",") if word.strip())
