"""axolotl's count of steps up to 0.17: tokens are counted in Arrow, not in a pandas frame.

axolotl 0.18 does so itself: https://github.com/axolotl-ai-cloud/axolotl/pull/3711. Counts are put
where the original looks for them first, and the rest of it is its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from shimhub import Decline, Raised
from shimhub.data import hf_lengths

_TOKENS, _SUPERVISED = "total_num_tokens", "total_supervised_tokens"
_IGNORED = -100


def build(original: Any, ctx: Any) -> Any:
    """Return ``calculate_total_num_steps`` that counts first and asks the original for the rest."""
    told = ctx.parameters["log_options"]

    def calculate_total_num_steps(cfg: Any, train_dataset: Any, update: Any = True) -> Any:
        counts = _counts(cfg, train_dataset, ctx.parameters["selected_rows"])
        if not counts:
            return Raised.by(original, cfg, train_dataset, update)
        if not update:
            _check_unused(cfg, counts)
        with contextlib.nullcontext() if update else _restored(cfg, counts):
            for name, quote, count in counts:
                message = f"{quote}{name}: {count:_}{quote}"
                ctx.module.LOG.debug(message, **told)
                setattr(cfg, name, count)
            return Raised.by(original, cfg, train_dataset, update)

    return calculate_total_num_steps


def _counts(cfg: Any, dataset: Any, selected_rows: bool) -> list[tuple[str, str, Any]]:
    """Return the names, as they are logged, and values of what the original would count."""
    if cfg.skip_prepare_dataset or cfg.reward_model:
        return []
    if not hf_lengths.is_table(dataset) or not len(dataset):
        raise Decline("no dataset, or an empty one")
    found = []
    if not cfg.total_num_tokens:
        found.append((_TOKENS, "", _tokens(dataset, selected_rows)))
    if cfg.model_config_type != "mamba" and not cfg.total_supervised_tokens:
        count = hf_lengths.count_other(_column(dataset, "labels"), _IGNORED)
        found.append((_SUPERVISED, "`", _served(count)))
    return found


def _tokens(dataset: Any, selected_rows: bool) -> Any:
    rows = hf_lengths.rows_of(dataset) if selected_rows else None
    lengths = hf_lengths.list_lengths(_column(dataset, "input_ids"), rows)
    return _served(None if lengths is None else lengths.sum())


def _column(dataset: Any, name: str) -> Any:
    if name not in dataset.column_names:
        raise Decline("a column is missing")
    return dataset.data.column(name)


def _served(count: Any) -> Any:
    """Return a count as pandas has it. None of them: the original would count again."""
    if not count:
        raise Decline("nulls, another type, or nothing to count")
    return np.int64(count)


def _check_unused(cfg: Any, counts: list[tuple[str, str, Any]]) -> None:
    """Decline where the original would miss a count that it was told not to keep."""
    if not isinstance(cfg, dict):
        raise Decline("a configuration that is no dict")
    needs_tokens = cfg.sample_packing and cfg.sample_packing_eff_est
    if needs_tokens and any(name == _TOKENS for name, *_ in counts):
        raise Decline("steps from a count that is not kept")


@contextlib.contextmanager
def _restored(cfg: Any, counts: list[tuple[str, str, Any]]) -> Iterator[None]:
    before = {name: cfg[name] for name, *_ in counts if name in cfg}
    try:
        yield
    finally:
        for name, *_ in counts:
            if name in before:
                cfg[name] = before[name]
            else:
                cfg.pop(name, None)


@contextlib.contextmanager
def _recorded(module: Any) -> Iterator[list[Any]]:
    """Keep what is logged, and show nothing: accelerate's logger wants a state to log at all."""
    log, said = module.LOG, []
    module.LOG = SimpleNamespace(debug=lambda *words, **options: said.append((words, options)))
    try:
        yield said
    finally:
        module.LOG = log


def cases(ctx: Any) -> Iterator[Any]:
    """Yield datasets with and without packing, counts that are there, and none kept."""
    from axolotl.utils.dict import DictDefault
    from datasets import Dataset

    rows = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 9]]
    labels = [[-100, 2, 3], [-100], [5, -100], [-100, 8, 9, 9]]
    whole = Dataset.from_dict({"input_ids": rows, "labels": labels, "length": [3, 1, 2, 4]})
    base = {"num_epochs": 3, "batch_size": 2, "micro_batch_size": 1, "sequence_len": 8}
    base |= dict.fromkeys(ctx.parameters["ones"], 1)
    estimated = {"sample_packing": True, "sample_packing_eff_est": 0.9}
    settings = [{}, {"total_num_tokens": 7}, {"model_config_type": "mamba"}, estimated]

    def case(function: Any, dataset: Any, given: dict[str, Any], update: bool) -> Any:
        cfg = DictDefault({**base, **given})
        with _recorded(ctx.module) as said:
            return function(cfg, dataset, update=update), dict(cfg), said

    for dataset in (whole, whole.select([3, 0])):
        for given in settings:
            for update in (True, False):
                yield lambda f, d=dataset, g=given, u=update: case(f, d, g, u)
