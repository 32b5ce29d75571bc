"""``torch.utils.checkpoint.checkpoint(early_stop=)``: whether a recomputation may stop half-way.

Origin: https://github.com/pytorch/pytorch/pull/160781 (new in torch 2.9).
torch 2.8 has the setting, in each region's frame, but fills it only from the context manager
`set_checkpoint_early_stop`; the keyword falls through to the checkpointed function. As in 2.9 the
context manager overrides the keyword, nested regions keep their own, and a reentrant checkpoint
ignores it.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

#: What the module's flag holds while nobody has set it: as true as its True, and not that True.
_UNSET = 1
_FLAG = "_enable_checkpoint_early_stop"


def build(original: Callable[..., Any], ctx: Any) -> Callable[..., Any]:
    """Return the function with the keyword; it acts only where ``early_stop`` is false."""
    names = vars(ctx.module)
    no_context, full_check = names["noop_context_fn"], names["_DEFAULT_DETERMINISM_MODE"]
    _tell_unset(names, ctx.on_revert)

    # Compilers must not trace into it, which the original says of itself in the same way.
    @names["torch"]._disable_dynamo
    def run_to_the_end(
        function: Any, args: Any, preserve: bool, options: tuple[Any, ...], kwargs: Any
    ) -> Any:
        region = names["_checkpoint_without_reentrant_generator"]
        steps = region(function, preserve, *options, *args, **kwargs)
        with contextlib.closing(steps):  # a function that raises must not leave its hooks behind
            next(steps)
            inspect.getgeneratorlocals(steps)["new_frame"].early_stop = False
            result = function(*args, **kwargs)
            next(steps, None)
        return result

    def checkpoint(
        function: Any,
        *args: Any,
        use_reentrant: bool | None = None,
        context_fn: Any = no_context,
        determinism_check: str = full_check,
        debug: bool = False,
        early_stop: bool = True,
        **kwargs: Any,
    ) -> Any:
        options = (context_fn, determinism_check, debug)
        if early_stop or use_reentrant is not False or names[_FLAG] is not _UNSET:
            named = dict(zip(("context_fn", "determinism_check", "debug"), options, strict=True))
            return original(function, *args, use_reentrant=use_reentrant, **named, **kwargs)
        preserve = kwargs.pop("preserve_rng_state", True)
        return run_to_the_end(function, args, preserve, options, kwargs)

    checkpoint.__doc__ = original.__doc__
    return checkpoint


def _tell_unset(names: dict[str, Any], on_revert: Callable[[Callable[[], object]], None]) -> None:
    """Make the flag's default distinguishable from a True that the user's context has set."""
    if names[_FLAG] is not True:  # inside somebody's context: it is theirs until they leave
        return
    names[_FLAG] = _UNSET
    on_revert(lambda: names.update({_FLAG: True}) if names[_FLAG] is _UNSET else None)
