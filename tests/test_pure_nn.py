"""Layers and modules: torch's answers and names, parameters, and files that are whole."""

from __future__ import annotations

import math
import os
import struct
import threading
import zipfile

import numpy as np
import pytest

from shimhub.pure import (
    GELU,
    LayerNorm,
    Linear,
    Module,
    PureTensor,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    manual_seed,
    tensor_ops,
)
from shimhub.pure.errors import DataError, KindError


def model():
    """Return a model with every layer that has parameters."""
    return Sequential(Linear(4, 3), ReLU(), LayerNorm(3), Linear(3, 2, bias=False))


class Tied(Module):
    """A model of a user: one weight used twice, layers in a dict and a list, and other things."""

    def __init__(self):
        self.scale = PureTensor([2.0], True)
        self.blocks = [Linear(2, 2), {"out": Linear(2, 1)}]
        self.again = self.blocks[0]
        self.last = self.scale * 2
        self._hidden = PureTensor([1.0])
        self.name = "tied"


def test_parameters_are_found_once_and_by_name():
    """In attributes, modules, lists and dicts; results and private attributes are none."""
    names = [name for name, _ in Tied().named_parameters()]
    places = ("0.weight", "0.bias", "1.out.weight", "1.out.bias")
    assert ["scale", *(f"blocks.{one}" for one in places)] == names
    assert 5 == len(Tied().parameters())


def test_a_module_that_leads_to_itself_has_each_parameter_once():
    """A layer that knows its model is no endless loop."""
    made = Linear(2, 2, bias=False)
    made.parent = [made]
    assert ["weight"] == [name for name, _ in made.named_parameters()]


def test_a_linear_layer_is_drawn_as_torchs():
    """Evenly within 1 / sqrt(in_features), both ways, and repeated by the seed."""
    manual_seed(1)
    layer = Linear(100, 400)
    manual_seed(1)
    assert np.array_equal(layer.weight.data, Linear(100, 400).weight.data)
    assert (400, 100) == layer.weight.shape
    assert 0.1 >= np.abs(layer.weight.data).max() > 0.0999
    assert 0.1 / math.sqrt(3) == pytest.approx(layer.weight.data.std(), rel=0.01)


def test_a_sequential_takes_layers_in_three_ways():
    """As arguments, as a list and by name; it has a length, items and a repr."""
    layers = [Linear(2, 2), ReLU()]
    for made in (Sequential(*layers), Sequential(layers), Sequential(layers=layers)):
        assert (2, layers, layers[1]) == (len(made), list(made), made[1])
    assert "Sequential(Linear(2, 2), ReLU())" == repr(made)
    assert "Linear(3, 2, bias=False)" == repr(model()[3])
    names = [repr(one) for one in (Sigmoid(), Tanh(), Softmax(), GELU("tanh"), LayerNorm(3))]
    assert ["Sigmoid()", "Tanh()", "Softmax(-1)", "GELU('tanh')", "LayerNorm(3)"] == names
    assert [[1.0]] == Sequential()([[1]]).tolist()
    assert [[1.0]] == Sequential(tensor_ops.relu)([[1]]).tolist()


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Linear(0, 2), DataError, "in_features: 0 is not an integer >= 1"),
        (lambda: Linear(2, 1.5), DataError, "out_features: 1.5"),
        (lambda: LayerNorm(True), DataError, "features: True"),
        (lambda: GELU("fast"), DataError, "'fast' is neither 'none' nor 'tanh'"),
        (lambda: Sequential(ReLU(), 3), KindError, r"layers\[1\]: int is neither a module"),
        (lambda: Linear(3, 2)([[1, 2]]), DataError, r"\(1, 2\) does not end in 3, for Linear\(3"),
        (lambda: Linear(1, 2)(3.0), DataError, r"shape \(\) does not end in 1"),
        (
            lambda: Linear(1, 2)(PureTensor([[1]], dtype="float64")),
            *(KindError, "float64 is not float32.*dtype='float64'"),
        ),
        (lambda: Module()(1), NotImplementedError, "Module has no method forward"),
    ],
)
def test_what_makes_no_sense_is_told(make, error, told):
    """Each mistake is an error that names the argument and the layer."""
    with pytest.raises(error, match=told):
        make()


