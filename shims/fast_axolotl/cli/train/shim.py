"""Make ``from axolotl.cli import train; train()`` train, where ``train`` is a module.

Origin: https://github.com/axolotl-ai-cloud/axolotl/blob/v0.19.0/src/axolotl/cli/train.py
The module stays itself; its class learns to be called, and is given back on revert.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from shimhub import Context


def build(original: None, ctx: Context) -> bool:
    """Let the module be called, and return the mark that says so."""
    module, plain = ctx.module, type(ctx.module)

    class Callable(plain):  # type: ignore[valid-type, misc]
        def __call__(self, *config: Any, **options: Any) -> Any:
            return _train(self, *config, **options)

    def give_back() -> None:
        if type(module) is Callable:
            module.__class__ = plain

    Callable.__name__, Callable.__qualname__ = plain.__name__, plain.__qualname__
    Callable.__module__ = plain.__module__
    ctx.on_revert(give_back)
    module.__class__ = Callable
    return True


def _train(module: ModuleType, *config: Any, **options: Any) -> Any:
    """Train as told; without arguments as ``python -m axolotl.cli.train`` does, by ``sys.argv``."""
    if config or options:
        return module.do_cli(*config, **options)
    import fire  # what the module itself is run by

    return fire.Fire(module.do_cli)
