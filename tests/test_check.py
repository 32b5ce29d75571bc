from __future__ import annotations

import pytest

from shimhub import check
from shimhub.paths import packaged_registry
from shimhub.reading import load_table

GOOD = {
    "id": '"target/f"',
    "attach": '"target:f"',
    "action": '"alias"',
    "to": '"math:sqrt"',
    "why": '"w"',
    "upstream": '"https://example.org/1"',
    "when": '{ python = ">=3.10" }',
    "retire": '"python>=4"',
}


def row(**changes):
    """Return the text of a row that lacks nothing, with changes; None leaves a key out."""
    keys = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return "[[shim]]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())


@pytest.fixture
def packaged(lab):
    """A lab with a test in the folder of target/f, and how to check rows as packaged ones."""
    lab.shim("target/f", "", "test_f.py")

    def found(text, origin="packaged"):
        return check.problems(load_table([(str(lab.rows(text)), origin)]))

    lab.check = found
    return lab


def test_a_row_that_has_all_is_clean(packaged):
    """A packaged row with upstream, gate, retirement and test has no finding."""
    assert [] == packaged.check(row())


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({"upstream": None}, "upstream", "cite "),
        ({"upstream": '"http://example.org"'}, "upstream", "https://"),
        ({"when": None}, "when", "needs a gate (`when`) or a probe"),
        ({"retire": None}, "retire", "say when it can go"),
        ({"id": '"target/untested"'}, "id", "has no test; add"),
        ({"action": '"wrap"', "to": None}, "fidelity", "say 'exact' or 'lossy'"),
        ({"action": '"replace"', "to": None}, "fidelity", "say 'exact' or 'lossy'"),
    ],
)
def test_each_thing_that_a_packaged_row_owes_is_told(packaged, changes, key, told):
    """What is missing is told at its key, with the row's id, its file and what to write."""
    packaged.shim("target/f", "def build(original, ctx): return original\n")
    found = packaged.check(row(**changes))
    mine = [one for one in found if "has code but no row" not in one.message]
    assert 1 == len(mine), found
    name = changes.get("id", GOOD["id"]).strip('"')
    assert (f"{name}: {key}", str(packaged.registry)) == (mine[0].key, mine[0].file)
    assert told in mine[0].message


@pytest.mark.parametrize(
    "change",
    [{"probe": "{ missing = true }"}, {"check": "true"}, {"probe": '{ provider = "m" }'}],
)
def test_a_probe_is_as_good_as_a_gate(packaged, change):
    """A row that looks before it patches needs no version rule."""
    packaged.shim("target/f", "def probe(ctx): return True\n")
    assert [] == packaged.check(row(when=None, **change))


def test_a_users_own_row_owes_nothing(packaged):
    """A registry that the user named may say as little as it likes."""
    text = row(upstream=None, when=None, retire=None, id='"x"')
    assert [] == packaged.check(text, origin="named by the user")


def test_code_without_a_row_is_an_orphan(packaged):
    """A folder with shim.py or module.py that no row has is told, also for a user's registry."""
    packaged.shim("left/over", "x = 1\n")
    packaged.shim("left/module", "x = 1\n", "module.py")
    for origin in ("packaged", "named by the user"):
        found = packaged.check(row(), origin)
        assert ["has code but no row; add one or delete it"] * 2 == [one.message for one in found]
        assert {"shims/left/over", "shims/left/module"} == {
            one.file.removeprefix(f"{packaged.root}/") for one in found
        }


def test_a_retired_row_has_no_folder(packaged):
    """A tombstone whose code is still there is told."""
    text = '[[shim]]\nid = "target/f"\nretired = "2026-11-21"\nwhy = "native"\n'
    (found,) = packaged.check(text)
    assert "target/f: retired" == found.key
    assert str(packaged.root / "shims/target/f") in found.message


def test_a_retired_row_without_a_folder_is_clean(packaged):
    """A tombstone owes nothing else."""
    assert [] == packaged.check('[[shim]]\nid = "old"\nretired = "2026-11-21"\nwhy = "native"\n')


def test_all_findings_come_at_once(packaged):
    """Every row's findings are told together, in the order of rows."""
    found = packaged.check(row(upstream=None, retire=None) + row(id='"b"', when=None))
    assert ["target/f: upstream", "target/f: retire", "b: when", "b: id"] == [
        one.key for one in found
    ]


def test_the_packaged_registry_is_clean():
    """Every row that shimhub brings has its upstream, gate, retirement rule, folder and test."""
    assert [] == check.problems(load_table([(packaged_registry(), "packaged")]))
