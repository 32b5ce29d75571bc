"""``reduce_scatter`` over gloo does the reduction that it is asked for, not always the sum.

Origin: https://github.com/pytorch/pytorch/issues/162338 (torch 2.8 sums for AVG, MAX and all else).
Other reductions than SUM go by ``all_reduce``, which heeds the operation, at the cost of sending
all of the result to every rank. Nothing is changed before two ranks, threads of this process, have
shown the sum for AVG: at the install where there is a process group by then, else at the first such
call. (Within the import of torch no tensor can be made; and gloo prints a line for each rank, which
a process that never asks for it is spared.) Functional collectives and DTensor do not come by here.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shimhub.watch import is_initializing

_LIMIT = timedelta(seconds=30)  # for two threads on one machine; it takes 30 ms


def probe(ctx: Any) -> tuple[bool | None, str]:
    """Tell whether gloo returns the sum for AVG, as far as that can be told now."""
    if not hasattr(ctx.module, "ProcessGroupGloo"):
        return False, "this torch has no gloo"
    if is_initializing(ctx.module.torch.__spec__) or not ctx.module.is_initialized():
        return True, "gloo's AVG is tried at its first use, before anything is changed"
    found = average_of_1_and_2(ctx.module)
    return None if found is None else found == 3.0, f"gloo's AVG of 1 and 2 is {found}"


def build(original: Callable[..., Any], ctx: Any) -> Callable[..., Any]:
    """Return the collective; only CPU tensors over gloo that are not summed take another way."""
    c10d = ctx.module
    total = c10d.ReduceOp.SUM

    def reduce_scatter_tensor(
        output: Any, input: Any, op: Any = total, group: Any = None, async_op: bool = False
    ) -> Any:
        if not is_wrong(c10d, op, output, group):
            return original(output, input, op, group, async_op)
        return by_all_reduce(c10d, output, input.clone(), op, group, async_op)

    def reduce_scatter(
        output: Any, input_list: Any, op: Any = total, group: Any = None, async_op: bool = False
    ) -> Any:
        if not is_wrong(c10d, op, output, group):
            return original(output, input_list, op, group, async_op)
        return by_all_reduce(c10d, output, c10d.torch.stack(input_list), op, group, async_op)

    return reduce_scatter if ctx.name == "reduce_scatter" else reduce_scatter_tensor


def by_all_reduce(c10d: Any, output: Any, whole: Any, op: Any, group: Any, async_op: bool) -> Any:
    """Reduce all of ``whole`` in place and copy this rank's part; it is done on return.

    Who asked not to wait gets the work of a barrier to wait for.
    """
    c10d.all_reduce(whole, op, group)
    parts = whole.view(c10d.get_world_size(group), *output.shape)
    output.copy_(parts[c10d.get_rank(group)])
    return c10d.barrier(group, async_op=True) if async_op else None


def is_wrong(c10d: Any, op: Any, output: Any, group: Any) -> bool:
    """Whether gloo would answer this call, and answers with the sum."""
    if op == c10d.ReduceOp.SUM or getattr(output, "is_cpu", False) is not True:
        return False
    if c10d._rank_not_in_group(group):
        return False
    backend = (group or c10d._get_default_group())._get_backend(output.device)
    backend = getattr(backend, "wrapped_pg", backend)  # TORCH_DISTRIBUTED_DEBUG=DETAIL
    return isinstance(backend, c10d.ProcessGroupGloo) and average_of_1_and_2(c10d) == 3.0


@functools.cache
def average_of_1_and_2(c10d: Any) -> float | None:
    """Return what two gloo ranks get for AVG of 1 and 2; None where gloo does not start."""
    torch = c10d.torch
    store, answers = torch.distributed.HashStore(), []
    options = c10d.ReduceScatterOptions()
    options.reduceOp = c10d.ReduceOp.AVG

    def run(rank: int) -> None:
        output = torch.zeros(1)
        try:
            group = c10d.ProcessGroupGloo(store, rank, 2, _LIMIT)
            group._reduce_scatter_base(output, torch.full((2,), 1.0 + rank), options).wait()
        except RuntimeError:  # no network device, or no thread
            return
        answers.append(output.item())

    ranks = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in (0, 1)]
    for one in ranks:
        one.start()
    for one in ranks:
        one.join()
    return answers[0] if len(answers) == len(ranks) else None
