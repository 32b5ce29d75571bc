"""The knob ``fp32_precision`` against both of torch's families of settings."""

import re

import pytest

torch = pytest.importorskip("torch")

from shimhub.speed import Hardware, KnobError  # noqa: E402
from shimhub.speed.knobs import fp32  # noqa: E402
from shimhub.speed.knobs._layers import drop, push  # noqa: E402
from tests._speed_settings import (  # noqa: E402
    PROCESS,
    USERS,
    field,
    fresh,
    write,
)

KNOB = fp32.KNOB
CPU = Hardware("cpu", "a CPU")
WORDS = ("highest", "high", "medium")


#: More of them, for what cannot be read: values of their own beside the same value of a parent.
HIDDEN = {
    "matmul and all": ((field, "generic", "all", "tf32"), (field, "cuda", "matmul", "tf32")),
    "cuda and all": ((field, "generic", "all", "tf32"), (field, "cuda", "all", "tf32")),
    "cuda alone": ((field, "cuda", "all", "tf32"),),
    "cuda and matmul": ((field, "cuda", "all", "ieee"), (field, "cuda", "matmul", "ieee")),
    "ieee twice": ((field, "generic", "all", "ieee"), (field, "mkldnn", "matmul", "ieee")),
    "ieee of two": ((field, "generic", "all", "ieee"), (field, "mkldnn", "all", "ieee")),
    "ieee of both": (
        (field, "generic", "all", "ieee"),
        (field, "cuda", "all", "ieee"),
        (field, "cuda", "matmul", "ieee"),
    ),
    "ieee below": ((field, "generic", "all", "tf32"), (field, "mkldnn", "all", "ieee")),
    "all bf16": ((field, "generic", "all", "bf16"),),
    "mkldnn bf16": ((field, "mkldnn", "all", "bf16"), (field, "mkldnn", "matmul", "bf16")),
    "high, then all": (
        (torch.set_float32_matmul_precision, "high"),
        (field, "generic", "all", "ieee"),
        (field, "cuda", "matmul", "none"),
        (field, "mkldnn", "matmul", "none"),
    ),
    "medium, hidden": (
        (torch.set_float32_matmul_precision, "medium"),
        (field, "mkldnn", "matmul", "tf32"),
    ),
}
#: What a user may write after us: it shows values that cannot be read at once.
LATER = {
    "nothing": (),
    "all tf32": ((field, "generic", "all", "tf32"),),
    "all bf16": ((field, "generic", "all", "bf16"),),
    "cuda ieee": ((field, "cuda", "all", "ieee"),),
    "parents tf32": ((field, "cuda", "all", "tf32"), (field, "mkldnn", "all", "tf32")),
    "leaves ieee": ((field, "cuda", "matmul", "ieee"), (field, "mkldnn", "matmul", "ieee")),
    "leaves tf32": ((field, "cuda", "matmul", "tf32"), (field, "mkldnn", "matmul", "tf32")),
}
BOTH = {**USERS, **HIDDEN}


@pytest.fixture(autouse=True)
def _settings():
    fresh()
    yield
    fresh()


def seen(later):
    """Return all that can be read, now and after what a user may write later."""
    write(LATER[later])
    return dict(KNOB.read(PROCESS))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("user", USERS)
def test_the_matrix_of_27(user, word):
    """Whatever the user wrote in either family, restoring what was read gives all fields back."""
    write(USERS[user])
    before = dict(KNOB.read(PROCESS))
    KNOB.apply(word, PROCESS)
    KNOB.restore(before, PROCESS)
    assert before == KNOB.read(PROCESS)


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("user", BOTH)
def test_what_cannot_be_read_is_brought_back_too(user, word, later):
    """After a layer is dropped, whatever a user writes next acts as if we had never been there."""
    write(BOTH[user])
    expected = seen(later)
    fresh()
    write(BOTH[user])
    before = dict(KNOB.read(PROCESS))
    layer = push(KNOB, word, PROCESS)
    drop(layer, PROCESS)
    assert before == KNOB.read(PROCESS)
    assert expected == seen(later)


READABLE = ["nothing", "legacy high", "legacy medium", "allow_tf32", "cudnn off", "new all ieee"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("user", READABLE)
def test_both_families_stay_readable(user, word):
    """Where the older getters could be read before, they can while our value is on, and say it."""
    write(USERS[user])
    KNOB.apply(word, PROCESS)
    assert word == torch.get_float32_matmul_precision()
    assert (word != "highest") is torch.backends.cuda.matmul.allow_tf32
    assert {"highest": "ieee", "high": "tf32", "medium": "bf16"}[word] == (
        torch.backends.mkldnn.matmul.fp32_precision
    )


@pytest.mark.parametrize("user", [name for name in USERS if name not in READABLE])
def test_the_older_family_is_left_alone_where_it_raises(user):
    """A user of the newer one finds the older word as it was, when fields agree with it again."""
    write(USERS[user])
    expected = fp32._word()
    KNOB.apply("medium", PROCESS)
    assert ("tf32", "bf16") == (
        torch.backends.cuda.matmul.fp32_precision,
        torch.backends.mkldnn.matmul.fp32_precision,
    )
    assert expected == fp32._word()


@pytest.mark.parametrize("user", BOTH)
def test_reading_changes_nothing(user, monkeypatch):
    """Neither is anything written for a moment; a snapshot may do that, and puts it back."""
    write(BOTH[user])
    before = dict(KNOB.read(PROCESS))
    with monkeypatch.context() as patched:
        patched.setattr(fp32, "_set", None)
        KNOB.read(PROCESS)
    saved = KNOB.snapshot(PROCESS)
    assert saved == KNOB.snapshot(PROCESS)
    assert before == KNOB.read(PROCESS)


@pytest.mark.parametrize("word", WORDS)
def test_a_torch_before_2_9_has_the_older_family_alone(word, monkeypatch):
    """Without the nine fields the word is read, set and restored; nothing else is called."""
    for name in ("_get", "_set"):
        monkeypatch.setattr(fp32, name, None)
    monkeypatch.setattr(fp32, "_HAS_FIELDS", False)
    torch.set_float32_matmul_precision("medium")
    before = dict(KNOB.read(PROCESS))
    assert 3 == len(before)
    layer = push(KNOB, word, PROCESS)
    assert word == torch.get_float32_matmul_precision()
    drop(layer, PROCESS)
    assert before == KNOB.read(PROCESS)
    KNOB.apply(word, PROCESS)
    KNOB.restore(before, PROCESS)
    assert before == KNOB.read(PROCESS)


@pytest.mark.parametrize("value", ["hihg", "", None, True, 1, "HIGH"])
def test_another_value_is_an_error(value):
    """Torch would warn of it, or take it; the error names what it can be."""
    told = f"fp32_precision is {value!r}: it can be 'highest', 'high' or 'medium'"
    assert told == KNOB.why_not(value, CPU, PROCESS)
    with pytest.raises(KnobError, match=re.escape(told)):
        KNOB.apply(value, PROCESS)


@pytest.mark.parametrize(
    ("value", "hardware", "expected"),
    [
        ("highest", CPU, f"{fp32._WORD} is 'highest' already"),
        ("high", CPU, "this CPU has no TF32: it multiplies float32 as before"),
        ("high", Hardware("cpu", "", features=frozenset({"amx_fp16"})), ""),
        ("high", Hardware("cuda", ""), ""),
        ("medium", CPU, ""),
    ],
)
def test_why_not(value, hardware, expected):
    """What cannot matter is told, and neither set nor timed."""
    assert expected == KNOB.why_not(value, hardware, PROCESS)
