"""COMPATIBILITY.md: what ``compat`` saw, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from shimhub.compat import Report, checking, total

_STATUS = {checking.PASS: "Tested", checking.FAIL: "Failed", checking.UNTESTED: "Not tested"}


def page_of(report: Report) -> str:
    """Return the page; it names no folder of this machine but in messages of failed checks."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    packs = " ".join(report.packs)
    yield from ("# Compatibility", "", f"Written by `python -m shimhub compat {packs}`.", "")
    yield from ("## Environment", "", "| What | Value |", "|------|-------|")
    yield from (f"| {_cell(name)} | {_cell(told)} |" for name, told in report.environment.items())
    yield from ("", "## Compatibility Status", "", f"{total(report)}.", "")
    yield from ("| Feature | Status | Notes |", "|---------|--------|-------|")
    for one in report.outcomes:
        yield f"| {_cell(one.feature)} | {_STATUS[one.status]} | {_cell(one.told)} |"
    if report.others:
        yield from ("", "## For other versions", "")
        yield from (f"- {_cell(one)}" for one in report.others)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
