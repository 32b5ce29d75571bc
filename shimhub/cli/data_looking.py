"""``data info``, ``head`` and ``stats``: what is there; nothing is changed."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from shimhub.cli import cells, data_options
from shimhub.cli.data_words import in_options
from shimhub.cli.options import add_command
from shimhub.cli.output import WIDTH, clean, count_of, print_filled, print_json
from shimhub.data.writing._json_values import plain


def add(commands: Any) -> None:
    """Add the three commands."""
    told = "what files are: format, size, rows, columns, and where they disagree"
    parser = add_command(commands, "info", _info, told)
    data_options.add_reading(parser)
    data_options.add_columns(parser)
    told = "read all of text formats to count their rows"
    parser.add_argument("--count", action="store_true", help=told)
    parser = add_command(commands, "head", _head, "the first rows")
    data_options.add_reading(parser)
    data_options.add_columns(parser)
    parser.add_argument("-n", type=int, default=10, metavar="N", help="how many rows")
    told = "of each column: nulls, least, greatest, distinct values, lengths; and duplicate rows"
    parser = add_command(commands, "stats", _stats, told)
    data_options.add_reading(parser)
    data_options.add_columns(parser)
    parser.set_defaults(command="stats")
    data_options.add_job(parser, "a folder for the result; without one it is only printed")


# ---- info


def _info(options: argparse.Namespace) -> int:
    from shimhub.data.inspecting import info

    arguments = data_options.reading(options)
    found = _reworded(info(options.inputs, count=options.count, **arguments), options.parser)
    if options.format == "json":
        print_json("data-info", **_info_told(found))
    else:
        _print_info(found)
    return 1 if found.problems else 0


def _reworded(found: Any, parser: argparse.ArgumentParser) -> Any:
    """Return the same with problems that name options as they are called here."""

    def told(problems: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(in_options(one, parser) for one in problems)

    files = tuple(replace(one, problems=told(one.problems)) for one in found.files)
    return replace(found, files=files, problems=told(found.problems))


def _info_told(found: Any) -> dict[str, Any]:
    names = ("path", "format", "told_by", "compression", "codec", "size", "rows", "groups")
    files = [
        {
            **{name: getattr(one, name) for name in names},
            "columns": _columns(one.schema),
            "problems": list(one.problems),
        }
        for one in found.files
    ]
    return {
        "files": files,
        "size": found.size,
        "rows": found.rows,
        "columns": _columns(found.schema),
        "features": found.features,
        "split": found.split,
    }


def _columns(schema: Any) -> list[dict[str, str]] | None:
    if schema is None:
        return None
    return [{"name": field.name, "type": str(field.type)} for field in schema]


def _print_info(found: Any) -> None:
    heads = ("file", "format", "size", "rows", "groups", "codec")
    rows = [_file_row(one) for one in found.files]
    cells.print_table(heads, rows, right="  rrr ")
    if len(rows) > 1:
        rows_told = "rows not counted" if found.rows is None else f"{found.rows:,} rows"
        print(f"\n{count_of(len(rows), 'file')}, {cells.bytes_text(found.size)}, {rows_told}")
    if found.schema is not None:
        print()
        columns = [(field.name, cells.shown(str(field.type))) for field in found.schema]
        cells.print_table(("column", "type"), columns)
    if found.problems:
        print()
    for problem in found.problems:
        print_filled("problem: ", cells.here(problem))


def _file_row(one: Any) -> tuple[str, ...]:
    kind = f"{one.format}.{one.compression}" if one.compression else one.format
    return (
        cells.here(one.path),
        kind,
        cells.bytes_text(one.size),
        "" if one.rows is None else f"{one.rows:,}",
        "" if one.groups is None else f"{one.groups:,}",
        one.codec or "",
    )


# ---- head


def _head(options: argparse.Namespace) -> int:
    from shimhub.data.inspecting import head

    rows = head(options.inputs, options.n, **data_options.reading(options))
    if options.format == "json":
        print_json("data-head", rows=plain(rows))
        return 0
    if not rows:
        print("no rows")
        return 0
    names = list(rows[0])
    shown = [[cells.shown(row[name]) for name in names] for row in rows]
    cells.print_table(names, shown, right="".join(_side(rows, name) for name in names))
    return 0


def _side(rows: list[dict[str, Any]], name: str) -> str:
    """Return "r" for a column of numbers."""
    values = [row[name] for row in rows if row[name] is not None]
    is_number = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in values)
    return "r" if values and is_number else " "


# ---- stats


def _stats(options: argparse.Namespace) -> int:
    from shimhub.data.summarizing import stats

    arguments = data_options.reading_of_job(options) | data_options.work(options)
    columns = data_options.names(options.columns)
    with data_options.progress(options) as progress:
        found = stats(options.inputs, options.out, columns=columns, progress=progress, **arguments)
    if options.format == "json" and data_options.is_first(options):
        print_json("data-stats", **plain(found.told()))
    elif data_options.is_first(options):
        _print_stats(found)
    return 1 if found.skipped else 0


def _print_stats(found: Any) -> None:
    about = "" if found.is_exact else "about "
    print(
        f"{found.rows:,} row{'' if found.rows == 1 else 's'} in {count_of(found.files, 'file')}, "
        f"{cells.bytes_text(found.bytes)} in memory"
    )
    if found.distinct_rows is not None:
        repeated = cells.share(found.rows - found.distinct_rows, found.rows)
        print(f"{about}{found.distinct_rows:,} distinct rows ({repeated} are repeated)")
    if found.skipped:
        print(f"{found.skipped:,} rows were skipped")
    for column in found.columns:
        print()
        print(cells.cut(clean(f"{column.name}: {column.type}"), WIDTH))
        for name, text in _column_lines(column):
            print(cells.cut(f"  {name:<9} {text}", WIDTH))


def _column_lines(column: Any) -> list[tuple[str, str]]:
    lines = [("nulls", f"{column.nulls:,} ({cells.share(column.nulls, column.rows)})")]
    if column.nans:
        lines.append(("NaN", f"{column.nans:,}"))
    if column.distinct is not None:
        lines.append(("distinct", ("" if column.is_exact else "about ") + f"{column.distinct:,}"))
    if column.least is not None:
        lines.append(("least", cells.quoted(column.least)))
        lines.append(("greatest", cells.quoted(column.greatest)))
    if column.mean is not None:
        lines.append(("mean", f"{column.mean:g}"))
    if column.lengths is not None and column.lengths["most"] is not None:
        lines += _length_lines(column)
    return lines


def _length_lines(column: Any) -> list[tuple[str, str]]:
    """Return the lengths on two lines: what most rows have, and the extremes."""
    told = {name: f"{value:,.0f}" for name, value in column.lengths.items()}
    ends = f"{told.pop('least')} to {told.pop('most')}, mean {told.pop('mean')}"
    return [(column.unit, ends), ("", "  ".join(f"{name} {value}" for name, value in told.items()))]
