"""What ``apply_speedups`` hands back: contexts of the loop, the scaler, the report, the undo."""

import gc
import weakref

import pytest

torch = pytest.importorskip("torch")

from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.nn.functional import scaled_dot_product_attention  # noqa: E402

from shimhub.speed import Action, Decision, Hardware, Plan, apply_plan, apply_speedups  # noqa: E402
from tests._speed_settings import flags, fresh, world  # noqa: E402

CPU = Hardware("cpu", "a CPU")
MODEL = torch.nn.Linear(2, 2)


def context_of(hardware=CPU, **values):
    """Return the context of a plan that applies values."""
    decisions = (Decision(name, Action.APPLY, one, "asked", True) for name, one in values.items())
    return apply_plan(MODEL, Plan(hardware, tuple(decisions)))[1]


@pytest.fixture(autouse=True)
def _settings():
    fresh()
    yield
    fresh()


def computed(context):
    """Return the type that a matmul has inside of a context."""
    with context:
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(
    ("precision", "expected"), [("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_autocast_computes_in_the_precision_that_was_decided(precision, expected):
    """It does so each time, and again inside of another."""
    context = context_of(precision=precision)
    assert expected == computed(context.autocast())
    with context.autocast():
        assert expected == computed(context.autocast())
    assert torch.float32 == computed(torch.no_grad())


@pytest.mark.parametrize("values", [{}, {"precision": "fp32"}])
def test_autocast_of_fp32_leaves_the_users_own_on(values):
    """It is no autocast that is switched off, which would end the one around it."""
    context = context_of(**values)
    assert torch.float32 == computed(context.autocast())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.bfloat16 == computed(context.autocast())


def test_autocast_leaves_everything_as_it_was():
    """The cache, the type and the state of autocast are as before, after an error too."""
    context, around = context_of(precision="bf16"), world()
    with pytest.raises(ZeroDivisionError), context.autocast():
        raise ZeroDivisionError
    assert around == world()


@pytest.mark.parametrize("cache", [True, False])
def test_the_cache_of_autocast_is_as_configured(cache):
    """The key amp.autocast_cache_enabled is handed on."""
    config = {"precision": "bf16", "amp": {"autocast_cache_enabled": cache}}
    _, context = apply_speedups(torch.nn.Linear(2, 2), config)
    with context.autocast():
        assert cache is torch.is_autocast_cache_enabled()


@pytest.mark.parametrize(
    ("kind", "expected"), [("cuda", "cuda"), ("rocm", "cuda"), ("xpu", "xpu"), ("mps", "mps")]
)
def test_autocast_is_of_the_device_that_was_decided_for(kind, expected, monkeypatch):
    """Torch's word for ROCm is cuda; for the others it is ours."""
    asked = []
    monkeypatch.setattr(torch.amp, "autocast", lambda device, **options: asked.append(device))
    context_of(Hardware(kind, "a GPU"), precision="bf16").autocast()
    assert [expected] == asked


def test_sdp_allows_the_kernels_that_were_decided():
    """Inside of it the kernels are those, whatever the user allowed meanwhile; then as before."""
    context = context_of(sdpa=["math"])
    torch.backends.cuda.enable_flash_sdp(True)
    with context.sdp():
        assert not torch.backends.cuda.flash_sdp_enabled()
        one = torch.ones(1, 1, 2, 4)
        assert torch.equal(one, scaled_dot_product_attention(one, one, one))
    assert torch.backends.cuda.flash_sdp_enabled()


def test_restoring_inside_of_sdp_is_exact():
    """Its end writes what was restored; one that is entered later does nothing."""
    before = flags()
    context = context_of(sdpa=["math"])
    late = context.sdp()
    with context.sdp():
        context.restore()
        assert torch.backends.cuda.flash_sdp_enabled()
    assert before == flags()
    with late:
        assert before == flags()
    assert before == flags()


def test_sdp_of_nothing_decided_leaves_the_users_own():
    """A choice of the user around it stays."""
    with sdpa_kernel([SDPBackend.MATH]), context_of().sdp():
        assert not torch.backends.cuda.flash_sdp_enabled()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"precision": "bf16", "grad_scaler": True}, False),
        ({"precision": "fp16"}, False),
        ({"precision": "fp16", "grad_scaler": True}, True),
    ],
)
def test_the_scaler_scales_for_fp16_alone(values, expected):
    """It is a GradScaler in any case, so a loop written with it runs in every precision."""
    scaler = context_of(**values).grad_scaler
    assert isinstance(scaler, torch.amp.GradScaler)
    assert expected is scaler.is_enabled()
    loss = torch.ones(1, requires_grad=True).sum()
    assert (65536.0 if expected else 1.0) == scaler.scale(loss).item()


