"""``shimhub accel``: measure who computes what faster, show it, forget it."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shimhub.cli.options import Work, add_command
from shimhub.cli.output import clean, count_of, print_filled, print_json
from shimhub.errors import ShimhubError

if TYPE_CHECKING:
    from shimhub.accel.table import Entry

_USAGE, _UNMET, _STOPPED = 2, 5, 130
_HEAD = ("operation", "input", "torch computes", "ours us", "torch us", "measured")
_LAYOUT = "{:<14}{:<16}{:<21}{:>7}{:>9}  {}"
_LEGEND = (
    "In mode AUTO. Sizes are elements of the largest input, multiplications of a product; (N^2), "
    "(N^3): of N x N; rows of: tensors with rows of fewer than 16. us: what a call takes before "
    "any work. Ours are kernels and numpy."
)


def add(commands: Any) -> None:
    """Add ``accel`` and its three commands."""
    told = "from which size on torch computes what, measured on this machine"
    parser = commands.add_parser("accel", help=told, description=told)
    below = parser.add_subparsers(required=True, metavar="COMMAND")
    measuring = _add_command(below, "calibrate", _calibrate, "measure it, and keep it")
    told = "an operation or a group of them; may repeat; default: all"
    measuring.add_argument("--op", action="append", metavar="OP", help=told)
    told = "seconds for all of it; default: 60"
    measuring.add_argument("--budget", type=float, default=60.0, metavar="S", help=told)
    _add_plot(measuring)
    _add_plot(_add_command(below, "show", _show, "what is in use, and who measured it"))
    _add_command(below, "forget", _forget, "remove what was measured; shipped figures serve again")


def _add_plot(parser: argparse.ArgumentParser) -> None:
    told = "draw the times, too: .png, .svg or .pdf"
    parser.add_argument("--plot", metavar="FILE", help=told)


def _add_command(below: Any, name: str, work: Work, told: str) -> argparse.ArgumentParser:
    """Add a command whose mistakes in use are told, not raised."""

    def saying(options: argparse.Namespace) -> int:
        try:
            return work(options)
        except KeyboardInterrupt:
            print("shimhub: stopped; what was kept before is in use", file=sys.stderr)
            return _STOPPED
        except (ShimhubError, ModuleNotFoundError) as error:
            print(f"shimhub: {error}", file=sys.stderr)
            return _UNMET if isinstance(error, ImportError) else _USAGE

    return add_command(below, name, saying, told)


def _calibrate(options: argparse.Namespace) -> int:
    from shimhub.accel import calibration

    _check_plot(options.plot)
    is_json = options.format == "json"
    told = None if is_json else _Printer()
    made = calibration.calibrate(options.op, budget_s=options.budget, told=told)
    _draw(options.plot, made.measured)
    if is_json:
        rows = [_row(one, "calibrated") for one in made.measured]
        print_json(
            "accel-calibrate",
            file=None if made.not_kept else made.file,
            not_kept=made.not_kept,
            seconds=made.seconds,
            entries=rows,
        )
    else:
        print_filled("", _LEGEND)
        kept = f"not kept: {made.not_kept}" if made.not_kept else f"kept in {made.file}"
        print_filled("", f"{made.seconds:.0f} s; {kept}")
    return 0


class _Printer:
    """Prints entries as they are measured, the first below the table's head."""

    _is_first = True

    def __call__(self, entry: Entry) -> None:
        if self._is_first:
            print(_LAYOUT.format(*_HEAD))
        self._is_first = False
        print(*_lines(entry, "calibrated"), sep="\n", flush=True)


