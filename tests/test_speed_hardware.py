"""What is told of this machine, and of machines that are not here, by a stand-in for torch."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from shimhub.speed import DeviceError, hardware
from shimhub.speed.hardware import detect, torch_device
from shimhub.speed.model import Hardware


class Gpus:
    """A stand-in for torch.cuda and torch.xpu, which notes whether a device was opened."""

    def __init__(self, *devices, current=None, error=None):
        self.devices = devices
        self.current = current
        self.error = error
        self.opened = []

    def device_count(self):
        return len(self.devices)

    def is_initialized(self):
        return self.current is not None

    def current_device(self):
        return self.current

    def get_device_properties(self, index):
        self.opened.append(index)
        if self.error:
            raise RuntimeError(self.error)
        return self.devices[index]


A100 = SimpleNamespace(name="A100", major=8, minor=0)
TURING = SimpleNamespace(name="T4", major=7, minor=5)
ARC = SimpleNamespace(name="Arc", has_bfloat16_conversions=True)
OLD_ARC = SimpleNamespace(name="Old", has_bfloat16_conversions=False)


@pytest.fixture
def stand_in(monkeypatch):
    """Return a function that puts a torch with some devices in the place of torch."""

    def put(cuda=(), xpu=(), mps=False, hip=None, **more):
        torch = SimpleNamespace(
            __version__="2.99.0",
            cpu=SimpleNamespace(get_capabilities=lambda: {"avx2": True, "cpu_name": "a CPU"}),
            cuda=cuda if isinstance(cuda, Gpus) else Gpus(*cuda),
            xpu=xpu if isinstance(xpu, Gpus) else Gpus(*xpu),
            backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
            version=SimpleNamespace(hip=hip),
            get_num_threads=lambda: 7,
            **more,
        )
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setattr(hardware.platform, "system", lambda: "Plan9")
        monkeypatch.setattr(hardware.platform, "machine", lambda: "arm64")
        return torch

    return put


def test_the_cpu_of_this_machine():
    """The CPU has a name, instruction sets, and as many threads as torch uses."""
    torch = pytest.importorskip("torch")
    found = detect("cpu")
    wanted = ("cpu", 0, None, str(torch.__version__), torch.get_num_threads(), 1)
    assert wanted == (
        found.kind,
        found.index,
        found.capability,
        found.torch,
        found.threads,
        found.count,
    )
    assert found.name
    assert found == detect("cpu:0")


def test_auto_on_this_machine():
    """It is the GPU that torch has, or the CPU, and torch takes its name for the device."""
    torch = pytest.importorskip("torch")
    found = detect()
    assert (found.kind in {"cuda", "rocm"}) == torch.cuda.is_available()
    assert torch_device(found).partition(":")[0] == torch.device(torch_device(found)).type


# ---- GPUs


def test_a_gpu_of_nvidia(stand_in):
    """By auto and by name: its name, compute capability and number."""
    stand_in(cuda=(A100, TURING))
    wanted = Hardware("cuda", "A100", 0, (8, 0), system="Plan9", torch="2.99.0", threads=7, count=2)
    assert wanted == detect() == detect("auto") == detect("cuda") == detect("cuda:0")
    assert ("T4", 1, (7, 5)) == (
        detect("cuda:1").name,
        detect("cuda:1").index,
        detect("cuda:1").capability,
    )


def test_the_current_gpu_is_meant_where_none_is_named(stand_in):
    """After ``torch.cuda.set_device`` it is that one, as for torch."""
    stand_in(cuda=Gpus(A100, TURING, current=1))
    assert (1, "T4") == (detect().index, detect().name)
    assert ("cuda:1", "cuda:0") == (torch_device(detect("cuda")), torch_device(detect("cuda:0")))


def test_a_gpu_is_not_opened_for_the_cpu(stand_in):
    """Asking for the CPU asks no other device."""
    torch = stand_in(cuda=(A100,))
    assert "cpu" == detect("cpu").kind
    assert [] == torch.cuda.opened


def test_a_gpu_of_amd_is_rocm(stand_in):
    """Torch calls it cuda; it has no compute capability of NVIDIA, and bf16."""
    stand_in(cuda=(SimpleNamespace(name="MI300", major=9, minor=4),), hip="6.4")
    found = detect()
    assert ("rocm", "MI300", None, {"bf16"}) == (
        found.kind,
        found.name,
        found.capability,
        set(found.features),
    )
    assert "cuda:0" == torch_device(found)
    assert found == detect("cuda")


@pytest.mark.parametrize(("device", "features"), [(ARC, {"bf16"}), (OLD_ARC, set())])
def test_a_gpu_of_intel(device, features, stand_in):
    """xpu, with bf16 where the device says so."""
    stand_in(xpu=(device,))
    found = detect()
    assert ("xpu", device.name, features) == (found.kind, found.name, set(found.features))
    assert "xpu:0" == torch_device(found)


def test_a_mac_has_mps(stand_in):
    """One device without an index."""
    stand_in(mps=True)
    assert ("mps", "arm64", 1) == (detect().kind, detect().name, detect().count)
    assert "mps" == torch_device(detect("mps"))


def test_another_accelerator_is_known_by_its_name():
    """A device of a plugin is what torch calls it, so that its users are not turned away."""
    pytest.importorskip("torch")
    found = detect("xla:1")
    assert ("xla", "xla", 1, None) == (found.kind, found.name, found.index, found.capability)
    assert ("xla:1", "xla:0") == (torch_device(found), torch_device(detect("xla")))
    with pytest.raises(DeviceError, match=r"'tensor' is no device: say auto, cpu or cuda"):
        detect("tensor")


# ---- what is not here


@pytest.mark.parametrize("device", ["cuda", "cuda:2", "xpu:0", "mps", "cpu:1"])
def test_a_device_that_is_not_here_is_told(device, stand_in):
    """The error names it, how many there are, and the cure."""
    stand_in(cuda=(A100, A100) if device == "cuda:2" else ())
    kind, seen = device.partition(":")[0], {"cuda:2": 2, "cpu:1": 1}.get(device, 0)
    with pytest.raises(DeviceError) as caught:
        detect(device)
    assert (
        f"device {device!r} is not here: torch 2.99.0 sees {seen} of {kind}; say auto for what is "
        "here"
    ) == str(caught.value)


@pytest.mark.parametrize("device", ["", "cuda:", "cuda:x", "cuda:-1", "CUDA", ":0", "cuda:99999"])
def test_what_is_no_device_is_told(device):
    """A word that torch would not take either."""
    with pytest.raises(DeviceError, match=r"is no device: say auto, cpu or cuda, or cuda:1"):
        detect(device)


def test_a_gpu_that_cannot_be_opened(stand_in):
    """Auto takes what works, as torch itself would; by name it is an error with the reason."""
    stand_in(cuda=Gpus(A100, error="Cannot re-initialize CUDA in forked subprocess"), mps=True)
    assert "mps" == detect().kind
    with pytest.raises(DeviceError, match=r"'cuda' cannot be opened: Cannot re-initialize"):
        detect("cuda")
    stand_in(cuda=Gpus(A100, error="driver too old"))
    assert "cpu" == detect().kind


def test_without_torch_there_is_the_cpu(monkeypatch):
    """A plan can be made where torch is not installed; a GPU cannot be asked for."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: 5)
    assert ("cpu", "", 5) == (detect().kind, detect().torch, detect().threads)
    assert detect() == detect("cpu")
    with pytest.raises(DeviceError, match="'cuda' is not here: torch is not installed"):
        detect("cuda")
    with pytest.raises(DeviceError, match="'mps' is not here: torch is not installed"):
        detect("mps")
    with pytest.raises(DeviceError, match="'xla' is no device"):
        detect("xla")