def test_a_loop_with_the_scaler_trains():
    """fp16 on the CPU, as the guide writes it: scale, step, update."""
    model, context = apply_speedups(torch.nn.Linear(2, 2), {"precision": "fp16"})
    optimizer, before = torch.optim.SGD(model.parameters(), lr=0.1), model.weight.detach().clone()
    with context.autocast():
        loss = model(torch.ones(1, 2)).float().mean()
    context.grad_scaler.scale(loss).backward()
    context.grad_scaler.step(optimizer)
    context.grad_scaler.update()
    assert torch.allclose(before - 0.05, model.weight)


def test_a_with_statement_restores_at_its_end():
    """Also when its block raises, whose error comes out."""
    around = world()
    context, seen = context_of(fp32_precision="high"), []
    with pytest.raises(ZeroDivisionError), context as same:
        seen += [same, torch.get_float32_matmul_precision(), same.active, 1 / 0]
    with context_of(fp32_precision="high") as same:
        seen += [torch.get_float32_matmul_precision(), same.active]
    assert ["high", True] == seen
    assert not context.active
    assert around == world()


def test_a_context_that_was_restored_does_nothing_more():
    """Autocast and sdp are empty from then on, and restoring again changes nothing."""
    context = context_of(precision="bf16", sdpa=["math"], cudnn_benchmark=True)
    context.restore()
    torch.backends.cudnn.benchmark = True
    context.restore()
    assert torch.backends.cudnn.benchmark
    assert torch.float32 == computed(context.autocast())
    with context.sdp():
        assert torch.backends.cuda.flash_sdp_enabled()


def test_before_after_and_restored_are_what_was_read():
    """Each has every setting of the knob, by the name that a user would type."""
    word = "torch.get_float32_matmul_precision()"
    torch.set_float32_matmul_precision("medium")
    before = flags()
    context = context_of(fp32_precision="high")
    assert ("medium", "high") == (
        context.before["fp32_precision"][word],
        context.after["fp32_precision"][word],
    )
    assert {} == context.restored
    context.restore()
    assert before.items() >= context.restored["fp32_precision"].items()
    assert context.before == context.restored


def test_the_report_says_what_was_decided_and_what_changed():
    """One line for a decision, one for each setting that was changed, the notes at the end."""
    context = context_of(precision="bf16", cudnn_benchmark=True, optimizer={"fused": True})
    expected = [
        "device: cpu (a CPU)",
        "precision: apply 'bf16': asked",
        "cudnn_benchmark: apply True: asked",
        "  torch.backends.cudnn.benchmark: False -> True",
        "optimizer: apply {'fused': True}: asked",
        "note: optimizer: not applied: it acts on the optimizer, and none was given",
    ]
    assert expected == context.report().splitlines()
    context.restore()
    expected[3] += " -> False (restored)"
    assert expected == context.report().splitlines()


def test_a_model_is_not_kept_alive():
    """It goes when the user lets go of it and of its context, without a restore."""
    gone, model = [], torch.nn.Conv2d(1, 1, 1)
    weakref.finalize(model, gone.append, 1)
    plan = Plan(CPU, (Decision("channels_last", Action.APPLY, True, "", True),))
    model, context = apply_plan(model, plan)
    assert [*context.before] == ["channels_last"]
    del model, context
    gc.collect()
    assert [1] == gone
