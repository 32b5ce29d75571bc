"""axolotl's preparation for packing and its replacement: the same rows, columns, fingerprints."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.axolotl import hf_samples, support
from tests.axolotl.hf_samples import Config, outcome

support.require()

PACKING = "axolotl.utils.trainer:process_datasets_for_packing"
MANY = settings(max_examples=support.examples(), deadline=None)
CONFIGS = st.fixed_dictionaries(
    {
        "sequence_len": st.integers(1, 9),
        "sample_packing": st.sampled_from([True, True, None, False]),
        "eval_sample_packing": st.sampled_from([True, None, False]),
        "group_by_length": st.sampled_from([None, True]),
        "model_config_type": st.sampled_from(["llama", "mamba", "gemma3", "falcon", "mistral"]),
        "is_preprocess": st.sampled_from([None, True]),
        "min_sample_len": st.sampled_from([None, 3]),
        "sequence_parallel_degree": st.just(1),
        "use_pose": st.sampled_from([None, None, None, True]),
        "pose_max_context_len": st.just(9),
    }
)


@pytest.fixture(scope="module", autouse=True)
def _no_bars():
    """Progress bars are not what is compared."""
    support.load("datasets").disable_progress_bars()


@MANY
@given(st.integers(0, 1).flatmap(hf_samples.datasets), st.none() | hf_samples.datasets(), CONFIGS)
def test_packed_datasets_are_the_originals(train, held_out, cfg):
    """Whatever the labels, lengths, columns and configuration; errors by their type."""
    original, replacement = support.pair(PACKING)
    args = (Config(cfg), train, held_out)
    assert outcome(original, *args) == outcome(replacement, *args)


@MANY
@given(hf_samples.datasets(1), st.sampled_from([{}, {"group_by_length": True}]))
def test_position_ids_are_the_originals(train, cfg):
    """Datasets without empty rows, which is what tokenizers give."""
    original, replacement = support.pair(PACKING)
    cfg = Config(sample_packing=True, eval_sample_packing=True, sequence_len=9, **cfg)
    cfg["sequence_parallel_degree"] = 1
    assert outcome(original, cfg, train, train) == outcome(replacement, cfg, train, train)


IDS = [[1], [1, 2, 3], [4, 5], [1, 2, 3, 4], [7, 8, 9]]
ROWS = {"input_ids": IDS, "labels": [[-100], *IDS[1:]], "attention_mask": IDS, "x": list("abcde")}
CONFIG = Config(
    sample_packing=True, eval_sample_packing=True, sequence_len=4, sequence_parallel_degree=1
)


@pytest.mark.parametrize("is_preprocess", [False, True])
@pytest.mark.parametrize("selected", [None, [3, 1, 4, 1], [1, 2, 3]])
def test_cache_files_are_the_originals(tmp_path, is_preprocess, selected):
    """Files of the same names, and the same datasets when they are read again."""
    cfg, found = Config(CONFIG, is_preprocess=is_preprocess), []
    for function in support.pair(PACKING):
        data = hf_samples.saved(hf_samples.made(pa.table(ROWS)), tmp_path / "data")
        data._fingerprint = "first"
        data = data.select(selected) if selected else data
        first = hf_samples.told(function(cfg, data, None))
        files = sorted(one.name for one in (tmp_path / "data").iterdir())
        found.append((first, hf_samples.told(function(cfg, data, None)), files))
    assert found[0] == found[1]


def test_caches_serve_both(tmp_path):
    """What one wrote the other reads: no file is written again."""
    original, replacement = support.pair(PACKING)
    for first, second in ((original, replacement), (replacement, original)):
        data = hf_samples.saved(hf_samples.made(pa.table(ROWS)), tmp_path / "data")
        expected = hf_samples.told(first(CONFIG, data, None))
        times = {one: one.stat().st_mtime_ns for one in (tmp_path / "data").iterdir()}
        assert expected == hf_samples.told(second(CONFIG, data, None))
        assert times == {one: one.stat().st_mtime_ns for one in (tmp_path / "data").iterdir()}


@pytest.mark.parametrize("selected", [None, [3, 1, 4, 1]])
def test_with_processes_rows_are_the_originals(selected):
    """With dataset_processes of two the replacement starts none; the result is the same."""
    data = hf_samples.made(pa.table(ROWS))
    data = data.select(selected) if selected else data
    cfg = Config(CONFIG, dataset_processes=2, dataset_num_proc=2)
    original, replacement = support.pair(PACKING)
    assert outcome(original, cfg, data, None) == outcome(replacement, cfg, data, None)


def test_more_rows_than_a_batch():
    """Types are told by the first thousand rows; many batches are one dataset."""
    ids = [[at % 50] * (at % 5 + (at > 1500)) for at in range(2500)]
    for rows in (ids, [[]] * 1000 + ids, ids[1:2] * 1200):
        data = hf_samples.made(pa.table({"input_ids": rows, "labels": rows}))
        cfg = Config(CONFIG, sequence_len=50)
        original, replacement = support.pair(PACKING)
        assert outcome(original, cfg, data, None) == outcome(replacement, cfg, data, None)
        data = data.select(sorted(range(len(rows)), key=lambda at, rows=rows: len(rows[at])))
        assert outcome(original, cfg, data, None) == outcome(replacement, cfg, data, None)


@pytest.mark.parametrize("labels", [ROWS["labels"], [[-100] * len(one) for one in IDS]])
def test_what_is_logged_is_the_originals(caplog, labels):
    """How many rows were dropped, where any were; once where no row is left, which is an error."""
    found = []
    rows = {**ROWS, "labels": labels}
    logging.getLogger("axolotl").propagate = True
    for function in support.pair(PACKING):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "axolotl"):
            came = outcome(function, CONFIG, hf_samples.made(pa.table(rows)), None)
        found.append((came, [one.getMessage() for one in caplog.records]))
    assert found[0] == found[1]


def test_results_are_the_librarys_own_class():
    """A result is a plain Dataset, with which all else goes on as before."""
    _, replacement = support.pair(PACKING)
    library = support.load("datasets")
    found, nothing = replacement(CONFIG, hf_samples.made(pa.table(ROWS)), None)
    assert type(found) is library.Dataset
    assert nothing is None
    assert not [name for name in vars(found) if "shimhub" in name]
    again = replacement(Config(CONFIG, sample_packing=None), hf_samples.made(pa.table(ROWS)), None)
    assert type(again[0]) is library.Dataset
