"""Operations inside of ``torch.compile``: torch's own, which its compiler follows.

It cannot look into functions in C, and breaks the graph there, unless it is told what to follow
instead (https://docs.pytorch.org/docs/stable/generated/torch.compiler.substitute_in_graph.html).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from shimhub.accel import torch_ffi
from shimhub.accel.model import OPS

#: What torch's operations take beside tensors, options among them; a bool is an int.
_PLAIN: Final = (int, float, str, type(None))


@functools.cache
def allow_in_graph() -> None:
    """Let ``torch.compile`` follow all operations into torch's own, for the life of the process.

    Call it once, before what is compiled is called: then ``fullgraph=True`` takes these functions
    where their inputs are tensors and numbers. Without it the compiler breaks the graph at each of
    them, and the answers are the same. Imports torch and its compiler, which takes a second or
    two. Raises :class:`TorchMissingError`.
    """
    from shimhub import accel

    torch, follow = torch_ffi.torch_module(), torch_ffi.functions()
    for name in OPS:
        function = getattr(accel, name)
        traced = _traced(follow[name], torch.compiler.disable(function), torch.Tensor)
        torch.compiler.substitute_in_graph(function)(traced)


def _traced(follow: Any, leave: Any, tensor: Any) -> Callable[..., Any]:
    """Return what the compiler follows: torch's operation on tensors; it leaves all else to us."""

    def traced(*inputs: Any, **options: Any) -> Any:
        any_tensor = False
        for one in (*inputs, *options.values()):
            if isinstance(one, tensor):
                any_tensor = True
            elif not isinstance(one, _PLAIN):
                return leave(*inputs, **options)
        return follow(*inputs, **options) if any_tensor else leave(*inputs, **options)

    return traced
