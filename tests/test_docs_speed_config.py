"""docs/speed-config.md says what the code says: keys, tables and blocks."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from shimhub.speed import SpeedConfig, SpeedConfigError
from shimhub.speed._reading import section_of
from shimhub.speed.deciding import plan_of
from shimhub.speed.model import Action, Hardware

PAGE = Path(__file__).parents[1] / "docs" / "speed-config.md"
TEXT = PAGE.read_text("utf-8")
GUIDE = {"precision": "auto", "tf32_matmul_precision": "high", "compile": {"enabled": "auto"}}


def block(language):
    """Return the one block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    return found


def table(head):
    """Return the lines of the table whose head begins so, without the head."""
    lines = TEXT.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head)) + 2
    return lines[start : lines.index("", start)]


def rows(kind, prefix=""):
    """Yield the line of each key of a dataclass."""
    for one in fields(kind):
        if section := section_of(one):
            yield from rows(section, f"{one.name}.")
        else:
            rule, summary = one.metadata["rule"], one.metadata["summary"]
            yield f"| `{prefix}{one.name}` | {rule.told} | {summary} |"


def test_the_page_has_every_key():
    """A key, what it takes and what it does, in the order of the dataclass."""
    assert [*rows(SpeedConfig)] == table("| key |")


DEVICES = {
    "NVIDIA, compute capability 8.0 or more (Ampere, Ada, Hopper)": [
        Hardware("cuda", "", capability=one) for one in ((8, 0), (8, 9), (9, 0), (12, 0))
    ],
    "NVIDIA, 7.5 (Turing)": [Hardware("cuda", "", capability=(7, 5))],
    "NVIDIA, 7.0 and 7.2 (Volta)": [
        Hardware("cuda", "", capability=(7, 0)),
        Hardware("cuda", "", capability=(7, 2)),
    ],
    "NVIDIA, older": [Hardware("cuda", "", capability=(6, 1))],
    "AMD (ROCm)": [Hardware("rocm", "", features=frozenset({"bf16"}))],
    "Intel (XPU) with bf16": [Hardware("xpu", "", features=frozenset({"bf16"}))],
    "Apple (MPS)": [Hardware("mps", "")],
    "CPU": [Hardware("cpu", "", features=frozenset({"avx512_bf16"}))],
}


def auto(hardware):
    """Return the two settings that ``precision: auto`` comes to."""
    plan = plan_of(SpeedConfig(precision="auto"), hardware)
    tf32 = plan.of("fp32_precision")
    return plan.of("precision").value, tf32.value if tf32.action is Action.APPLY else "left alone"


@pytest.mark.parametrize("number", range(len(DEVICES)))
def test_the_page_has_what_auto_comes_to(number):
    """Each line is what the plan says of each such device."""
    name, machines = list(DEVICES.items())[number]
    ((precision, tf32),) = {auto(one) for one in machines}
    assert f"| {name} | {precision} | {tf32} |" == table("| device |")[number]
    assert len(DEVICES) == len(table("| device |"))


def test_the_blocks_of_the_page_are_read(tmp_path, monkeypatch):
    """The YAML and the TOML say the same, and the Python reads them."""
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEEDKIT_PRECISION", raising=False)
    monkeypatch.delenv("SPEEDKIT_COMPILE", raising=False)
    Path("speed.yaml").write_text(block("yaml"))
    Path("pyproject.toml").write_text(block("toml"))
    assert GUIDE == SpeedConfig.from_yaml("speed.yaml").to_dict()
    names = {}
    exec(block("python"), names)
    assert GUIDE == names["config"].to_dict()


def test_the_mistakes_of_the_page_are_told_so(tmp_path, monkeypatch):
    """The lines are those of a file with the three mistakes."""
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    text = "precison: auto\ncompile:\n  enabled: 'on'\noptimizer:\n  lr: 3e-4\n"
    Path("speed.yaml").write_text(text)
    with pytest.raises(SpeedConfigError) as caught:
        SpeedConfig.from_yaml("speed.yaml")
    assert block("text").splitlines() == list(caught.value.problems)
