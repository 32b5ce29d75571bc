"""axolotl's number of batches: each draw is packed, and only the last one becomes lists.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/samplers/multipack.py
The same draws are made of the sampler, and the same counts gathered among ranks.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from shimhub import Decline, Raised, kernels

Draw = tuple[list[Any], Any, kernels.Bins]


def build(original: Any, ctx: Any) -> Any:
    """Return ``__len__`` of the installed version."""
    shared = ctx.load("shims/axolotl/multipack/_packing.py")
    unchanged = shared.calls(ctx.module, ctx.parameters["calls"])
    generate = vars(ctx.owner)["generate_batches"]

    def check(sampler: Any) -> None:
        unchanged()
        if getattr(sampler.generate_batches, "__func__", None) is not generate:
            raise Decline("batches of another kind")
        for number in (sampler.num_count_samples, sampler.batch_size, sampler.batch_max_len):
            shared.whole(number)
        shared.fitting(shared.signed(sampler.lengths), sampler.batch_max_len)

    return (_kept if ctx.parameters["keeps_batches"] else _unkept)(ctx, shared, check)


def _unkept(ctx: Any, shared: Any, check: Callable[[Any], None]) -> Any:
    """Up to 0.8 no batches are kept: each draw is counted, and added to the totals."""

    def count(self: Any) -> int:
        lengths = self.lengths[[idx for idx in self.sampler]]  # noqa: C416  # asks no length of it
        bins = shared.pack_in_order(lengths, self.batch_max_len)
        self.eff_total_used += bins.tokens
        self.eff_total_slots += len(bins) * self.batch_max_len
        return -(-len(bins) // self.batch_size)

    def __len__(self: Any) -> Any:
        if not self.len_across_ranks:
            check(self)
            found = [count(self) for _ in range(self.num_count_samples)]
            self.len_across_ranks = Raised.by(self.gather_len_batches, min(found))
        return self.len_across_ranks

    return __len__


def _kept(ctx: Any, shared: Any, check: Callable[[Any], None]) -> Any:
    """From 0.10 on one draw is for the totals, and the last one counted is the next epoch's."""
    module, rule = ctx.module, ctx.parameters

    def __len__(self: Any) -> Any:
        if self._len_across_ranks is None:
            check(self)
            asked = _asked(self, shared, rule)
            if self._batches is None:
                _add_up(self, _draw(self, asked, shared, module.LOG), rule["drops_from_totals"])
            found = [
                _sample(self, turn + 1 == self.num_count_samples, asked)
                for turn in range(self.num_count_samples)
            ]
            module.gc.collect()
            self._len_across_ranks = Raised.by(self.gather_len_batches, min(found))
        elif self._batches is None:
            self._batches = Raised.by(self.generate_batches, set_stats=True)
        return self._len_across_ranks

    def _sample(self: Any, is_last: bool, asked: Any) -> int:
        self._batches = None
        start = time.time()
        ids, _, bins = _draw(self, asked, shared, module.LOG)
        count = _batch_count(self, len(bins), rule["drops_from_totals"])
        if is_last:
            self._batches = _batches(bins.tolist(ids), count, self.batch_size)
        if rule["logs_time"]:
            message = f"generate_batches time: {time.time() - start}"
            module.LOG.debug(message)
        return count

    return __len__


def _asked(self: Any, shared: Any, rule: Any) -> Any:
    """Return what ``pack_parallel`` would be asked for, or decline; None where it is not."""
    if self.sequential:
        return None
    processes, method, size = self.num_processes, rule["start_method"], self.bin_size
    if rule["limits_processes"]:
        processes, method = min(4, processes or 1), self.mp_start_method
    if rule["bin_size_may_be_none"]:
        size = size or self.batch_max_len
    options = (self.batch_max_len, self.group_size, size, processes, self.safe_mode, method)
    return shared.parallel(len(self.lengths), *options, rule["most_processes"])


def _draw(self: Any, asked: Any, shared: Any, log: Any) -> Draw:
    ids = [idx for idx in self.sampler]  # noqa: C416  # asks no length of it
    lengths = self.lengths[ids]
    if asked is None:
        return ids, lengths, shared.pack_in_order(lengths, self.batch_max_len)
    return ids, lengths, shared.pack_parallel(lengths, asked, log)


def _add_up(self: Any, draw: Draw, drops: bool) -> None:
    """Add a draw to the totals; from 0.19 on without the last batch where it is dropped."""
    ids, lengths, bins = draw
    used = bins.tokens if self.sequential else lengths.sum()
    slots = len(bins) * self.batch_max_len
    kept = _batch_count(self, len(bins), drops) * self.batch_size
    if drops and kept < len(bins):
        left = bins.items[bins.offsets[kept] :].tolist()
        slots -= (len(bins) - kept) * self.batch_max_len
        used -= sum(self.lengths[ids[item]] for item in left)
    self.total_tokens_used += used
    self.total_token_slots += slots


def _batch_count(self: Any, bins: int, drops: bool) -> int:
    """Return how many batches there are; up to 0.18 it is an error if all are dropped."""
    full, rest = divmod(bins, self.batch_size)
    if not self.drop_last or (bins and not rest):
        return full + bool(rest)
    if not drops and not full and not (bins and self.sequential):
        raise Raised(IndexError("list index out of range"))
    return full


def _batches(bins: list[list[Any]], count: int, size: int) -> list[list[list[Any]]]:
    return [bins[start : start + size] for start in range(0, count * size, size)]


def cases(ctx: Any) -> Iterator[Any]:
    """Yield samplers of every kind: in order, at random, dropping the last batch or not."""
    from torch.utils.data import SequentialSampler

    random = np.random.default_rng(5)
    lengths = random.integers(1, 60, 300)
    orders = [range(300), [*reversed(range(200))], SequentialSampler(lengths)]

    def case(function: Any, order: Any, options: dict[str, Any], sequential: bool) -> Any:
        given = {"num_processes": 1, "num_count_samples": 3, "bin_size": 9, **options}
        made = ctx.owner(order, 4, 100, lengths, **given)
        made.sequential = sequential
        made.gather_len_batches = lambda count: count
        with _uncollected(ctx.module):
            length = function(made)
        return length, {name: one for name, one in vars(made).items() if _is_plain(one)}

    for order in orders:
        for options in ({}, {"drop_last": True}, {"drop_last": False}, {"group_size": 50}):
            for sequential in (False, True):
                yield lambda f, a=order, o=options, s=sequential: case(f, a, o, s)


@contextlib.contextmanager
def _uncollected(module: Any) -> Iterator[None]:
    """Keep the sampler from collecting all garbage of the process once a draw."""
    real = vars(module).get("gc")
    if real is not None:
        module.gc = SimpleNamespace(collect=lambda: 0)
    try:
        yield
    finally:
        if real is not None:
            module.gc = real


def _is_plain(one: Any) -> bool:
    return isinstance(one, (int, float, list, np.ndarray, np.generic)) or one is None
