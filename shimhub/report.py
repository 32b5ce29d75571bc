"""Read what the processes of a run left behind, and say which were active and which were not."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shimhub import paths
from shimhub.errors import ReportError

#: Lines of a record that tell of a call; ``fallback`` alone is no finding.
_CALLS = {
    "error": "failed at call time and fell back",
    "breaker": "is switched off after failing",
    "mismatch": "differs from the original",
    "passive": "applied nothing",
    "divided": "is off, as ranks differ,",
}
#: Lines of a record that tell what a shim did, and are neither calls nor findings.
_TOLD = ("speed",)
ROLES = ("rank", "worker", "process")
_SHOWN = 4


@dataclass
class Process:
    """One recorded process: what it was, and what became of shims in it."""

    pid: int
    ppid: int
    role: str
    what: str
    version: str
    digest: str
    rank: str | None = None
    world_size: str | None = None
    launch: str = ""
    shims: dict[str, list[str]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def fallbacks(self) -> dict[str, dict[str, int]]:
        """Shim -> reason -> calls: the totals of its end, else what was told until then."""
        found: dict[str, dict[str, int]] = {}
        for event in self.events:
            if event["kind"] == "fallback":
                found.setdefault(event["shim"], {})[event["reason"]] = 1
        totals = [one for one in self.events if one["kind"] == "totals"]
        return found | {one["shim"]: one["fallbacks"] for one in totals}


@dataclass(frozen=True)
class Seen:
    """A Python process that the parent saw and that left no record."""

    pid: int
    role: str
    what: str
    why: str


@dataclass(frozen=True)
class Report:
    """A run: its processes, those without the hub, and what is wrong."""

    folder: str
    processes: list[Process]
    missing: list[Seen]
    findings: list[str]

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Role -> (active, all that are known of)."""
        active = Counter(one.role for one in self.processes)
        missed = Counter(one.role for one in self.missing)
        missed["rank"] += len(list(_missing_ranks(self.processes)))
        return {role: (active[role], active[role] + missed[role]) for role in ROLES}

    @property
    def shims(self) -> dict[str, Counter[str]]:
        """Shim -> status -> number of processes."""
        found: dict[str, Counter[str]] = {}
        for process in self.processes:
            for name, (status, _) in process.shims.items():
                found.setdefault(name, Counter())[status] += 1
        return found

    @property
    def told(self) -> Counter[tuple[str, str]]:
        """(shim, what it told) -> number of processes."""
        events = [event for process in self.processes for event in process.events]
        return Counter((one["shim"], one["reason"]) for one in events if one["kind"] in _TOLD)

    @property
    def fallbacks(self) -> dict[str, Counter[str]]:
        """Shim -> reason -> calls that went to the original.

        A process that was killed told of the first call by each reason alone.
        """
        found: dict[str, Counter[str]] = {}
        for process in self.processes:
            for shim, reasons in process.fallbacks.items():
                found.setdefault(shim, Counter()).update(reasons)
        return found


def read(folder: str) -> Report:
    """Read a run's folder; raises ReportError where there is none."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise ReportError(f"{folder}: {error.strerror}; `shimhub run` records into one") from error
    processes: dict[int, Process] = {}
    broken: list[str] = []
    for name in [one for one in names if one.endswith(".jsonl") and one != "seen.jsonl"]:
        lines = _lines(os.path.join(folder, name), broken)
        if process := _process(lines):
            _keep(processes, process)
    found = [*processes.values()]
    _settle_roles(found)
    seen = [Seen(**line) for line in _lines(os.path.join(folder, "seen.jsonl"), broken)]
    return Report(folder, found, seen, [*_findings(found, seen), *broken])


def images(folder: str) -> set[tuple[int, int]]:
    """Return ``(pid, image)`` of each program that left a record; raises OSError without folder."""
    found: set[tuple[int, int]] = set()
    for name in os.listdir(folder):
        lines = _lines(os.path.join(folder, name), []) if name.endswith(".jsonl") else []
        if lines and lines[0].get("kind") == "start":
            found.add((lines[0]["pid"], lines[0].get("image", 0)))
    return found


def latest() -> str:
    """Return the folder of the last run of this user; raises ReportError where there is none."""
    runs = paths.runs_dir()
    there = os.scandir(runs) if os.path.isdir(runs) else ()
    names = sorted(one.name for one in there if one.is_dir())
    if not names:
        raise ReportError(f"no run is recorded in {runs}; start one with `shimhub run`")
    return os.path.join(runs, names[-1])


def _lines(file: str, broken: list[str]) -> list[dict[str, Any]]:
    """Return the lines of a record; one that a killed process left half is a finding."""
    found: list[Any] = []
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    broken.append(f"{file}:{number}: is no record line; the rest is counted")
    except FileNotFoundError:
        return []
    return [one for one in found if isinstance(one, dict)]


def _process(lines: list[dict[str, Any]]) -> Process | None:
    if not lines or lines[0].get("kind") != "start":
        return None
    names = Process.__dataclass_fields__
    process = Process(**{key: told for key, told in lines[0].items() if key in names})
    for line in lines[1:]:
        if line.get("kind") == "shims":
            process.digest = line["digest"]
            process.shims |= line["shims"]
        else:
            process.events.append(line)
    return process


def _keep(processes: dict[int, Process], new: Process) -> None:
    """Keep one record of a pid: a fork that became another program is that program."""
    old = processes.get(new.pid)
    if old is None or new.role != "worker" or old.role == "worker":
        processes[new.pid] = new


def _settle_roles(processes: Iterable[Process]) -> None:
    """A rank's own children inherit its variables, and are not ranks."""
    by_pid = {one.pid: one for one in processes}
    ranks = {one.pid for one in by_pid.values() if one.role == "rank"}
    for one in by_pid.values():
        if one.role == "rank" and one.ppid in ranks:
            one.role = "process"


