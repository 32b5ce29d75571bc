"""Run orders of imports and installs, each in a fork, and compare with what must hold.

A script: ``python served_orders.py``; it reads lists of steps as lines of JSON from stdin, and
answers each with a line of JSON: an empty string, or what did not hold. PYTHONPATH says whether
axolotl is there; SHIMHUB_REGISTRY has the row ``axolotl/dedup/fake``, which replaces a function.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
from typing import Any

PARTS = {"streaming", "hashing", "collators"}
DATA, COLLATORS, TRAIN = "axolotl.utils.data", "axolotl.utils.collators", "axolotl.cli.train"
UTILS = DATA + ".utils"
#: Names that each part adds to a module that is imported.
NAMES = {
    (DATA, "fast_parallel_hash_rows"): {"hashing"},
    (DATA, "fast_deduplicate_indices"): {"hashing"},
    (DATA, "streaming_dataset_reader"): {"streaming"},
    (DATA, "__fast_axolotl_shimmed__"): {"hashing", "streaming"},
    (COLLATORS, "fast_pad_sequences"): {"collators"},
    (COLLATORS, "fast_create_padding_mask"): {"collators"},
    (COLLATORS, "__fast_axolotl_shimmed__"): {"collators"},
}
CHILDREN = (
    "axolotl.rust_ext",
    "axolotl.rust_ext.axolotl_ext",
    DATA + ".rust_streaming",
    DATA + ".rust_wrapper",
)
STAND_INS = ("axolotl", "axolotl.utils", DATA, COLLATORS)


class Process:
    """What a process has done, and what must hold after it."""

    def __init__(self) -> None:
        self.has_axolotl = importlib.util.find_spec("axolotl") is not None
        self.hub = self.automatic = False
        self.on: set[str] = set()
        self.off_dedup = False
        self.fa: Any = None

    def step(self, word: str) -> None:
        """Do one step, follow it in the model, and compare."""
        kind, _, name = word.partition(" ")
        getattr(self, kind)(name)
        self.check()

    def hub_install(self, _: str) -> None:
        """The user's own install: its choice replaces what fast_axolotl chose."""
        import shimhub

        shimhub.install()
        self.hub, self.on, self.off_dedup = True, set(), False

    def hub_uninstall(self, _: str) -> None:
        """All is as if nothing had been."""
        import shimhub

        shimhub.uninstall()
        self.hub, self.on, self.off_dedup = False, set(), False

    def load(self, name: str) -> None:
        """Import a module, which works exactly where it should."""
        expected = self.is_importable(name)
        is_new = name == "fast_axolotl" and name not in sys.modules
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            assert not expected, f"{name} cannot be imported"
            return
        assert expected, f"{name} was imported"
        if is_new:
            self.fa = module
            self.automatic = self.turn_on(PARTS)

    def is_importable(self, name: str) -> bool:
        """Whether importing ``name`` must work now."""
        if name == "fast_axolotl":
            return self.hub
        if name in CHILDREN:
            return "streaming" in self.on
        return self.has_axolotl or (name in STAND_INS and bool(self.on))

    def turn_on(self, parts: set[str], *, only: bool = False) -> bool:
        """Follow an install in the model; return whether it does anything."""
        if parts <= self.on and not only and not (parts == PARTS and self.off_dedup):
            return False
        if only or not self.on:
            self.on, self.off_dedup = set(), "hashing" not in parts
        self.hub, self.on = True, self.on | parts
        self.off_dedup = self.off_dedup and "hashing" not in parts
        return True

    def install(self, _: str) -> None:
        """``fast_axolotl.install()``."""
        if self.fa:
            self.fa.install()
            self.automatic = False
            self.turn_on(PARTS)

    def select(self, part: str) -> None:
        """``fast_axolotl.install_…_shim()``."""
        if self.fa:
            getattr(self.fa, f"install_{part.removesuffix('s')}_shim")()
            was_automatic, self.automatic = self.automatic, False
            self.turn_on({part}, only=was_automatic)

    def uninstall(self, _: str) -> None:
        """``fast_axolotl.uninstall()``."""
        if self.fa:
            assert self.fa.uninstall() is bool(self.on)
            self.off_dedup = self.off_dedup or bool(self.on)
            self.on = set()

    # -- what must hold ---------------------------------------------------------------------------

    def check(self) -> None:
        """Compare modules, names and functions with the model."""
        loaded = {name for name in sys.modules if name.partition(".")[0] == "axolotl"}
        if not self.has_axolotl:
            assert (importlib.util.find_spec("axolotl") is not None) is bool(self.on)
            assert self.on or not loaded, f"{loaded} without axolotl"
        for name in loaded:
            self.check_module(name, sys.modules[name])
        self.check_names(loaded)
        if UTILS in loaded:
            functions = vars(sys.modules[UTILS])
            is_original = functions["replaceable"] is functions["ORIGINAL"]
            assert is_original is (not self.hub or self.off_dedup), "the replaced function"
        if TRAIN in loaded:
            assert callable(sys.modules[TRAIN]) is bool(self.on), "train()"

    def check_module(self, name: str, module: Any) -> None:
        """A real module is real, ours is there with its part alone, and its parent has it."""
        if name in CHILDREN:
            assert "streaming" in self.on, f"{name} is left"
        elif self.has_axolotl:
            assert not hasattr(module, "__stub__"), f"{name} is a stand-in"
        parent, _, child = name.rpartition(".")
        if parent:
            assert getattr(sys.modules[parent], child) is module, f"{name} is not bound"

    def check_names(self, loaded: set[str]) -> None:
        """Names are there with their part, and no attribute of a module that is gone."""
        for (name, added), parts in NAMES.items():
            if name in loaded and (self.has_axolotl or added != "__fast_axolotl_shimmed__"):
                there = added in vars(sys.modules[name])
                assert there is bool(parts & self.on), f"{name}.{added}: {there}"
        for name in CHILDREN:
            parent, _, child = name.rpartition(".")
            if parent in loaded and name not in loaded:
                assert child not in vars(sys.modules[parent]), f"{name} is left as an attribute"


def _in_a_fork(steps: list[str]) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with open(reading, encoding="utf-8") as stream:
            told = stream.read()
        os.waitpid(child, 0)
        return told
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:
        process, done = Process(), []
        try:
            for word in steps:
                done.append(word)
                process.step(word)
        except BaseException:  # noqa: BLE001  # whatever a step raises is the answer
            stream.write(f"{done}\n{traceback.format_exc()}")
    os._exit(0)


def main() -> None:
    """Answer each line."""
    for name in ("shimhub.hub", "shimhub.kernels.padding"):
        importlib.import_module(name)  # not again in each fork
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_in_a_fork(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
