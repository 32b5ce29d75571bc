"""The table, as Markdown and for the terminal."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from tests.conformance.torch28.expected import REQUIREMENTS, TORCH, VERSIONS
from tests.conformance.torch28.judging import first_norm, losses, reference, reference_norm
from tests.conformance.torch28.lines import Judged, Results

_HEAD = """\
# TorchTitan 0.2 on torch 2.8.0

Made by `python -m tests.conformance.torch28 --write docs/conformance-torch28.md`, which is what
`make conformance-torch28` runs; do not edit. Each line was measured with shimhub and without it,
and holds where it is as it must be on both sides: tests/conformance/torch28/expected.py says how.
Trainings are TorchTitan's Llama 3 debug model (`seq_len` 128, `local_batch_size` 2, seed 0) over
gloo, by the command lines of examples/torchtitan/README.md. Lines named `proposal` are printed in
the text that proposed shims inside of TorchTitan (https://github.com/pytorch/torchtitan/pull/1862):
`sh` runs them where `shimhub activate` was run. All else is run by
`python -m shimhub run --enable cpu-device`.
"""
_SHOWN = ("torch", "triton", "numpy", "datasets", "torchdata", "tokenizers", "safetensors")


def machine() -> str:
    """Return the machine's class: system, processor, cores and memory."""
    system = _pretty_name() or platform.system()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{system}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, no GPU used"


def _pretty_name() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:  # no such file on this system
        return None


def markdown(judged: Sequence[Judged], results: Results, told: Mapping[str, str]) -> str:
    """Return the page; ``told`` holds the sources' digest and what is installed, by name."""
    return "\n".join([_HEAD, _circumstances(told), _table(judged), _figures(results), _notes()])


def _circumstances(told: Mapping[str, str]) -> str:
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    versions = ", ".join(f"{name} {told[name]}" for name in _SHOWN if name in told)
    return (
        f"- Date: {date}\n- Machine: {machine()}\n- CPython {told['python']}; {versions}; "
        f"torchtitan {', '.join(VERSIONS)}\n- shimhub {told['shimhub']}, sources {told['sources']}"
        f"{told['stale']}\n"
    )


def _table(judged: Sequence[Judged]) -> str:
    rows = ["| line | what | with shimhub | without shimhub | |", "|---|---|---|---|---|"]
    for one in judged:
        cells = (one.line.name, one.line.what, one.shimmed.text, one.bare.text)
        told = "holds" if one.holds else "**does not hold**"
        rows.append(f"| {' | '.join(_cell(text) for text in cells)} | {told} |")
    return "\n".join([*rows, ""])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _figures(results: Results) -> str:
    rows = [
        "## Losses",
        "",
        "| TorchTitan | ranks | step 1 | 2 | 3 | 4 | 5 | gradient norm, step 1 |",
    ]
    rows.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    for version in VERSIONS:
        for ranks in (1, 2):
            facts = results.get(f"train-{version}-{ranks}", {})
            cells = [version, str(ranks), *(f"{loss:.4f}" for loss in losses(facts))]
            rows.append(f"| {' | '.join([*cells, f'{first_norm(facts):.4f}'])} |")
    return "\n".join([*rows, ""])


def _notes() -> str:
    return (
        f"Figures that were once measured with other assets (another text, and a tokenizer trained "
        f"on it) are {reference(1)} on 1 rank and {reference(2)} on 2, there with a gradient norm "
        f"of {reference_norm()} in step 1. Text and tokenizer decide these figures; ours come from "
        f"examples/torchtitan/make_assets.py, so only what does not depend on them is held: equal "
        f"losses in all three versions, and the norm of a mean on 2 ranks: that of 0.2.2, which "
        f"asks FSDP for a sum and divides by itself, so that gloo's AVG, which returns the sum in "
        f"torch {TORCH} (https://github.com/pytorch/pytorch/issues/162338), cannot double it.\n\n"
        f"Environment: `pip install {' '.join(_quoted(one) for one in REQUIREMENTS)}`, and "
        f"`pip install --no-deps --target` for each TorchTitan.\n"
    )


def _quoted(requirement: str) -> str:
    return f'"{requirement}"' if {"<", ">"} & set(requirement) else requirement


def text(one: Judged) -> str:
    """Return a judged line for the terminal."""
    told = "holds" if one.holds else "DOES NOT HOLD"
    sides = f"  with:    {one.shimmed.text}\n  without: {one.bare.text}"
    return f"{one.line.name}: {told}\n{sides}"
