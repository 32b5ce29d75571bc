"""Six checks of what TorchTitan takes from torch, run with ``python -m`` and this name.

Origin: https://github.com/pytorch/torchtitan/pull/1862 (the six names; here each is used, too).
Prints a line for each and exits with 1 where one does not hold, natively or by a shim.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from importlib import metadata

import torch
from torch import nn


def check_torchtitan() -> str:
    """TorchTitan imports."""
    import torchtitan

    return f"{torchtitan.__name__} {metadata.version('torchtitan')} on torch {torch.__version__}"


def check_consolidation() -> str:
    """Two shards of a Hugging Face checkpoint become one file with the same tensors."""
    import torch.distributed.checkpoint as dcp
    from safetensors.torch import load_file
    from torch.distributed.checkpoint._consolidate_hf_safetensors import (
        consolidate_safetensors_files,
        consolidate_safetensors_files_on_every_rank,
    )

    known = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
    with tempfile.TemporaryDirectory() as shards, tempfile.TemporaryDirectory() as whole:
        writer = dcp.HuggingFaceStorageWriter(path=shards, save_distributed=True)
        dcp.save(dict(known), storage_writer=writer, no_dist=True)
        consolidate_safetensors_files(shards, whole, {"a": 1, "b": 1})
        found = load_file(f"{whole}/model-00001-of-00001.safetensors")
    same = found.keys() == known.keys() and all(torch.equal(found[k], known[k]) for k in known)
    assert same, f"read {found}, not {known}"
    return f"{len(found)} tensors; also {consolidate_safetensors_files_on_every_rank.__name__}"


def check_staging() -> str:
    """A stager copies the state, so that training can go on while it is written."""
    from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

    state = {"weight": torch.ones(2)}
    staged = DefaultStager(StagingOptions(False, False, False, False)).stage(state)
    state["weight"].zero_()
    assert staged["weight"].tolist() == [1, 1], f"staged {staged['weight'].tolist()}"
    return "the copy kept its values"


def check_dual_pipe_v() -> str:
    """The schedule can be asked for by name; making one works or tells the torch that has it."""
    from torch.distributed.pipelining import schedules

    found = schedules.get_schedule_class("DualPipeV")
    assert found is schedules.ScheduleDualPipeV, f"the name leads to {found}"
    assert issubclass(found, schedules.PipelineScheduleMulti), f"{found.__mro__}"
    try:
        found([], 1)
    except NotImplementedError as error:
        return str(error)
    except (ValueError, IndexError, AssertionError) as error:  # no stages: torch's own refusal
        return f"native: {type(error).__name__}"
    raise AssertionError("it was made without stages")


def check_aux_output() -> str:
    """FlexAttention's auxiliary output has the fields of torch 2.9."""
    from torch.nn.attention.flex_attention import AuxOutput

    assert AuxOutput._fields == ("lse", "max_scores"), f"fields {AuxOutput._fields}"
    assert AuxOutput() == (None, None), f"{AuxOutput()}"
    return str(AuxOutput())


def check_early_stop() -> str:
    """``checkpoint_wrapper(early_stop=False)`` recomputes all of the module, not a part."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    class Traced(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            output = super().forward(input).sin()
            trace.append("end")
            return output

    for early_stop, ends in ((False, 2), (True, 1)):
        trace: list[str] = []
        wrapped = checkpoint_wrapper(Traced(2, 2), early_stop=early_stop)
        wrapped(torch.ones(2)).sum().backward()
        assert len(trace) == ends, f"early_stop={early_stop} ran to the end {len(trace)} times"
    return "recomputed to the end only where asked to"


CHECKS: tuple[Callable[[], str], ...] = (
    check_torchtitan,
    check_consolidation,
    check_staging,
    check_dual_pipe_v,
    check_aux_output,
    check_early_stop,
)


def main() -> int:
    """Run all checks and return 1 where one failed."""
    failed = 0
    for number, check in enumerate(CHECKS, 1):
        try:
            told = f"ok    {check()}"
        except Exception as error:  # noqa: BLE001  # a check may fail in any way; it is printed
            told, failed = f"FAIL  {type(error).__name__}: {error}", failed + 1
        name = check.__name__.removeprefix("check_")
        sys.stdout.write(f"{number}/{len(CHECKS)} {name:14} {told}\n")
    sys.stdout.write(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