def _findings(processes: list[Process], missing: list[Seen]) -> Iterator[str]:
    for one in missing:
        yield f"{one.role} {one.pid} ({one.what}) ran without shims: {one.why}"
    for rank, size in _missing_ranks(processes):
        yield (
            f"rank {rank} of {size} left no record: it ran without shims, or on another machine "
            "whose SHIMHUB_RUN_DIR is not this folder"
        )
    yield from _divergence(processes)
    for process in processes:
        yield from _findings_in(process)


def _findings_in(process: Process) -> Iterator[str]:
    """Yield what was wrong in one process."""
    where = f"{process.role} {process.pid} ({process.what})"
    for name, (status, reason) in process.shims.items():
        if status != "APPLIED":
            yield f"{name} is {status} in {where}: {reason}"
    if any(event["kind"] == "gone" for event in process.events):
        yield (
            f"{where} ended without our finder: something took it off sys.meta_path, and what "
            "was imported from then on had no shims"
        )
    for event in process.events:
        if event["kind"] in _CALLS:
            told = _CALLS[event["kind"]]
            yield f"{event['shim']} {told} in {where}: {event['reason']}"


def _missing_ranks(processes: Iterable[Process]) -> Iterator[tuple[int, int]]:
    """Yield ``(rank, world size)`` that a launch must have had and that no process tells of."""
    launches: dict[tuple[str, int], set[int]] = {}
    for one in processes:
        if one.role == "rank" and (one.world_size or "").isdecimal():
            key = (one.launch, int(one.world_size or 0))
            launches.setdefault(key, set()).add(int(one.rank or 0))
    for (_, size), ranks in launches.items():
        yield from ((rank, size) for rank in range(size) if rank not in ranks)


def _divergence(processes: Iterable[Process]) -> Iterator[str]:
    """Yield a finding where processes of one run had different registries."""
    groups: dict[str, list[Process]] = {}
    for one in processes:
        groups.setdefault(f"{one.digest} (shimhub {one.version})", []).append(one)
    if len(groups) > 1:
        told = "; ".join(f"{name}: {_some(members)}" for name, members in groups.items())
        yield f"registries differ between processes: {told}"


def _some(members: list[Process]) -> str:
    names = [f"{one.role} {one.rank or one.pid}" for one in members[:_SHOWN]]
    return ", ".join(names) + (
        f" and {len(members) - _SHOWN} more" if len(members) > _SHOWN else ""
    )


def as_data(report: Report) -> Mapping[str, Any]:
    """Return the report as plain data for JSON."""
    return {
        "folder": report.folder,
        "active": {role: {"active": a, "known": n} for role, (a, n) in report.counts.items()},
        "processes": [vars(one) for one in report.processes],
        "missing": [vars(one) for one in report.missing],
        "shims": report.shims,
        "fallbacks": report.fallbacks,
        "findings": report.findings,
    }


def text_of(report: Report) -> str:
    """Return the report as lines for people."""
    words = {"rank": "ranks", "worker": "workers", "process": "other processes"}
    counts = [f"{a}/{n} {words[role]}" for role, (a, n) in report.counts.items() if n]
    lines = [f"active in {', '.join(counts) or 'no process'}"]
    for name, statuses in report.shims.items():
        told = ", ".join(f"{status} in {count}" for status, count in statuses.items())
        lines.append(f"  {name}: {told}")
    for name, reasons in report.fallbacks.items():
        told = ", ".join(f"{count} x {reason}" for reason, count in reasons.items())
        lines.append(f"  {name}: fell back to the original {told}")
    for (name, reason), count in report.told.items():
        lines.append(f"  {name}: {reason}" + (f" (in {count} processes)" if count > 1 else ""))
    lines += [f"finding: {one}" for one in report.findings]
    return "\n".join(lines)
