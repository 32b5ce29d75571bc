"""The registry of knobs, and what cuDNN's and attention's take and refuse."""

import re
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

from torch.nn.attention import SDPBackend  # noqa: E402

from shimhub.speed import Hardware, KnobError, Numerics  # noqa: E402
from shimhub.speed.knobs import KNOBS  # noqa: E402
from shimhub.speed.knobs.sdpa import KERNELS, kernels_of  # noqa: E402
from tests._speed_settings import PROCESS, SDPA, fresh  # noqa: E402

CPU, GPU = Hardware("cpu", "a CPU"), Hardware("cuda", "a GPU")
FLAGS = {"cudnn_benchmark": "benchmark", "deterministic": "deterministic"}


@pytest.fixture(autouse=True)
def _settings():
    fresh()
    yield
    fresh()


def test_each_knob_has_its_name_and_says_what_it_may_change():
    """The registry's name is the knob's own; class and scope are words of the model."""
    assert 8 == len(KNOBS)
    for name, knob in KNOBS.items():
        assert name == knob.id
        assert isinstance(knob.numerics, Numerics)
        assert knob.scope in {"process", "model", "optimizer"}


def test_lossy_knobs_are_those_with_fewer_bits():
    """The others are exact, or sum in another order."""
    lossy = {name for name, knob in KNOBS.items() if knob.numerics is Numerics.LOSSY}
    assert {"fp32_precision", "autocast"} == lossy


def test_an_unknown_knob_is_named_with_the_nearest():
    """The registry is a mapping: KeyError, None from get, False from in."""
    with pytest.raises(KeyError, match=r"no knob 'fp32_precison' \(did you mean 'fp32_precision'"):
        KNOBS["fp32_precison"]
    assert KNOBS.get("fp32") is None
    assert "fp32" not in KNOBS
    assert "sdpa" in KNOBS


