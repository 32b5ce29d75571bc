"""Proofs: a replacement goes live only where it does what the installed original does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

ROW = """
[targets.target]
[[shim]]
id = "target/f"
attach = "target:f"
action = "replace"
why = "It is faster."
proof = true
proved_with = ["target"]
"""
ORIGINAL = "def f(x):\n    x.append(1)\n    return sum(x)\n"
SHIM = """
def build(original, ctx):
    def f(x):
        {body}
    return f

def cases(ctx):
    def case(function, size):
        given = list(range(size))
        return function(given), given
    open({log!r}, "a").write("proved\\n")
    for size in range(4):
        yield lambda function, size=size: case(function, size)
"""
RIGHT = "x.append(1); return sum(x)"
ASK = (
    "import shimhub, json; shimhub.install(registry='registry.toml'); import target;"
    "told = shimhub.explain('target/f')['target/f'];"
    "print(json.dumps([told.status, told.reason, told.evidence.get('proof', ''),"
    " target.f([5]), hasattr(target.f, '__shimhub__')]))"
)


@pytest.fixture
def ask(lab, tmp_path):
    """Return a function that installs a shim with this body, and tells what became of it."""
    log = tmp_path / "log"

    def answer(body: str, original: str = ORIGINAL, **env: str) -> list[object]:
        lab.module("target", original)
        lab.rows(ROW)
        lab.shim("target/f", SHIM.format(body=body, log=str(log)))
        log.write_text(log.read_text() if log.exists() else "")
        env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), **env}
        return json.loads(lab.run(ASK, **env).stdout)

    answer.proofs = lambda: len(log.read_text().split())
    return answer


def test_equal_goes_live(ask):
    """A replacement that does the same is in place, and explain tells by how many cases."""
    told = "equal to the original in 4 cases"
    status, _, *rest = ask(RIGHT)
    assert ["APPLIED", told, 6, True] == [status, *rest]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("x.append(1); return sum(x) + (len(x) == 3)", "in case 3: result[0]: 3, the original 2"),
        ("return sum(x) + 1", "in case 1: result[1]: 0 items, the original 1"),
        ("x.append(1); return float(sum(x))", "float 1.0, the original int 1"),
        ("raise KeyError('k')", "raised KeyError: 'k', the original returned a tuple"),
    ],
)
def test_a_difference_leaves_the_original(ask, body, told):
    """Results, what became of the input, types and errors count; explain says which."""
    status, reason, _, result, is_ours = ask(body)
    assert ("GATED", 6, False) == (status, result, is_ours)
    assert told in reason


def test_what_serves_no_case_proves_nothing(ask):
    """Declining all cases, or raising in all as the original does, is no proof."""
    fussy = "def f(x):\n    if x != [5]: raise KeyError\n    return 6\n"
    none = "none of 4 cases was served by both it and the original"
    decline = "import shimhub; raise shimhub.Decline('no')"
    assert none == ask(decline)[1]
    assert none == ask("raise KeyError", fussy)[1]


def test_declined_cases_do_not_count(ask):
    """What it declines the original serves: the rest is the proof."""
    body = "import shimhub\n        if not x: raise shimhub.Decline('empty')\n        " + RIGHT
    assert "equal to the original in 3 cases; 1 left to the original" == ask(body)[2]


def test_errors_of_both_are_counted_apart(ask):
    """Where the original raises, the replacement has to raise the same type."""
    fussy = "def f(x):\n    if len(x) == 3: raise KeyError\n    x.append(1)\n    return sum(x)\n"
    body = "if len(x) == 3: raise KeyError\n        " + RIGHT
    assert "equal to the original in 3 cases, and fails as it does in 1" == ask(body, fussy)[2]


def test_want_of_memory_is_no_difference(ask):
    """It is not kept: the next process proves again."""
    status, reason, *_ = ask("raise MemoryError")
    assert ("FAILED", "MemoryError: ") == (status, reason)
    assert "FAILED" == ask("raise MemoryError")[0]
    assert 2 == ask.proofs()


def test_a_proof_is_kept_until_what_it_rests_on_changes(ask, lab):
    """A second process does not prove again; another body, shim or Python library does."""
    ask(RIGHT)
    assert ask(RIGHT)[2].endswith("as an earlier process found")
    assert 1 == ask.proofs()
    ask(RIGHT, ORIGINAL.replace("x.append(1)", "x += [1]"))
    assert 2 == ask.proofs()
    ask(RIGHT + " + 0")
    assert 3 == ask.proofs()
    ask(RIGHT + " + 0", SHIMHUB_NATIVE="0")
    assert 4 == ask.proofs()
    lab.shim("target/common", "", "helper.py")  # what ctx.load may give
    ask(RIGHT + " + 0", SHIMHUB_NATIVE="0")
    assert 5 == ask.proofs()


def test_a_difference_is_kept_too(ask):
    """A known difference leaves the original again, without another proof."""
    first, second = ask("return 0")[1], ask("return 0")[1]
    assert second == f"{first} (as an earlier process found)"
    assert 1 == ask.proofs()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"told": 1}', b'{"told": "x"}', b"\xff"])
def test_a_broken_file_is_proved_anew(ask, tmp_path, content):
    """What is no proof of ours counts for nothing."""
    ask(RIGHT)
    for file in (tmp_path / "cache" / "shimhub").glob("*.proof"):
        file.write_bytes(content)
    assert ["APPLIED", 2] == [ask(RIGHT)[0], ask.proofs()]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_file_that_others_can_write_is_no_proof(ask, tmp_path):
    """Somebody else's word does not put a replacement in place."""
    ask("return 0")
    for file in (tmp_path / "cache" / "shimhub").glob("*.proof"):
        file.write_text('{"differs": false, "told": "fine"}')
        os.chmod(file, 0o666)
    assert "GATED" == ask("return 0")[0]
    assert 2 == ask.proofs()


