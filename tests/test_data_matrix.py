"""Files that readers get wrong: shimhub's rows are the oracle's, and its errors name the place."""

from __future__ import annotations

import pytest

pytest.importorskip("pyarrow", reason="data needs pyarrow")

from tests.bench.data_cases import CASES
from tests.bench.data_matrix import MARKS, outcome, verdict, write


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rows_are_those_of_the_oracle(case, tmp_path):
    """In value, type and order, by batches of three; or an error with file and line."""
    if case.by == "datasets" and not case.file.endswith(".txt"):
        pytest.importorskip("datasets", reason="the oracle is datasets")
    case.make(tmp_path / case.file)
    wanted = outcome("oracle", case, tmp_path)
    found = outcome("shimhub", case, tmp_path)
    assert verdict(case, found, wanted) == ("error" if case.oracle is None else "same"), found


def test_names_of_cases_are_told_apart():
    """A row of the table is one case."""
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_write_replaces_what_stands_between_the_marks(tmp_path):
    """Before and after them the page stays as it is."""
    page = tmp_path / "page.md"
    page.write_text(f"# Ä\n{MARKS[0]}\nold\n{MARKS[1]}\nend\n", encoding="utf-8")
    write(page, "new")
    assert f"# Ä\n{MARKS[0]}\nnew\n{MARKS[1]}\nend\n" == page.read_text(encoding="utf-8")