def test_torch_is_not_imported_by_a_list_of_the_knobs():
    """Nor by the package; asking for one knob imports it."""
    code = (
        "import sys\n"
        "import shimhub.speed\n"
        "from shimhub.speed import KNOBS\n"
        "assert 'sdpa' in [*KNOBS]\n"
        "assert 'SpeedContext' in dir(shimhub.speed)\n"
        "assert 'torch' not in sys.modules\n"
        "KNOBS['sdpa']\n"
        "assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_the_package_has_no_other_names():
    """A name that is wrong is told as of any module."""
    import shimhub.speed

    with pytest.raises(AttributeError, match=r"module 'shimhub.speed' has no attribute 'aply'"):
        shimhub.speed.aply  # noqa: B018


# ---- cuDNN


@pytest.mark.parametrize("user", [False, True])
@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_of_cudnn_is_read_set_and_restored(name, value, user):
    """Whatever it was before; the other flag is left alone."""
    knob, flag = KNOBS[name], FLAGS[name]
    setattr(torch.backends.cudnn, flag, user)
    before = dict(knob.read(PROCESS))
    assert {f"torch.backends.cudnn.{flag}": user} == before
    knob.apply(value, PROCESS)
    assert value is getattr(torch.backends.cudnn, flag)
    knob.restore(before, PROCESS)
    assert before == knob.read(PROCESS)


@pytest.mark.parametrize("value", [None, 1, 0, "true", "False"])
@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_true_or_false(name, value):
    """Torch takes anything that has a truth; 'False' would switch it on."""
    knob, told = KNOBS[name], f"{name} is {value!r}: it can be True or False"
    assert told == knob.why_not(value, GPU, PROCESS)
    with pytest.raises(KnobError, match=re.escape(told)):
        knob.apply(value, PROCESS)


def test_benchmark_and_deterministic_contradict_each_other():
    """Whichever is on first: kernels that are picked by stopwatch are not the same each time."""
    torch.backends.cudnn.deterministic = True
    told = "torch.backends.cudnn.deterministic is on"
    assert told in KNOBS["cudnn_benchmark"].why_not(True, GPU, PROCESS)
    with pytest.raises(KnobError, match=told):
        KNOBS["cudnn_benchmark"].apply(True, PROCESS)
    KNOBS["cudnn_benchmark"].apply(False, PROCESS)
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.benchmark = True
    told = "torch.backends.cudnn.benchmark is on"
    assert told in KNOBS["deterministic"].why_not(True, GPU, PROCESS)
    with pytest.raises(KnobError, match=told):
        KNOBS["deterministic"].apply(True, PROCESS)


@pytest.mark.parametrize(
    ("hardware", "value", "expected"),
    [
        (CPU, True, "torch.backends.cudnn.benchmark is a setting of GPU convolutions; this is cpu"),
        (Hardware("mps", ""), True, "torch.backends.cudnn.benchmark is a setting of GPU"),
        (GPU, False, "torch.backends.cudnn.benchmark is False already"),
        (GPU, True, ""),
        (Hardware("rocm", ""), True, ""),
    ],
)
def test_why_not_of_cudnn(hardware, value, expected):
    """What cannot matter is told, and neither set nor timed."""
    assert KNOBS["cudnn_benchmark"].why_not(value, hardware, PROCESS).startswith(expected)
    assert bool(expected) is bool(KNOBS["cudnn_benchmark"].why_not(value, hardware, PROCESS))


# ---- attention


@pytest.mark.parametrize("off", [None, *SDPA])
@pytest.mark.parametrize("value", [["math"], ("flash", "cudnn"), tuple(SDPA)])
def test_kernels_are_read_set_and_restored(value, off):
    """Those that are named are allowed, the others are not; then it is as it was."""
    if off:
        SDPA[off](False)
    before = dict(KNOBS["sdpa"].read(PROCESS))
    KNOBS["sdpa"].apply(value, PROCESS)
    assert {name for name, kernel in KERNELS.items() if kernel.get()} == set(value)
    KNOBS["sdpa"].restore(before, PROCESS)
    assert before == KNOBS["sdpa"].read(PROCESS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["math"], ("math",)),
        (("flash", "math", "flash"), ("flash", "math")),
        (["FLASH_ATTENTION", "efficient"], ("flash", "mem_efficient")),
        (list(SDPBackend.__members__.values())[1:4], ("math", "flash", "mem_efficient")),
        ({"cudnn": True}, ("cudnn",)),
    ],
)
def test_kernels_by_the_names_that_torch_has(value, expected):
    """As its functions have them, and as SDPBackend has them; each once."""
    assert expected == kernels_of(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("math", "sdpa is 'math': it can be a list of flash, mem_efficient, math, cudnn"),
        (None, "sdpa is None: it can be a list of"),
        ((), "sdpa allows no kernel, so no attention would run: name one or more of flash,"),
        (["falsh"], "sdpa names 'falsh' (did you mean 'flash'?): it can name flash,"),
        ([1], "sdpa names '1': it can name flash,"),
    ],
)
def test_other_names_are_errors(value, expected):
    """The error has the name and what there is; nothing was set."""
    before = dict(KNOBS["sdpa"].read(PROCESS))
    assert KNOBS["sdpa"].why_not(value, CPU, PROCESS).startswith(expected)
    with pytest.raises(KnobError, match=re.escape(expected)):
        KNOBS["sdpa"].apply(value, PROCESS)
    assert before == KNOBS["sdpa"].read(PROCESS)


@pytest.mark.parametrize(
    ("hardware", "value", "expected"),
    [
        (CPU, ["mem_efficient", "cudnn"], "a CPU has the kernels flash and math alone"),
        (GPU, ["mem_efficient", "cudnn"], ""),
        (CPU, ["math"], ""),
        (CPU, tuple(SDPA), "flash, mem_efficient, math, cudnn are the kernels that are allowed al"),
    ],
)
def test_why_not_of_kernels(hardware, value, expected):
    """What cannot matter is told, and neither set nor timed."""
    found = KNOBS["sdpa"].why_not(value, hardware, PROCESS)
    assert (bool(expected), expected) == (bool(found), found[: len(expected)])
