"""What goes wrong with torch-tensorcore-speedkit 0.1.0, each as a test that passes here.

https://github.com/officialcyber88/torch-tensorcore-speedkit at 59c08a6. The fourteenth, a wait for
the device at each micro-step, is the Trainer's: its loss is read once a line.
"""

from __future__ import annotations

import copy
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from shimhub.speed import SpeedConfigError, reporting  # noqa: E402
from tests.speedkit.served import served  # noqa: E402  # it needs torch


@pytest.fixture
def kit():
    """The served package, with every flag as before afterwards."""
    with served("") as package:
        yield package


def flags():
    """Return every flag of the process that a knob knows."""
    return {(one.knob, one.name): one.before for one in reporting.examine().flags}


def test_01_the_quick_start_has_its_autocast(kit):
    """`ctx.autocast()` is there, and `ctx.grad_scaler`."""
    model, ctx = kit.apply_speedups(nn.Linear(2, 2), kit.SpeedConfig.from_dict({}))
    with ctx.autocast():
        assert model(torch.ones(1, 2)).shape == (1, 2)
    assert not ctx.grad_scaler.is_enabled()


@pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")
def test_02_auto_degrades_to_fp32_on_a_cpu(kit):
    """No GPU is no error, and nothing is touched."""
    before = flags()
    _, ctx = kit.apply_speedups(nn.Linear(2, 2), {"precision": "auto"})
    assert "fp32" == ctx.plan.of("precision").value
    assert before == flags()


def test_03_the_scaler_of_the_configuration_is_used(kit):
    """`grad_scaler: {enabled: true}` scales where precision is fp16."""
    config = {"precision": "fp16", "grad_scaler": {"enabled": True}}
    _, ctx = kit.apply_speedups(nn.Linear(2, 2), config)
    assert ctx.grad_scaler.is_enabled()
    config["grad_scaler"] = {"enabled": False}
    assert not kit.apply_speedups(nn.Linear(2, 2), config)[1].grad_scaler.is_enabled()


def test_04_nothing_is_seeded(kit):
    """The states of all three generators are what they were."""

    def states():
        numpy = np.random.get_state()[1].tolist()  # noqa: NPY002  # the state that scripts share
        return random.getstate(), numpy, torch.get_rng_state().tolist()

    before = states()
    kit.apply_speedups(nn.Identity(), {"precision": "auto"})
    assert before == states()


def test_05_nothing_is_compiled_unasked(kit):
    """The quick start leaves the model as it is."""
    model, ctx = kit.apply_speedups(nn.Linear(2, 2), {"precision": "auto"})
    assert model._compiled_call_impl is None
    assert "compile" not in ctx.before


def test_06_a_compiler_that_fails_at_the_first_forward_is_survived(kit):
    """The model runs uncompiled, and the context tells why."""

    def backend(_graph, _inputs):
        raise RuntimeError("no compiler here")

    torch._dynamo.register_backend(backend, name="shimhub_failing")
    config = {"compile": {"enabled": True, "backend": "shimhub_failing"}}
    model, ctx = kit.apply_speedups(nn.Linear(2, 2), config)
    expected = nn.functional.linear(torch.ones(1, 2), model.weight, model.bias)
    assert torch.equal(expected, model(torch.ones(1, 2)))
    ctx.restore()


def test_07_checkpoints_keep_their_keys(kit):
    """A compiled model is the same object with the same keys."""
    plain = nn.Linear(2, 2)
    config = {"compile": {"enabled": True, "backend": "eager"}}
    model, ctx = kit.apply_speedups(plain, config)
    model(torch.ones(1, 2))
    assert model is plain
    assert ["weight", "bias"] == list(model.state_dict())
    ctx.restore()


def test_08_restore_forgets_no_flag(kit):
    """CuDNN's and attention's come back, too; and a `medium` of the user stays readable."""
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = True
    try:
        before = flags()
        config = {"cudnn_benchmark": False, "sdp": {"enable_flash": False}}
        _, ctx = kit.apply_speedups(nn.Identity(), {**config, "tf32_matmul_precision": "high"})
        ctx.restore()
        assert before == flags()
        assert "medium" == torch.get_float32_matmul_precision()
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.benchmark = False


CODE = """
import torch
torch.backends.cuda.matmul.fp32_precision = "tf32"
from shimhub.speed import reporting
told = reporting.examine(apply=True, restore=True)
assert 0 == told.code
print("\\n".join(reporting.lines_of(told)))
"""


def test_09_the_report_survives_the_new_names_of_tf32():
    """Where the user set the new names, torch's old ones cannot be read: that is shown."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert "torch.backends.cuda.matmul.fp32_precision" in done.stdout


def test_10_nothing_deprecated_is_called(kit):
    """The scaler and autocast are torch's present ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, ctx = kit.apply_speedups(nn.Linear(2, 2), {"precision": "fp16"})
        with ctx.autocast():
            ctx.grad_scaler.scale(torch.ones(1))


def test_11_a_benchmark_names_the_machine_and_its_uncertainty():
    """The device and an interval are measured; arms come in turns."""
    from shimhub.speed import SpeedConfig, benching

    found = benching.benchmark(SpeedConfig.from_dict({}), dim=16, batch=2, budget_s=0.5)
    told = "\n".join(benching.lines_of(found))
    assert found.plan.hardware.name in told
    if found.timing.pairs:  # none on a machine that gave this no time at all
        assert found.timing.low <= found.timing.ratio <= found.timing.high


def test_12_a_key_overwrites_no_method(kit):
    """Unknown keys are errors, all told at once; the caller's dict stays as it is."""
    told = {"validate": None, "compile": {"enabled": "auto", "mode": 3}}
    kept = copy.deepcopy(told)
    with pytest.raises(SpeedConfigError, match=r"(?s)validate.*compile\.mode"):
        kit.SpeedConfig.from_dict(told)
    assert kept == told


def test_13_a_cpu_can_be_asked_for_other_precision(kit):
    """The setting of matrix products is no matter of GPUs: oneDNN reads it, too."""
    before = torch.get_float32_matmul_precision()
    _, ctx = kit.apply_speedups(nn.Identity(), {"tf32_matmul_precision": "medium"})
    assert "medium" == torch.get_float32_matmul_precision()
    ctx.restore()
    assert before == torch.get_float32_matmul_precision()


def test_14_a_step_does_not_wait_for_the_device(kit, monkeypatch):
    """The loss is read for the lines that are logged, not for each micro-step."""
    table = {"steps_per_epoch": 6, "grad_accum_steps": 4, "log_every": 3, "batch_size": 2}
    model, ctx = kit.apply_speedups(nn.Linear(2, 1), {"train": table})
    read = []
    real = torch.Tensor.__float__
    monkeypatch.setattr(torch.Tensor, "__float__", lambda one: read.append(1) or real(one))
    trainer = kit.Trainer(
        model, ctx, nn.functional.mse_loss, lambda n, device: (torch.ones(n, 2), torch.ones(n, 1))
    )
    assert len(trainer.train()) == len(read) == 2
