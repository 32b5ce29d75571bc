"""Import every module of TorchTitan outside experiments and tests, each in a forked child.

    python sweep.py FOLDER

FOLDER holds the package. Prints a JSON object, module name to None or
``[error, message, the module that the first error of the chain did not find]``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

SKIPPED = {"experiments", "tests"}
#: Imported once, before the children part: what most modules import of other packages.
SHARED = (
    "torch",
    "torch._inductor.compile_fx",
    "torch.distributed.checkpoint",
    "torch.distributed.fsdp",
    "torch.distributed.pipelining",
    "torch.distributed.tensor.parallel",
    "datasets",
    "torchdata.stateful_dataloader",
    "tyro",
)


def modules_of(folder: Path) -> list[str]:
    """Return the names of all modules of ``torchtitan`` in the folder that are swept."""
    files = sorted((folder / "torchtitan").rglob("*.py"))
    names = [path.relative_to(folder).with_suffix("").parts for path in files]
    kept = [name for name in names if not SKIPPED & set(name)]
    return [".".join(part for part in name if part != "__init__") for name in kept]


def root_of(error: BaseException) -> BaseException:
    """Return the error that the chain of errors began with."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def attempt(name: str) -> list[str | None] | None:
    """Import the module; return what went wrong."""
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001  # a module may raise anything, also SystemExit
        missing = getattr(root_of(error), "name", None)
        return [type(error).__name__, str(error), missing]
    return None


def in_a_child(name: str) -> list[str | None] | None:
    """Import the module in a fork of this process, which has imported nothing of TorchTitan."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, json.dumps(attempt(name)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as file:
        told = file.read()
    os.waitpid(child, 0)
    return json.loads(told) if told else ["died", "the process ended without a word", None]


def main() -> None:
    """Sweep, and print."""
    for name in SHARED:
        importlib.import_module(name)
    found = {name: in_a_child(name) for name in modules_of(Path(sys.argv[1]))}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
