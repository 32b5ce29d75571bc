"""The knob ``fp32_precision`` against both of torch's families of settings."""

import pytest

torch = pytest.importorskip("torch")

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
WORDS = ("highest", "high", "medium")


#: More of them, for what cannot be read: values of their own beside the same value of a parent.
HIDDEN = {
    "matmul and all": ((field, "generic", "all", "tf32"), (field, "cuda", "matmul", "tf32")),
    "cuda and all": ((field, "generic", "all", "tf32"), (field, "cuda", "all", "tf32")),
    "cuda alone": ((field, "cuda", "all", "tf32"),),
    "cuda and matmul": ((field, "cuda", "all", "ieee"), (field, "cuda", "matmul", "ieee")),
    "ieee twice": ((field, "generic", "all", "ieee"), (field, "mkldnn", "matmul", "ieee")),
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
