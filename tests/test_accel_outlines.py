"""A tensor's size by torch's stable C functions: as DLPack tells it, and not at all if in doubt."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub import accel, kernels
from shimhub.accel import thresholds

torch = pytest.importorskip("torch")
from shimhub.accel import _fast, _outlines, torch_ffi  # noqa: E402 - imports torch

pytestmark = pytest.mark.skipif(not kernels.available(), reason="there is no native library")
functional = torch.nn.functional


@pytest.fixture(params=["functions", "DLPack"])
def _told_by(request):
    """Sizes are told by torch's functions, or as without them."""
    torch_ffi.functions()
    assert _outlines.use()
    if request.param == "DLPack":
        assert not _fast.use_outlines((), ())
    yield
    assert _outlines.use()


@pytest.fixture
def _small_are_torchs(monkeypatch):
    """Work below 10 is torch's in mode AUTO, below 6 where rows are short."""

    def tensor_range(*_args, **_named):
        return (0.0, 6.0) if _args[3:] == (True,) else (0.0, 10.0)

    monkeypatch.setattr(thresholds, "tensor_range", tensor_range)
    thresholds.changed()
    with accel.using("auto"):
        yield
    monkeypatch.undo()
    thresholds.changed()


def ways(call, other):
    """Return whether torch computed a call, which gives what the other does."""
    accel.reset_stats()
    answer = call()
    told = accel.get_stats()
    torch.testing.assert_close(answer, other())
    assert 1 == told.ffi_count + told.pure_count
    return told.ffi_count == 1


@pytest.mark.parametrize("told", [(), "more"])
def test_this_torch_has_the_functions(told):
    """They are found, and agree with every sample: torch 2.1 and later have them."""
    more = tuple(_sample(torch.zeros(shape)) for shape in [(1,), (2, 3, 4), (9, 0)])
    assert 3 == len(_outlines.addresses())
    assert _fast.use_outlines(_outlines.addresses(), _outlines.samples() + (more if told else ()))


def _sample(tensor, **other):
    found = {"inside": tensor._cdata, "nd": tensor.dim(), "count": tensor.numel(), "type": 0}
    return (tensor, *{**found, **other}.values())


@pytest.mark.parametrize("wrong", [{"inside": 64}, {"nd": 3}, {"count": 5}, {"type": 1}])
@pytest.mark.parametrize("at", ["first", "last"])
def test_a_sample_that_differs_leaves_the_functions_alone(wrong, at):
    """One fact that is not as torch's functions tell it is enough."""
    sample = _sample(torch.zeros(2, 3), **wrong)
    samples = (sample, *_outlines.samples()) if at == "first" else (*_outlines.samples(), sample)

    assert not _fast.use_outlines(_outlines.addresses(), samples)
    assert _outlines.use()


@pytest.mark.parametrize("file", ["nothing.so", None])
def test_a_torch_without_the_functions_has_no_addresses(monkeypatch, file):
    """No library, or one without these names, is no error."""
    file = file or kernels._loading.native().__file__
    monkeypatch.setattr(torch, "_C", types.SimpleNamespace(__file__=file))

    assert () == _outlines.addresses()


def test_wrong_arguments_are_refused():
    """C checks what it is given."""
    native = kernels._loading.native()
    for wrong in [(), ((), []), ((1,), ()), (3, ())]:
        with pytest.raises(TypeError, match="accel_outline"):
            native.accel_outline(*wrong)
    with pytest.raises(TypeError):
        native.accel_outline(_outlines.addresses(), ((torch.zeros(1),), (torch.zeros(1),)))
    with pytest.raises(TypeError):
        native.accel_outline(("a", "b", "c"), _outlines.samples())
    assert not native.accel_outline((0, 0, 0), _outlines.samples())
    assert _outlines.use()


@pytest.mark.usefixtures("_told_by", "_small_are_torchs")
@given(
    shape=st.lists(st.integers(0, 5), max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int64]),
    transposed=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_sizes_choose_as_shapes_do(shape, dtype, transposed):
    """Torch computes what is below its range's end, and what our kernels do not take."""
    x = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    x = x.movedim(0, -1) if transposed and shape else x
    ours = x.numel() >= 6 and shape and x.is_contiguous() and dtype in _outlines._TYPES

    assert ours != ways(lambda: accel.add(x, x), lambda: torch.add(x, x))