def _show(options: argparse.Namespace) -> int:
    from shimhub.accel import crossovers, table

    _check_plot(options.plot)
    found = [(one.entry, one.source) for one in crossovers.in_use().values()]
    why, others = crossovers.why_not_calibrated(), _others()
    _draw(options.plot, [entry for entry, _ in found])
    if options.format == "json":
        rows = [_row(*one) for one in found]
        file = None if why else table.path_of(_machine())
        told = [{"file": path, "differs": differs} for path, differs in others.items()]
        print_json("accel-show", file=file, why_not=why, others=told, entries=rows)
        return 0
    print(_LAYOUT.format(*_HEAD))
    for one in found:
        print(*_lines(*one), sep="\n")
    print_filled("", _LEGEND)
    if why:
        print_filled("", f"{why}; `shimhub accel calibrate` measures this machine")
    for path, differs in others.items():
        print_filled("", clean(f"not used: {path}: {'; '.join(differs)}"))
    return 0


def _forget(options: argparse.Namespace) -> int:
    from shimhub.accel import calibration

    files = calibration.forget()
    if options.format == "json":
        print_json("accel-forget", files=files)
        return 0
    for file in files:
        print(f"removed {clean(file)}")
    print(f"{count_of(len(files), 'calibration')} removed; the shipped figures serve")
    return 0


def _machine() -> dict[str, Any]:
    from shimhub.accel import _machine

    return _machine.validators()


def _others() -> dict[str, list[str]]:
    """Return what differs of calibrations that are not used here, by their files."""
    from shimhub.accel import _machine, table

    ours = _machine.validators()
    differs = {
        path: _machine.differing(dict(one.machine), ours) for path, one in table.others().items()
    }
    return {path: told for path, told in differs.items() if told}


def _check_plot(path: str | None) -> None:
    if path is not None:
        from shimhub.accel import _plots

        _plots.check(path)


def _draw(path: str | None, entries: Sequence[Entry]) -> None:
    if path is not None:
        from shimhub.accel import _plots

        _plots.draw(entries, path)


def _lines(entry: Entry, source: str) -> list[str]:
    """Return an entry's line, and that of tensors in short rows, where they have their own."""
    lines = [_line(entry, source, f"{entry.kind} {entry.dtype}")]
    if entry.rows:
        low, high = entry.short
        short = dataclasses.replace(entry, threshold=low, until=high, points=entry.rows, rows=())
        lines.append(_line(short, source, f"rows of {entry.dtype}"))
    return lines


def _line(entry: Entry, source: str, form: str) -> str:
    """Return a line: the fixed cost of a call in both ways stands for its lines."""
    costs = [entry.line(backend) for backend in ("pure", "torch")]
    ours, theirs = ("" if one is None else f"{one.overhead:.1f}" for one in costs)
    return _LAYOUT.format(entry.op, form, _when(entry), ours, theirs, source)


def _when(entry: Entry) -> str:
    """Return in words which calls torch computes; the work, and the N x N that make it."""
    low, high = entry.threshold, entry.until
    if math.isinf(low):
        return "never"
    if math.isinf(high):
        above = ">=" if entry.kind == "tensor" else ">"
        return f"{above} {_size(entry, low)}" if low else "always"
    return f"{low:,.0f}..{high - 1:,.0f}" if low else f"< {_size(entry, high)}"


def _size(entry: Entry, work: float) -> str:
    power = 3 if entry.op in {"matmul", "linear"} else 2
    return f"{work:,.0f} ({work ** (1 / power):.0f}^{power})"


def _row(entry: Entry, source: str) -> dict[str, Any]:
    return {
        "op": entry.op,
        "input": entry.kind,
        "dtype": entry.dtype,
        "threshold": None if math.isinf(entry.threshold) else entry.threshold,
        "until": None if math.isinf(entry.until) else entry.until,
        "source": source,
        "lines": {backend: _cost(entry, backend) for backend in ("pure", "torch")},
        "points": [list(one) for one in entry.points],
        "rows": [list(one) for one in entry.rows],
        "short": [None if math.isinf(size) else size for size in entry.short],
    }


def _cost(entry: Entry, backend: str) -> dict[str, float] | None:
    line = entry.line(backend)
    return None if line is None else {"overhead_us": line.overhead, "us_per_unit": line.slope}
