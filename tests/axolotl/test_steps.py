"""axolotl's count of steps up to 0.17: the replacement beside the original."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub._compare import first_finding
from tests.axolotl import support
from tests.axolotl.support import outcome, uncollected

support.require("<0.18")

datasets = pytest.importorskip("datasets")
torch = pytest.importorskip("torch")
ATTACH = "axolotl.utils.trainer:calculate_total_num_steps"
MANY = settings(max_examples=support.examples(), deadline=None)


class Recorder:
    """A logger that keeps what it is told."""

    def __init__(self):
        self.said = []

    def __getattr__(self, level):
        return lambda *words, **options: self.said.append((level, words, options))


@st.composite
def tables(draw):
    """A dataset with labels of ignored tokens, and now and then what cannot be counted."""
    count, odd = draw(st.integers(0, 12)), draw(st.sampled_from([False, False, False, True]))
    rows = draw(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=count, max_size=count))
    labels = [[one if draw(st.booleans()) else -100 for one in row] for row in rows]
    made = {"input_ids": rows, "labels": labels, "length": [len(row) or 1 for row in rows]}
    if odd and draw(st.booleans()):
        made["labels"] = [None if draw(st.booleans()) else row for row in labels]
    elif odd:
        del made[draw(st.sampled_from(["labels", "input_ids", "length"]))]
    dataset = datasets.Dataset.from_dict(made)
    if count and draw(st.booleans()):
        dataset = dataset.select(draw(st.lists(st.integers(0, count - 1), max_size=6)))
    return dataset.with_format(draw(st.sampled_from([None, None, "numpy"])))


options = st.fixed_dictionaries(
    {
        "num_epochs": st.integers(1, 3) | st.just(0.5),
        "batch_size": st.integers(1, 3),
        "micro_batch_size": st.integers(1, 3),
        "sequence_len": st.integers(6, 20),
        "sample_packing_group_size": st.just(100),
        "sample_packing_bin_size": st.just(8),
    },
    optional={
        "sample_packing": st.booleans(),
        "sample_packing_eff_est": st.just(0.9),
        "sample_packing_sequentially": st.booleans(),
        "curriculum_sampling": st.booleans(),
        "flash_attention": st.booleans(),
        "attn_supports_packing": st.booleans(),
        "multipack_real_batches": st.booleans(),
        "dataloader_drop_last": st.booleans(),
        "total_num_tokens": st.sampled_from([None, 0, 50]),
        "total_supervised_tokens": st.sampled_from([None, 40]),
        "model_config_type": st.sampled_from(["mamba", "llama"]),
        "skip_prepare_dataset": st.booleans(),
        "reward_model": st.booleans(),
    },
)
ONES = ("sequence_parallel_degree", "context_parallel_size", "tensor_parallel_size")


def run(function, given, dataset, update):
    """Return the steps, the configuration afterwards, its order, what was said, random numbers."""
    trainer, config = support.load("axolotl.utils.trainer"), support.load("axolotl.utils.dict")
    cfg = config.DictDefault({**given, **dict.fromkeys(ONES, 1)})
    real, trainer.LOG = trainer.LOG, Recorder()
    torch.manual_seed(3)
    try:
        found = outcome(function, cfg, dataset, update=update)
        said = trainer.LOG.said
    finally:
        trainer.LOG = real
    return found, dict(cfg), list(cfg), said, torch.get_rng_state()


@MANY
@given(tables(), options, st.booleans())
def test_steps_are_the_same(dataset, given, update):
    """The number and its type, what the configuration is then, what is logged, random draws."""
    with uncollected(support.load("axolotl.utils.samplers.multipack")):
        theirs, mine = (run(one, given, dataset, update) for one in support.pair(ATTACH))
    assert first_finding("steps", mine, theirs) is None