def test_a_model_takes_the_users_arrays_in_its_own_dtype():
    """A float64 array, as scikit-learn's, goes through a float32 model, and the other way."""
    assert np.float32 == model()(np.ones((2, 4))).dtype
    assert np.float64 == Linear(2, 1, dtype="float64")(np.ones((1, 2), np.float32)).dtype


# ---- states and files


def test_a_state_is_a_copy_and_comes_back():
    """What is loaded is what was saved, bit for bit, and neither shares memory with a model."""
    first, second = model(), model()
    state = first.state_dict()
    second.load_state_dict(state)
    assert ["0.weight", "0.bias", "2.weight", "2.bias", "3.weight"] == list(state)
    for name, tensor in second.named_parameters():
        assert np.array_equal(state[name], tensor.data)
        assert not np.shares_memory(state[name], tensor.data)


def test_a_wrong_state_is_told_at_once_and_changes_nothing():
    """Missing, foreign, misshapen and textual values in one message; the model is as before."""
    made = model()
    before = made.state_dict()
    wrong = made.state_dict() | {"extra": np.ones(1), "0.bias": np.ones(9)}
    wrong["2.bias"] = np.array(["a", "b", "c"])
    del wrong["3.weight"]
    with pytest.raises(DataError) as caught:
        made.load_state_dict(wrong)
    assert (
        "state: 0.bias has the shape (9,), and the model (3,); 2.bias has <U1 values; "
        "3.weight is missing; extra is not in the model"
    ) == str(caught.value)
    assert all(np.array_equal(before[name], one) for name, one in made.state_dict().items())


def test_a_file_comes_back_whatever_its_name(tmp_path):
    """Saving and loading keep the bits, of attributes that are named as numpy's arguments, too."""

    class Odd(Module):
        def __init__(self, value):
            self.file = PureTensor([value], True)

    Odd(1.5).save(tmp_path / "model.bin")
    other = Odd(0.0)
    other.load(tmp_path / "model.bin")
    assert [1.5] == other.file.tolist() == np.load(tmp_path / "model.bin")["file"].tolist()
    assert ["model.bin"] == [one.name for one in tmp_path.iterdir()]


