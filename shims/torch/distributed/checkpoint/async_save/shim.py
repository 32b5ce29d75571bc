"""``async_save(async_stager=)``: stages with the given stager, which must stage in the foreground.

Origin: https://github.com/pytorch/pytorch/pull/156207 (new in torch 2.9).
torch 2.8 stages with the storage writer or by itself. Its executors take a state dict and not a
future, so a stager that works in the background is refused with what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def build(original: Callable[..., Any], ctx: Any) -> Callable[..., Any]:
    """Return the function with the keyword; without it, the original's own work."""
    names, release = vars(ctx.module), ctx.version("torch")
    kinds = names["AsyncCheckpointerType"]

    def async_save(
        state_dict: dict[str, Any],
        *,
        checkpoint_id: Any = None,
        storage_writer: Any = None,
        planner: Any = None,
        process_group: Any = None,
        async_checkpointer_type: Any = kinds.THREAD,
        async_stager: Any = None,
    ) -> Any:
        how = {"checkpoint_id": checkpoint_id, "planner": planner, "process_group": process_group}
        if async_stager is None:
            kind = async_checkpointer_type
            how |= {"storage_writer": storage_writer, "async_checkpointer_type": kind}
            return original(state_dict, **how)
        _check_group(names, process_group)
        how["storage_writer"] = names["_storage_setup"](storage_writer, checkpoint_id, reader=False)
        staged = async_stager.stage(names["_stateful_to_state_dict"](state_dict))
        _check_staged(staged, async_stager, release)
        is_process = async_checkpointer_type == kinds.PROCESS
        executor = "_ProcessBased" if is_process else "_ThreadBased"
        saved = names[f"{executor}AsyncCheckpointExecutor"]().execute_save(staged, **how)
        if async_stager.should_synchronize_after_execute:
            async_stager.synchronize_staging()
        return saved

    async_save.__doc__ = original.__doc__
    return async_save


def _check_group(names: dict[str, Any], group: Any) -> None:
    """Refuse a group that cannot save in the background, in torch's own words."""
    torch, dist = names["torch"], names["dist"]
    if not (dist.is_available() and dist.is_initialized()):
        return
    group = group or names["_get_default_group"]()
    if torch.device("cpu") not in group._device_types:
        raise AssertionError(
            "A CPU backend must be enabled for async save; try initializing process group with "
            "'cpu:gloo,cuda:nccl'"
        )


def _check_staged(staged: Any, stager: Any, release: str) -> None:
    if isinstance(staged, Future):
        raise NotImplementedError(
            f"async_save(async_stager=) with {type(stager).__name__}, which stages in the "
            f"background, needs torch 2.9 or later, and this is torch {release}. Leave "
            'async_stager out (in TorchTitan: checkpoint.async_mode = "async"), use a stager that '
            "returns the state dict, or install torch>=2.9."
        )
