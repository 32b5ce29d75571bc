from __future__ import annotations

from dataclasses import replace

import pytest

from shimhub.errors import SelectionError
from shimhub.model import Pack, Selection, Shim, tuple_of
from shimhub.registry import Registry
from shimhub.select import asked_by_id, asked_for, check_selection, disabled_reason

F = Shim(id="t/f", attach="t:f", action="add", why="w", packs=("p",))
PACKS = {"p": Pack("p", "s"), "opt": Pack("opt", "s", opt_in=True), "q": Pack("q", "s")}


def reason(shim=F, only=None, enable=(), disable=()):
    """Return why the shim is off, or an empty string."""
    others = (Shim(id="t/g", attach="t:g", action="add", why="w"),)
    registry = Registry((shim, *others), {}, PACKS)
    return disabled_reason(registry, Selection(only, enable, disable), shim)


@pytest.mark.parametrize(
    ("enable", "disable", "is_on"),
    [
        ((), (), True),
        ((), ("t/f",), False),
        ((), ("p",), False),
        ((), ("t/*",), False),
        (("t/f",), ("p",), True),
        (("t/f",), ("t/*",), True),
        (("p",), ("t/*",), False),
        (("p",), ("t/f",), False),
        (("t/*",), ("t/f",), False),
        (("t/*",), ("p",), False),
        (("t/f",), ("t/f",), False),
        (("p",), ("p",), False),
        (("t/*",), ("*/f",), False),
        (("t/f", "p"), ("t/*", "p"), True),
        (("t/g",), (), True),
        ((), ("t/g",), True),
    ],
)
def test_an_id_beats_packs_and_globs_and_off_beats_on(enable, disable, is_on):
    """The more specific word wins; between words of one rank the shim is off."""
    assert is_on is (reason(enable=enable, disable=disable) == "")


def test_the_reason_names_the_word():
    """A shim that the user switched off says by which word."""
    assert "disabled by 't/*'" == reason(disable=("t/*",))
    assert "disabled by 't/f'" == reason(disable=("p", "t/f", "t/*"))


@pytest.mark.parametrize(
    ("only", "enable", "disable", "is_on"),
    [
        (("t/f",), (), (), True),
        (("p",), (), (), True),
        (("t/*",), (), (), True),
        (("t/g",), (), (), False),
        ((), (), (), False),
        (("t/g",), ("t/f",), (), True),
        (("t/f",), (), ("t/f",), False),
        (("t/f",), (), ("p",), True),
        (("p",), (), ("t/f",), False),
    ],
)
def test_only_leaves_out_all_others(only, enable, disable, is_on):
    """`only` switches everything else off; enable adds to it and disable takes away."""
    assert is_on is (reason(only=only, enable=enable, disable=disable) == "")


def test_only_holds_for_rows_that_the_user_named():
    """A row of the user's own registry is off too when `only` does not name it."""
    assert "not in the `only` list" == reason(replace(F, origin="named"), only=("t/g",))


@pytest.mark.parametrize(
    ("packs", "is_on"), [(("opt",), False), (("opt", "p"), True), (("p",), True), ((), True)]
)
def test_a_row_of_opt_in_packs_alone_is_off(packs, is_on):
    """A row that is only in opt-in packs waits for the user; one in another pack does not."""
    assert is_on is (reason(replace(F, packs=packs)) == "")


@pytest.mark.parametrize("word", ["opt", "t/f", "t/*"])
def test_opt_in_is_a_word_of_any_rank(word):
    """The pack, the id and a glob turn an opt-in row on, and its reason says how."""
    row = replace(F, packs=("opt",))
    assert "opt-in; turn on with --enable opt" == reason(row)
    assert "" == reason(row, enable=(word,)) == reason(row, only=(word,))


@pytest.mark.parametrize("action", ["replace", "wrap"])
@pytest.mark.parametrize(
    ("fidelity", "fingerprints", "is_on"),
    [
        ("exact", ("sha256:0",), True),
        ("exact", (), False),
        ("", ("sha256:0",), False),
        ("lossy", ("sha256:0",), False),
    ],
)
def test_what_replaces_working_code_needs_proof_or_a_word(action, fidelity, fingerprints, is_on):
    """Rows of replace and wrap are on only when exact and proved, or when the user asks."""
    row = replace(F, action=action, fidelity=fidelity, fingerprints=fingerprints)
    assert is_on is (reason(row) == "")
    assert "" == reason(row, enable=("p",)) == reason(replace(row, origin="named"))


@pytest.mark.parametrize("action", ["module", "add", "alias", "placeholder", "adapt"])
def test_what_fills_a_hole_is_on(action):
    """The other actions are on by default, unless lossy."""
    assert "" == reason(replace(F, action=action))
    assert reason(replace(F, action=action, fidelity="lossy")).startswith("lossy; turn on")


def test_asked_for_and_asked_by_id():
    """A pack or glob asks for a shim; only its id outweighs a missing fingerprint."""
    registry = Registry((F,), {}, PACKS)
    words = {"t/f": True, "p": False, "t/*": False}
    for word, by_id in words.items():
        for chosen in (Selection(enable=(word,)), Selection(only=(word,))):
            assert asked_for(registry, chosen, F)
            assert by_id is asked_by_id(chosen, F)
    assert not asked_for(registry, Selection(disable=("t/f",)), F)
    assert asked_for(registry, Selection(), replace(F, origin="named"))


@pytest.mark.parametrize("where", ["only", "enable", "disable"])
def test_an_unknown_word_is_an_error_with_a_suggestion(where):
    """Each word that names nothing is told with the nearest id or pack."""
    registry = Registry((F,), {}, PACKS)
    with pytest.raises(SelectionError) as caught:
        check_selection(registry, Selection(**{where: ("t/ff", "p", "zz/*", "op")}))
    told = str(caught.value)
    assert "'t/ff' (did you mean 't/f'?)" in told
    assert "'op' (did you mean 'opt'?)" in told
    assert "'zz/*'" in told
    assert "'p'" not in told
    assert isinstance(caught.value, ValueError)


def test_known_words_are_no_error():
    """Ids, packs and globs that name something pass; a pack may be empty of live rows."""
    check_selection(Registry((F,), {}, PACKS), Selection(("p",), ("t/f",), ("t/*", "?/f")))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ()),
        ("", ()),
        ("a", ("a",)),
        ("a, b,,c ", ("a", "b", "c")),
        (["a", " b "], ("a", "b")),
        (["a,b", "c"], ("a", "b", "c")),
        (iter(("a", "")), ("a",)),
    ],
)
def test_words_come_as_a_string_or_an_iterable(value, words):
    """Comma-separated text and any iterable of words mean the same."""
    assert words == tuple_of(value)