def test_a_save_that_fails_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    """It is whole or not there, and nothing is left beside it."""
    made = Linear(1, 1)
    made.save(tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    monkeypatch.setattr(np.lib.format, "write_array", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.save(tmp_path / "m")
    assert [("m", before)] == [(one.name, one.read_bytes()) for one in tmp_path.iterdir()]


def member(header, data=bytes(8), version=(1, 0)):
    """Return what writes a file whose array has such a header of numpy's."""
    told = header.encode()
    raw = b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(told)) + told + data
    return lambda path: zipfile.ZipFile(path, "w").writestr("weight.npy", raw)


def header(shape, descr="'<f4'"):
    """Return the header of an array of that shape."""
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def pickled(path):
    """Write a file with an array of objects, which numpy could only unpickle."""
    np.savez(path.open("wb"), weight=np.array([print], dtype=object))


@pytest.mark.parametrize(
    "write",
    [
        pickled,
        lambda path: path.write_bytes(b"no archive"),
        lambda path: path.write_bytes(b""),
        lambda path: zipfile.ZipFile(path, "w").writestr("weight.npy", b"no array"),
        lambda path: zipfile.ZipFile(path, "w").writestr("weight.npy", b"\x93NUMPY\x01\x00"),
        member(header("(999999999999,)")),
        member(header("(-2,)")),
        member(header("(True, 2)")),
        member(header("(2,)", "('<f4', 3)")),
        member(header("(2,)", "[('a', 'O')]")),
        member(header("(2,)", "'no dtype'")),
        member(header("(2,)"), version=(9, 9)),
        member("{"),
        member("  1\n 2\n"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_file_that_is_none_is_refused_with_its_name(tmp_path, write):
    """No archive, an empty file, members that are no arrays, and pickles, which are never run."""
    write(tmp_path / "m.npz")
    with pytest.raises(DataError, match=r"m\.npz: .*save\(\) wrote no such file"):
        Linear(1, 1).load(tmp_path / "m.npz")


def test_a_file_with_any_byte_changed_is_refused_or_right(tmp_path):
    """Cut, packed, with bytes changed: ``DataError``, or the values that were saved."""
    made, other, path = Linear(3, 2), Linear(3, 2), tmp_path / "m"
    made.save(path)
    whole = path.read_bytes()
    np.savez_compressed(tmp_path / "packed.npz", **made.state_dict())
    packed = (tmp_path / "packed.npz").read_bytes()
    draw, refused = np.random.default_rng(0), 0
    for _ in range(600):
        raw = bytearray(packed if draw.random() < 0.5 else whole)
        raw[draw.integers(len(raw))] = draw.integers(256)
        path.write_bytes(raw if draw.random() < 0.8 else raw[: draw.integers(len(raw))])
        try:
            other.load(path)
        except DataError:
            refused += 1
        else:
            assert made.weight.tolist() == other.weight.tolist()
    assert refused > 300


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_with_a_member_twice_is_refused(tmp_path):
    """Also where one of them has no suffix: neither is silently the one that counts."""
    made, path = Linear(3, 2), tmp_path / "m"
    for twice in ("weight.npy", "weight"):
        made.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(twice, archive.read("weight.npy"))
        with pytest.raises(DataError, match="weight is there twice"):
            made.load(path)


def test_saving_through_a_link_keeps_it(tmp_path):
    """What it leads to is replaced, in the other folder; also where that is not there yet."""
    made, other = Linear(3, 2), Linear(3, 2)
    (tmp_path / "there").mkdir()
    link, path = tmp_path / "link.npz", tmp_path / "there" / "m.npz"
    link.symlink_to(path)
    for _ in range(2):
        made.save(link)
        assert link.is_symlink()
        assert [path] == list(path.parent.iterdir())
    other.load(path)
    assert made.weight.tolist() == other.weight.tolist()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_written_into(tmp_path):
    """It stays what it is: a device in its place, as /dev/null, is the whole machine's."""
    made, path = Linear(3, 2), tmp_path / "pipe"
    os.mkfifo(path)
    found = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    made.save(path)
    reader.join()
    assert path.is_fifo()
    assert [path] == list(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(found[0])
    other = Linear(3, 2)
    other.load(tmp_path / "file")
    assert made.weight.tolist() == other.weight.tolist()


def test_a_file_keeps_who_may_read_it(tmp_path):
    """Saving again leaves a private file private; a name may be as long as the system takes."""
    made, path = Linear(3, 2), tmp_path / ("m" * 251 + ".npz")
    made.save(path)
    path.chmod(0o600)
    made.save(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(tmp_path.iterdir())


def test_a_missing_file_is_pythons_own_error(tmp_path):
    """It names the path."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Linear(1, 1).load(tmp_path / "nowhere")


# ---- torch


def twins():
    """Return the same model here and in torch, with the same values."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(5)
    ours = Sequential(Linear(5, 4), Tanh(), LayerNorm(4), Linear(4, 3), GELU(), Linear(3, 3))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(5, 4),
        torch.nn.Tanh(),
        torch.nn.LayerNorm(4),
        torch.nn.Linear(4, 3),
        torch.nn.GELU(),
        torch.nn.Linear(3, 3),
    )
    ours.load_state_dict(theirs.state_dict())
    return torch, ours, theirs


def test_states_go_to_torch_and_back():
    """The names and shapes are torch's, both ways."""
    torch, ours, theirs = twins()
    state = {name: torch.from_numpy(one + 1) for name, one in ours.state_dict().items()}
    theirs.load_state_dict(state)
    ours.load_state_dict(theirs.state_dict())
    assert all(np.array_equal(state[name], one) for name, one in ours.state_dict().items())


@pytest.mark.parametrize("loss", ["mse_loss", "cross_entropy"])
def test_answers_and_gradients_are_torchs(loss):
    """Of a model with every layer: within 32 eps of the greatest value of each array."""
    torch, ours, theirs = twins()
    x = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    target = x[:, :3].copy() if loss == "mse_loss" else np.arange(7) % 3
    ours_loss = getattr(tensor_ops, loss)(ours(x), target)
    theirs_loss = getattr(torch.nn.functional, loss)(
        theirs(torch.from_numpy(x)), torch.as_tensor(target)
    )
    ours_loss.backward()
    theirs_loss.backward()
    assert theirs_loss.item() == pytest.approx(ours_loss.item(), rel=32 * 2**-23)
    for (name, mine), its in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        expected = its.grad.numpy()
        bound = 32 * 2**-23 * np.abs(expected).max()
        np.testing.assert_allclose(mine.grad.data, expected, rtol=0, atol=bound, err_msg=name)


ACTIVATIONS = {
    "relu": "relu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "gelu": "nn.functional.gelu",
    "softmax": "softmax",
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_gradients_are_torchs(name, dtype):
    """Values within 16 eps of torch's, gradients within 32 eps of the greatest, from -30 to 30."""
    torch = pytest.importorskip("torch")
    values = np.linspace(-30, 30, 601).astype(dtype)
    ours, theirs = PureTensor(values, True, dtype=dtype), torch.tensor(values, requires_grad=True)
    up = np.random.default_rng(1).normal(size=values.shape).astype(dtype)
    mine = getattr(tensor_ops, name)(ours)
    its = torch
    for part in ACTIVATIONS[name].split("."):
        its = getattr(its, part)
    its = its(theirs, -1) if name == "softmax" else its(theirs)
    mine.backward(up)
    its.backward(torch.from_numpy(up))
    eps = np.finfo(dtype).eps
    expected = its.detach().numpy()
    tiny = 16 * eps if name == "gelu" else float(np.finfo(dtype).tiny)
    np.testing.assert_allclose(mine.data, expected, rtol=16 * eps, atol=tiny)
    np.testing.assert_allclose(
        ours.grad.data, theirs.grad.numpy(), rtol=0, atol=32 * eps * np.abs(up).max()
    )


def test_a_state_is_loaded_whole_or_not_at_all():
    """A later parameter that cannot be written, or converted: the first one keeps its values."""
    model = Sequential(Linear(3, 4), Linear(4, 2))
    good = {name: np.ones_like(one) for name, one in model.state_dict().items()}
    before = model.layers[0].weight.tolist()
    wide = good | {"1.weight": np.full((2, 4), 1e300)}
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        model.load_state_dict(wide)
    model.layers[1].weight = PureTensor(np.broadcast_to(np.float32(1), (2, 4)))
    with pytest.raises(DataError, match=r"1\.weight is read-only in the model"):
        model.load_state_dict(good)
    assert before == model.layers[0].weight.tolist()


def test_names_of_two_parameters_are_refused():
    """Neither saving nor loading drops one of them without a word."""
    model = Module()
    model.a = {"b.c": PureTensor([1.0], True), "b": {"c": PureTensor([2.0], True)}}
    assert 2 == len(model.parameters())
    for use in (model.state_dict, lambda: model.load_state_dict({"a.b.c": [3.0]})):
        with pytest.raises(DataError, match=r"a\.b\.c: is the name of two parameters"):
            use()
