"""Input at the edges of what the pack serves: each of these once came out other than axolotl's."""

from __future__ import annotations

import copy
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

import shimhub
from tests.axolotl import hf_samples, support
from tests.axolotl.hf_samples import Config, outcome

support.require()

PACKING = "axolotl.utils.trainer:process_datasets_for_packing"
STREAMED = "axolotl.utils.trainer:process_pretraining_datasets_for_packing"
BATCHING = "axolotl.utils.collators.batching"
CONFIG = Config(
    sample_packing=True, eval_sample_packing=True, sequence_len=9, sequence_parallel_degree=1
)


@pytest.fixture(scope="module", autouse=True)
def _no_bars():
    """Progress bars are not what is compared."""
    support.load("datasets").disable_progress_bars()


def dataset(ids, **columns):
    """Return a dataset of tokens and labels."""
    labels = [[1]] * len(ids)
    of = {"input_ids": pa.array(ids, pa.list_(pa.int32())), "labels": labels, **columns}
    return hf_samples.made(pa.table(of))


def packed(*args):
    """Return what the original and the replacement make of it."""
    return [outcome(function, *args) for function in support.pair(PACKING)]


def test_the_type_of_positions_is_told_by_the_rows_of_the_mapping():
    """All rows that a mapping shows are empty: there is no integer among their positions."""
    original, replacement = packed(CONFIG, dataset([[1, 2], [], [], [3, 4]]).select([2, 1]), None)
    assert original == replacement


@pytest.mark.parametrize("processes", [0, -1, "2", 2.0, 99])
def test_odd_numbers_of_processes_are_the_librarys_to_refuse(processes, caplog):
    """And to warn of, where there are more than rows."""
    cfg = Config(CONFIG, dataset_num_proc=processes, dataset_processes=processes)
    rows = dataset([[1, 2], [3, 4, 5]])
    found = []
    for function in support.pair(PACKING):
        caplog.clear()
        came = outcome(function, cfg, rows, None)
        found.append((came, {one.getMessage() for one in caplog.records}))
    assert found[0] == found[1]


def test_formatted_columns_stay():
    """As concatenate_datasets and with_format leave them."""
    rows = dataset([[1, 2], [3, 4, 5]])
    rows = rows.with_format(None, columns=rows.column_names)
    original, replacement = packed(CONFIG, rows, rows)
    assert original == replacement


def _strict(table):
    return table.cast(pa.schema([field.with_nullable(False) for field in table.schema]))


def _told(table):
    return table.cast(pa.schema([field.with_metadata({"a": "b"}) for field in table.schema]))


def _named(table):
    kind = pa.list_(pa.field("element", pa.int32(), nullable=False))
    return table.set_column(0, "input_ids", pa.array(table["input_ids"].to_pylist(), kind))


@pytest.mark.parametrize("change", [_strict, _told, _named])
def test_schemas_come_out_as_the_library_writes_them(change):
    """Columns without nulls, with metadata, and lists whose items have another name."""
    rows = hf_samples.made(change(dataset([[1, 2], [3, 4, 5]], x=[1, 2]).data.table))
    for cfg in (CONFIG, Config(CONFIG, group_by_length=True)):
        original, replacement = packed(cfg, rows, rows.select([1]))
        assert original == replacement


def test_tables_side_by_side_are_the_originals():
    """As concatenate_datasets joins columns: there is no single table under them."""
    left = dataset([[1, 2], [3, 4, 5], [6]])
    right = left.rename_columns({name: f"{name}_2" for name in left.column_names})
    rows = support.load("datasets").concatenate_datasets([left, right], axis=1)
    rows._fingerprint = "first"
    for one in (rows, rows.select([2, 0])):
        original, replacement = packed(CONFIG, one, None)
        assert original == replacement


def test_no_row_left_to_number():
    """A filter has left nothing, and positions are asked for."""
    original, replacement = support.pair(STREAMED)
    rows = dataset([[1] * 8])
    assert outcome(original, rows, 6, False) == outcome(replacement, rows, 6, False)
    with support.packed():
        support.get(STREAMED)(rows, 6, False)
        assert not shimhub.stats()["axolotl/rows/pretraining"].errors


def collated(name, features, **options):
    """Return what the original and the replacement make of features, and leave of them."""
    from transformers import PreTrainedTokenizerFast

    tokenizers = support.load("tokenizers")
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[PAD]": 0}, unk_token="[PAD]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, pad_token="[PAD]")
    tokenizer.deprecation_warnings = {"Asking-to-pad-a-fast-tokenizer": True}
    found = []
    for function in support.pair(f"{BATCHING}:{name}.__call__"):
        given = copy.deepcopy(features)
        collator = getattr(support.load(BATCHING), name)(tokenizer, **options)
        try:
            batch = {field: rows.tolist() for field, rows in function(collator, given).items()}
        except ValueError as error:
            batch = str(error)
        found.append((batch, repr(given)))
    return found


@pytest.mark.parametrize("given", [{"input_ids": []}, {"input_ids": [[1]], "attention_mask": []}])
def test_nothing_to_join_is_an_error(given):
    """NumPy concatenates no arrays."""
    original, replacement = collated("PretrainingBatchSamplerDataCollatorForSeq2Seq", given)
    assert original == replacement
    assert "at least one array" in original[0]


class Writing:
    """A model that shifts labels where they are."""

    def prepare_decoder_input_ids_from_labels(self, labels):
        return labels.masked_fill_(labels == -100, 0)


def test_a_model_that_writes_to_the_batch_leaves_the_features():
    """Features that are arrays keep labels of their own."""
    row = {"input_ids": np.array([1, 2]), "attention_mask": np.array([1, 1])}
    features = [{**row, "labels": np.array([-100, 5])}]
    original, replacement = collated("DataCollatorForSeq2Seq", features, model=Writing())
    assert original == replacement


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.duration("s"), pa.date32()])
def test_dates_out_of_range_are_the_originals_error(kind):
    """They are no fault of the replacement: it stays in use."""
    name = "_deduplicate_dataset" if support.is_version(">=0.10") else "deduplicate_dataset"
    if support.is_version("<0.6"):
        pytest.skip("there is no deduplication")
    whole = pa.array([2**30] * 2, pa.int32()) if kind == pa.date32() else pa.array([2**60] * 2)
    rows = hf_samples.made(pa.table({"at": whole.cast(kind)}))
    args = (rows,) if name.startswith("_") else (rows, {})
    attach = f"axolotl.utils.data.utils:{name}"
    support.pair(attach)
    with support.packed():
        with pytest.raises(OverflowError):
            support.get(attach)(*args)
        stats = shimhub.stats()
    assert not any(one.errors for one in stats.values())


def test_columns_of_floats_are_hashed_in_flat_memory():
    """Python prints them; never all of a column at once."""
    from shimhub.data import hf_rows

    rows = hf_samples.made(pa.table({"v": pa.array([[0.1] * 200] * 3000)}))
    tracemalloc.start()
    try:
        found = hf_rows.repr_digests(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len({one.tobytes() for one in found}) == 1
    assert peak < 40 << 20  # 600,000 floats and their texts are twice that and more
