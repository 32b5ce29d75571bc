"""Counts that are there before the original looks for them, without axolotl."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from shimhub import Decline

datasets = pytest.importorskip("datasets")
np = pytest.importorskip("numpy")
make = runpy.run_path(str(Path(__file__).with_name("shim.py")))["build"]
ROWS = datasets.Dataset.from_dict({"input_ids": [[1, 2, 3], [4]], "labels": [[-100, 2, 3], [4]]})


class Config(dict):
    """A configuration as axolotl's: what is not there is None."""

    __getattr__ = dict.get
    __setattr__ = dict.__setitem__


def run(cfg, dataset=ROWS, update=True):
    """Return what the original saw, what was logged, and what became of the configuration."""
    said, seen = [], []
    parameters = {"selected_rows": True, "log_options": {"main_process_only": True}}
    module = SimpleNamespace(LOG=SimpleNamespace(debug=lambda *a, **k: said.append((*a, k))))
    ctx = SimpleNamespace(parameters=parameters, module=module)
    made = make(lambda cfg, dataset, update: seen.append(dict(cfg)), ctx)
    made(cfg, dataset, update)
    return seen[0], said, dict(cfg)


def test_counts_are_kept_and_told():
    """As the original has them: NumPy's integers, and one line for each."""
    seen, said, after = run(Config())
    assert {"total_num_tokens": 4, "total_supervised_tokens": 3} == seen == after
    assert {np.int64} == {type(one) for one in after.values()}
    assert ["total_num_tokens: 4", "`total_supervised_tokens: 3`"] == [line for line, _ in said]
    assert [{"main_process_only": True}] * 2 == [options for _, options in said]


def test_the_labels_of_all_rows_are_counted_but_the_tokens_of_the_selected():
    """Bug for bug."""
    _, _, after = run(Config(), ROWS.select([1, 1]))
    assert {"total_num_tokens": 2, "total_supervised_tokens": 3} == after


def test_without_update_the_configuration_is_what_it_was():
    """Also a key that was there and None."""
    before = Config(total_num_tokens=None)
    seen, _, after = run(before, update=False)
    assert (4, {"total_num_tokens": None}) == (seen["total_num_tokens"], after)


@pytest.mark.parametrize("given", [{"skip_prepare_dataset": True}, {"reward_model": True}])
def test_nothing_is_counted_where_the_original_counts_nothing(given):
    """The dataset is not looked at."""
    seen, said, after = run(Config(given), None)
    assert (given, [], given) == (seen, said, after)


def test_what_cannot_be_counted_is_declined_with_nothing_written():
    """No rows, nulls, a missing column, and counts of none, which the original makes twice."""
    tables = [{"input_ids": [], "labels": []}, {"input_ids": [[1]]}, {"input_ids": [None]}]
    tables += [{"input_ids": [[1]], "labels": [[-100]]}, {"input_ids": [[1]], "labels": [[None]]}]
    for table in tables:
        cfg = Config()
        with pytest.raises(Decline):
            run(cfg, datasets.Dataset.from_dict(table))
        assert {} == cfg
    with pytest.raises(Decline):
        run(Config(sample_packing=True, sample_packing_eff_est=0.9), update=False)
