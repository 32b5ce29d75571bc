"""Datasets of tokens for the tests of axolotl's filters and maps, and what can be seen of them."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pyarrow as pa
from hypothesis import strategies as st

from tests.axolotl import support


class Config(dict):
    """axolotl's configuration as its functions see it: what is not there is None."""

    __getattr__ = dict.get


INTEGERS = st.sampled_from([pa.int32(), pa.int64(), pa.int8(), pa.uint16()])


@st.composite
def tables(draw, least: int = 0):
    """Draw a table of tokens with labels, a mask and perhaps more; nulls are rare."""
    counts = draw(st.lists(st.integers(least, 9), min_size=1, max_size=12))
    ids = [[(at * 7 + one) % 100 for one in range(count)] for at, count in enumerate(counts)]
    shown = draw(st.lists(st.integers(0, 9), min_size=len(ids), max_size=len(ids)))
    labels = [[-100] * min(few, len(row)) + row[few:] for few, row in zip(shown, ids, strict=True)]
    if draw(st.integers(0, 9)) == 0:
        ids[-1] = draw(st.sampled_from([None, [None], [1, None]]))
    make = draw(st.sampled_from([pa.list_, pa.list_, pa.large_list]))
    columns = {
        "input_ids": pa.array(ids, make(draw(INTEGERS))),
        "labels": pa.array(labels, make(pa.int64())),
        "attention_mask": [[1] * count for count in counts],
    }
    for name in draw(st.sets(st.sampled_from(["token_type_ids", "text", "length", "extra"]))):
        columns[name] = [[0] * count if name.endswith("ids") else count for count in counts]
    names = draw(st.permutations(list(columns)))
    return pa.table({name: columns[name] for name in names})


@st.composite
def datasets(draw, least: int = 0):
    """Draw a dataset in memory, in one chunk or two, some with a mapping."""
    table = draw(tables(least))
    count = table.num_rows
    if draw(st.booleans()):
        cut = draw(st.integers(0, count))
        table = pa.concat_tables([table.slice(cut), table.slice(0, cut)])
    found = made(table)
    rows = draw(st.none() | st.lists(st.integers(0, count - 1), max_size=9))
    if rows is None and draw(st.booleans()):
        rows = range(draw(st.integers(0, count - 1)), count)
    return found if rows is None else found.select(rows)


def made(table):
    """Return a dataset of a table, of a known fingerprint."""
    library = support.load("datasets")
    return library.Dataset(library.table.InMemoryTable(table), fingerprint="first")


def told(dataset):
    """Return what can be seen of a dataset, or of each in a tuple."""
    if dataset is None or isinstance(dataset, tuple):
        return dataset and [told(one) for one in dataset]
    rows = dataset._indices
    places = None if rows is None else rows.column(0).to_pylist()
    facts = (dataset._fingerprint, places, dataset.features, dataset.format, dataset.split)
    files = [os.path.basename(one["filename"]) for one in dataset.cache_files]
    table = dataset.data
    return (dataset[:], type(dataset), dataset.info, files, *facts, table.schema, len(table))


def outcome(function, *args):
    """Return what a call comes to: what can be seen, or the type of what it raised."""
    random.seed(1)  # of which PoSE makes its positions
    try:
        return told(function(*args))
    except Exception as error:  # noqa: BLE001  # whatever the original raises is the oracle
        return type(error)


def saved(dataset, folder: Path):
    """Return the dataset from files in a new folder, where its caches go."""
    shutil.rmtree(folder, ignore_errors=True)
    dataset.save_to_disk(str(folder))
    return support.load("datasets").load_from_disk(str(folder))
