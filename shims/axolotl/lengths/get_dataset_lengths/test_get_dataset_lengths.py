"""Lengths of a dataset's rows, without axolotl."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from shimhub import Decline

datasets = pytest.importorskip("datasets")
np = pytest.importorskip("numpy")
make = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]
of_rows = make(None, SimpleNamespace(parameters={"selected_rows": True}))
of_table = make(None, SimpleNamespace(parameters={"selected_rows": False}))
ROWS = [[1, 2, 3], [4], [5, 6]]
COLUMNS = [{"length": [3, 1, 2]}, {"position_ids": [[0, 1, 2], [0], [0, 1]]}, {"input_ids": ROWS}]


@pytest.mark.parametrize("columns", COLUMNS, ids=lambda one: next(iter(one)))
def test_selected_rows_are_counted_from_08_on(columns):
    """int64, writable, and a new array; the rows that a selection has, in its order."""
    dataset = datasets.Dataset.from_dict(columns)
    for shown, expected in ((dataset, [3, 1, 2]), (dataset.select([2, 0, 2]), [2, 3, 2])):
        lengths = of_rows(shown)
        assert (expected, np.int64) == (lengths.tolist(), lengths.dtype)
        assert lengths.flags.writeable
        lengths[:] = 0
        assert expected == of_rows(shown).tolist()


def test_from_arrow_and_before_08_the_table_is_counted():
    """Bug for bug: a selection is not looked at."""
    dataset = datasets.Dataset.from_dict({"input_ids": ROWS}).select([2, 0])
    assert [3, 1, 2] == of_rows(dataset, from_arrow=True).tolist() == of_table(dataset).tolist()


@pytest.mark.parametrize(
    "columns",
    [
        {"input_ids": []},
        {"input_ids": [[1], None]},
        {"input_ids": ["one", "two"]},
        {"length": [1, None]},
        {"length": [1.0]},
        {"position_ids": [[0], []]},
        {"position_ids": [[2**63 - 1]]},
        {"other": [1]},
    ],
)
def test_what_is_not_in_the_offsets_is_the_originals(columns):
    """No rows, nulls, other types and columns are declined."""
    with pytest.raises(Decline):
        of_rows(datasets.Dataset.from_dict(columns))


def test_what_is_no_plain_dataset_is_the_originals():
    """A format, and a class with rows of its own, are declined."""
    dataset = datasets.Dataset.from_dict({"length": [1]})
    for given in (dataset.with_format("numpy"), {"length": [1]}, dataset.to_iterable_dataset()):
        with pytest.raises(Decline):
            of_rows(given)