@pytest.mark.usefixtures("_told_by", "_small_are_torchs")
@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (2, 3), (1, 16), (2, 5), (1, 9), (0, 4)])
def test_operations_on_rows_and_layers_choose_by_all_of_the_work(rows, columns):
    """Rows below 16 elements have their own range; a layer's work is that of its products."""
    x, w, b = torch.randn(rows, columns), torch.randn(columns, 2), torch.randn(2)
    row = torch.randn(columns)
    small, few = x.numel() < 6, 2 * x.numel() < 6

    def by_torch():
        return functional.layer_norm(x, (columns,), row, row)

    assert small == ways(lambda: accel.layer_norm(x, row, row), by_torch)
    assert small == ways(lambda: accel.softmax(x), lambda: torch.softmax(x, -1))
    assert few == ways(lambda: accel.linear(x, w, b), lambda: torch.addmm(b, x, w))
    assert few == ways(lambda: accel.linear(x, w), lambda: x @ w)


@pytest.mark.usefixtures("_told_by", "_small_are_torchs")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((2,), (8, 2)),
        ((8, 2), (2,)),
        ((), (4, 4)),
        ((4, 4), ()),
        ((), ()),
        ((3,), (3,)),
        ((16,),) * 2,
    ],
)
def test_explain_names_who_computes_what_is_broadcast(one, other):
    """The larger of two tensors counts, wherever it stands; those of one number are torch's."""
    x, y = torch.ones(one), torch.ones(other)
    told = accel.explain("add", x, y).backend

    assert (told == "torch") == ways(lambda: accel.add(x, y), lambda: torch.add(x, y))
    assert (told == "torch") == (min(x.ndim, y.ndim) == 0 or max(x.numel(), y.numel()) < 6)


@pytest.mark.usefixtures("_told_by", "_small_are_torchs")
@pytest.mark.parametrize("rows", [1, 6])
def test_options_by_name_choose_as_those_by_place(rows):
    """What explain tells is counted, whichever way an option or parameter is given."""
    x, w, b = torch.randn(rows, 4), torch.randn(4), torch.randn(4)
    for name, by_place, by_name in (
        ("softmax", (x, 0), {"axis": 0}),
        ("gelu", (x, "tanh"), {"approximate": "tanh"}),
        ("layer_norm", (x, w, b), {"bias": b, "weight": w}),
        ("layer_norm", (x, w, b, 1e-3), {"bias": b, "eps": 1e-3, "weight": w}),
    ):
        function = getattr(accel, name)
        told = accel.explain(name, x, **by_name).backend
        assert told == accel.explain(name, *by_place).backend
        by_torch = ways(
            lambda call=function, named=by_name: call(x, **named),
            lambda call=function, given=by_place: call(*given),
        )
        assert (rows == 1, told == "torch") == (by_torch, by_torch)
    with pytest.raises(TypeError, match="out"):
        accel.softmax(x, out=torch.empty_like(x))


@pytest.mark.usefixtures("_told_by")
@pytest.mark.parametrize("mode", ["torch", "auto", "native"])
def test_rows_of_another_size_than_the_weights_are_a_value_error(mode):
    """A weight tells how long rows are, and torch whether they are so."""
    x = torch.randn(2, 3)
    with accel.using(mode):
        for size in (1, 2, 4, 6):
            with pytest.raises(
                ValueError, match=r"layer_norm: weight: shape \(\d,\) is not \(3,\)"
            ):
                accel.layer_norm(x, torch.ones(size), torch.ones(size))
            with pytest.raises(ValueError, match=r"linear: bias: shape \(\d,\) is not \(5,\)"):
                accel.linear(x, torch.ones(3, 5), torch.ones(size))


@pytest.mark.usefixtures("_told_by", "_small_are_torchs")
def test_unusual_tensors_are_torchs_without_a_word(capfd):
    """Sparse, meta and others: torch's answer, and nothing on stderr."""
    x = torch.randn(4, 4)
    odd = {
        "sparse": x.to_sparse(),
        "meta": x.to("meta"),
        "negated": torch._neg_view(x),
        "zero": torch._efficientzerotensor((4, 4)),
        "mkldnn": x.to_mkldnn(),
    }
    for name, one in odd.items():
        answer, expected = accel.relu(one), torch.relu(one)
        assert (expected.layout, expected.dtype) == (answer.layout, answer.dtype), name
        if name != "meta":
            np.testing.assert_array_equal(_dense(expected), _dense(answer))
    torch.testing.assert_close(torch.relu(x), torch.vmap(accel.relu)(x))
    assert ("", "") == capfd.readouterr()


def _dense(tensor):
    return (tensor if tensor.layout is torch.strided else tensor.to_dense()).numpy()
