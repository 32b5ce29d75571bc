"""axolotl's filters by length and their replacements: the same rows, mappings and fingerprints."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.axolotl import hf_samples, support
from tests.axolotl.hf_samples import Config, outcome

support.require(">=0.7")

UTILS, TRAINER = "axolotl.utils.data.utils", "axolotl.utils.trainer"
MANY = settings(max_examples=support.examples(), deadline=None)
LENGTHS = st.none() | st.integers(-1, 9)
STRATEGIES = ["drop", "raise", "truncate", None, "Drop"]


@pytest.fixture(scope="module", autouse=True)
def _no_bars():
    """Progress bars are not what is compared."""
    support.load("datasets").disable_progress_bars()


def handlers():
    """Return original and replacement as functions of dataset, length and configuration."""
    if support.is_version(">=0.12"):
        return support.pair(f"{UTILS}:handle_long_seq_in_dataset")
    return [
        lambda data, length, cfg, one=one: one(data, Config(cfg, sequence_len=length))
        for one in support.pair(f"{UTILS}:drop_long_seq_in_dataset")
    ]


@MANY
@given(hf_samples.datasets(), LENGTHS, LENGTHS, st.sampled_from(STRATEGIES))
def test_filters_are_the_originals(data, most, least, strategy):
    """Whatever the lengths, the bounds and what becomes of long rows; errors by their type."""
    original, replacement = handlers()
    cfg = Config(min_sample_len=least, excess_length_strategy=strategy)
    assert outcome(original, data, most, cfg) == outcome(replacement, data, most, cfg)


@MANY
@given(hf_samples.datasets(), LENGTHS, st.booleans(), st.booleans())
def test_streamed_rows_are_the_originals(data, most, skip, drop_mask):
    """The preparation of streamed rows filters each of them alone, then numbers positions."""
    original, replacement = support.pair(f"{TRAINER}:process_pretraining_datasets_for_packing")
    args = (data, most, skip, drop_mask)
    assert outcome(original, *args) == outcome(replacement, *args)


ROWS = {"input_ids": [[1], [1, 2, 3], [4, 5], [1, 2, 3, 4]], "x": ["a", "b", "c", "d"]}


@pytest.mark.parametrize("is_preprocess", [False, True])
@pytest.mark.parametrize("selected", [False, True])
def test_cache_files_are_the_originals(tmp_path, is_preprocess, selected):
    """Places are written to the same file, and read from it where the original does."""
    cfg, found = Config(is_preprocess=is_preprocess), []
    for function in handlers():
        data = hf_samples.saved(hf_samples.made(pa.table(ROWS)), tmp_path / "data")
        data._fingerprint = "first"
        data = data.select([3, 1, 0, 1]) if selected else data
        first = hf_samples.told(function(data, 3, cfg))
        files = sorted(one.name for one in (tmp_path / "data").iterdir())
        found.append((first, hf_samples.told(function(data, 3, cfg)), files))
    assert found[0] == found[1]


def test_caches_serve_both(tmp_path):
    """What one wrote the other reads: no file is written again."""
    original, replacement = handlers()
    for first, second in ((original, replacement), (replacement, original)):
        data = hf_samples.saved(hf_samples.made(pa.table(ROWS)), tmp_path / "data")
        expected = hf_samples.told(first(data, 3, Config()))
        times = {one: one.stat().st_mtime_ns for one in (tmp_path / "data").iterdir()}
        assert expected == hf_samples.told(second(data, 3, Config()))
        assert times == {one: one.stat().st_mtime_ns for one in (tmp_path / "data").iterdir()}


@pytest.mark.parametrize("selected", [False, True])
def test_with_processes_rows_are_the_originals(selected):
    """With dataset_processes of two the replacement starts none; the result is the same."""
    data = hf_samples.made(pa.table(ROWS))
    data = data.select([3, 1, 0, 1]) if selected else data
    cfg = Config(dataset_processes=2, dataset_num_proc=2)
    original, replacement = handlers()
    assert outcome(original, data, 3, cfg) == outcome(replacement, data, 3, cfg)


@pytest.mark.parametrize("strategy", ["drop", "raise"])
@pytest.mark.parametrize("processes", [None, 2])
def test_what_is_logged_is_the_originals(caplog, strategy, processes):
    """Lengths, and how many rows were dropped; once where a long row is an error, too."""
    cfg = Config(excess_length_strategy=strategy, dataset_processes=processes)
    cfg["dataset_num_proc"] = processes
    found = []
    logging.getLogger("axolotl").propagate = True
    for function in handlers():
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "axolotl"):
            came = outcome(function, hf_samples.made(pa.table(ROWS)), 3, cfg)
        found.append((came, [one.getMessage() for one in caplog.records]))
    assert found[0] == found[1]
    assert found[0][1]


def test_a_filter_of_someone_else_is_called(monkeypatch):
    """A function put in the place of axolotl's is the one that counts."""
    original, replacement = handlers()
    module = support.load(UTILS)
    name = "drop_long_seq" if hasattr(module, "drop_long_seq") else "filter_sequences_by_length"
    monkeypatch.setattr(module, name, lambda sample, **_: [True] * len(sample["input_ids"]))
    found = replacement(hf_samples.made(pa.table(ROWS)), 3, Config())
    assert len(found) == len(ROWS["x"])
    assert hf_samples.told(found)[0] == original(hf_samples.made(pa.table(ROWS)), 3, Config())[:]


@pytest.mark.parametrize("kind", ["numpy", "torch", None])
def test_formats_and_iterables_are_the_originals(kind):
    """What is no plain dataset is served by the original."""
    original, replacement = handlers()
    data = hf_samples.made(pa.table(ROWS))
    data = data.with_format(kind) if kind else data.to_iterable_dataset()
    results = []
    for function in (original, replacement):
        try:
            results.append(str(list(function(data, 3, Config()))))
        except ValueError as error:
            results.append(str(error))
    assert results[0] == results[1]