# ---- what a CPU can do

X86 = """\
processor\t: 0
model name\t: A Xeon
flags\t\t: fpu vme sse2 avx2 fma f16c avx512f avx512_bf16 amx_bf16 amx_tile

processor\t: 1
model name\t: Another
flags\t\t: avx9
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd aes fphp asimdhp sve i8mm bf16\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """Return a function that puts a text in the place of /proc/cpuinfo."""

    def put(text):
        (tmp_path / "cpuinfo").write_text(text)
        monkeypatch.setattr(hardware, "_CPUINFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(hardware.platform, "machine", lambda: "aarch64")
        monkeypatch.setattr(hardware.platform, "processor", lambda: "")

    return put


@pytest.mark.parametrize(
    ("text", "name", "features"),
    [
        (X86, "A Xeon", "avx2 fma f16c avx512f avx512_bf16 amx_bf16 amx_tile"),
        (ARM, "aarch64", "asimd fphp asimdhp sve i8mm bf16"),
        ("", "aarch64", ""),
    ],
)
def test_instruction_sets_by_linux(text, name, features, cpuinfo, monkeypatch):
    """Those of the first processor that a training step can feel."""
    monkeypatch.setitem(sys.modules, "torch", None)
    cpuinfo(text)
    assert (name, set(features.split())) == (detect().name, set(detect().features))


def test_instruction_sets_by_torch(stand_in, cpuinfo):
    """Torch's names are spelled as Linux spells them; numbers and what is absent are no names."""
    told = {"avx512_f": True, "avx512_bf16": True, "amx_tile": False, "sve_max_length": 256}
    cpu = SimpleNamespace(get_capabilities=lambda: {**told, "cpu_name": "Theirs", "sse": True})
    stand_in().cpu = cpu
    cpuinfo(X86.replace(" avx512_bf16 amx_bf16 amx_tile", ""))
    found = detect()
    assert ("Theirs", {"avx2", "fma", "f16c", "avx512f", "avx512_bf16"}) == (
        found.name,
        set(found.features),
    )


def test_an_older_torch_tells_nothing_of_the_cpu(stand_in, cpuinfo):
    """``torch.cpu.get_capabilities`` came late; Linux is asked alone."""
    stand_in().cpu = SimpleNamespace()
    cpuinfo(X86)
    assert "amx_bf16" in detect().features


def test_a_system_without_cpuinfo(monkeypatch, tmp_path):
    """The name is what the platform tells, and no instruction set is claimed."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(hardware, "_CPUINFO", tmp_path / "gone")
    monkeypatch.setattr(hardware.platform, "processor", lambda: "a processor")
    assert ("a processor", frozenset()) == (detect().name, detect().features)