def test_parameters_are_those_of_the_versions_here(lab):
    """Tables whose rules hold add up in order, in ``build`` and in ``cases``."""
    lab.module("target", "__version__ = '1.5'\ndef f(x):\n    return x\n")
    rows = (
        ROW.replace("proof = true\nproved_with = ['target']", "")
        + """
[[shim.parameters]]
fill = "zeros"
other = 1
[[shim.parameters]]
when = { target = ">=1.4" }
fill = "range"
[[shim.parameters]]
when = { target = ">=2" }
fill = "nothing"
"""
    )
    lab.rows(rows)
    lab.shim(
        "target/f",
        "def build(original, ctx):\n    return lambda x: dict(ctx.parameters)\n"
        "def cases(ctx):\n    assert ctx.parameters['fill'] == 'range'\n    return []\n",
    )
    code = ASK.replace("target.f([5])", "target.f(1)")
    status, reason, *_ = json.loads(lab.run(code).stdout)
    assert ("GATED", "none of 0 cases was served by both it and the original") == (status, reason)
    lab.rows(rows.replace("proof = true", "").replace('proved_with = ["target"]', ""))
    code = code.replace("registry='registry.toml'", "registry='registry.toml', enable='target/f'")
    assert {"fill": "range", "other": 1} == json.loads(lab.run(code).stdout)[3]


def test_a_shim_loads_files_beside_it_and_no_others(lab):
    """``ctx.load`` gives another file of the registry's folder; outside of it is an error."""
    lab.module("target", "def f(x):\n    return x\n")
    lab.rows(ROW.replace("proof = true", "").replace('proved_with = ["target"]', ""))
    Path(lab.shim("target/f", "", "common.py")).write_text("def twice(x):\n    return 2 * x\n")
    for name, status in (("shims/target/f/common.py", "APPLIED"), ("../x.py", "FAILED")):
        lab.shim(
            "target/f",
            f"def build(original, ctx):\n    twice = ctx.load({name!r}).twice\n"
            "    return lambda x: twice(x)\n",
        )
        code = ASK.replace("target.f([5])", "target.f(5)")
        found = json.loads(lab.run(code).stdout)
        assert [status, 10 if status == "APPLIED" else 5] == [found[0], found[3]]
