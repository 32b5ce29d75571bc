"""Looks at gradients before each step of an optimizer that is switched.

A fused step raises on a sparse gradient, and reads memory in order, so with other strides its
result is wrong. What was in order when the setting was turned on may be otherwise later: a part
of the model that is unfrozen, a memory format that is changed.
https://github.com/pytorch/pytorch/blob/v2.13.0/aten/src/ATen/native/cpu/FusedAdamKernel.cpp
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shimhub.speed.model import Targets


class Guard:
    """Calls ``refuse`` before a step that the setting cannot do; ``end`` stops looking."""

    def __init__(
        self, optimizer: Any, value: Mapping[str, bool], refuse: Callable[[str], object]
    ) -> None:
        self._value, self._refuse = value, refuse
        self._is_fused = bool(value.get("fused"))
        self._is_over = False
        #: Strides of parameters that everything was in order with.
        self._known: dict[int, tuple[int, ...]] = {}
        self._hook: Any = optimizer.register_step_pre_hook(self._look)

    def end(self) -> None:
        """Stop looking."""
        self._hook.remove()

    def _look(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Look before a step; called by torch, which goes through all hooks meanwhile."""
        if self._is_over:
            return
        try:
            why = self._found(optimizer)
        except Exception as error:  # noqa: BLE001  # the script's step is not ours to end
            why = f"{type(error).__name__}: {error}"
        if why:
            self._is_over = True
            self._refuse(why)

    def _found(self, optimizer: Any) -> str:
        """Return what of the gradients the setting cannot do."""
        if self._is_fused and self._is_known(optimizer):
            return ""
        from shimhub.speed.knobs._optimizer_limits import refusal  # imports torch

        why = refusal(self._value, Targets(optimizer=optimizer))
        if self._is_fused and not why:
            self._learn(optimizer)
        return why

    def _is_known(self, optimizer: Any) -> bool:
        """Whether all gradients lie as their parameters do, and those as they did before."""
        known = self._known
        for group in optimizer.param_groups:
            for one in group["params"]:
                gradient = one.grad
                if gradient is None:
                    continue
                if gradient.layout is not one.layout or gradient.dtype is not one.dtype:
                    return False
                strides = one.stride()
                if gradient.stride() != strides or known.get(id(one)) != strides:
                    return False
        return True

    def _learn(self, optimizer: Any) -> None:
        params = (one for group in optimizer.param_groups for one in group["params"])
        self._known = {id(one): one.stride() for one in params}
