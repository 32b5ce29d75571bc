"""The native library's Python face, and its fallback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from shimhub import kernels
from shimhub._version import __version__
from shimhub.kernels import _loading
from shimhub.kernels._reference import cpu

CPUINFO = Path("/proc/cpuinfo")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Let each test load the extension anew."""
    monkeypatch.delenv("SHIMHUB_NATIVE", raising=False)
    monkeypatch.delenv("SHIMHUB_LANES", raising=False)
    from shimhub.kernels._native import lib

    _loading.load.cache_clear()
    yield
    _loading.load.cache_clear()
    lib.shimhub_lanes_use(lib.shimhub_lanes_here())


def _fake_native(monkeypatch, native) -> None:
    monkeypatch.setitem(sys.modules, "shimhub.kernels._native", native)
    monkeypatch.delattr(kernels, "_native", raising=False)


def test_native_is_in_use():
    """An installed shimhub has its extension, built as this version, and nothing to explain."""
    assert kernels.available()
    assert kernels.why_unavailable() == ""
    assert __version__ == kernels.version()


@pytest.mark.skipif(not CPUINFO.exists(), reason="compares with /proc/cpuinfo, which is Linux's")
def test_features_are_those_of_cpuinfo():
    """What cpuid and xgetbv say is what the kernel lists, over every feature that we name."""
    assert cpu.cpu_features() == kernels.cpu_features()


def test_names_are_those_of_the_reference():
    """The C table and the fallback know the same features, so that neither hides one."""
    from shimhub.kernels._native import ffi, lib

    name = ffi.new("const char **")
    names = set()
    for feature in range(lib.SHIMHUB_CPU_COUNT):
        assert lib.SHIMHUB_OK == lib.shimhub_cpu_feature_name(feature, name)
        names.add(ffi.string(name[0]).decode())

    assert set(cpu._NAMES.values()) == names


def test_bad_arguments_get_a_status():
    """No argument makes the library write through NULL or read past its table."""
    from shimhub.kernels._native import ffi, lib

    name = ffi.new("const char **")

    assert lib.SHIMHUB_BAD_ARGUMENT == lib.shimhub_cpu_features(ffi.NULL)
    assert lib.SHIMHUB_BAD_ARGUMENT == lib.shimhub_cpu_feature_name(0, ffi.NULL)
    assert lib.SHIMHUB_BAD_ARGUMENT == lib.shimhub_cpu_feature_name(lib.SHIMHUB_CPU_COUNT, name)
    assert ffi.NULL == name[0]


def test_environment_variable_turns_it_off(monkeypatch):
    """SHIMHUB_NATIVE=0 leaves the reference in charge, and is named as the reason."""
    monkeypatch.setenv("SHIMHUB_NATIVE", "0")

    assert not kernels.available()
    assert "SHIMHUB_NATIVE=0" in kernels.why_unavailable()
    assert __version__ == kernels.version()
    assert cpu.cpu_features() == kernels.cpu_features()


@pytest.mark.parametrize(
    ("told", "expected"),
    [("portable", {"portable"}), ("", {"portable"}), (" portable ,portable", {"portable"})],
)
def test_environment_variable_narrows_the_lanes(monkeypatch, told, expected):
    """SHIMHUB_LANES names the lanes to use; the portable one is always among them."""
    everything = kernels.lanes()
    _loading.load.cache_clear()
    monkeypatch.setenv("SHIMHUB_LANES", told)

    assert expected == kernels.lanes()
    assert "portable" in everything


def test_all_lanes_that_run_here_can_be_named(monkeypatch):
    """Naming every lane in use changes nothing."""
    everything = kernels.lanes()
    _loading.load.cache_clear()
    monkeypatch.setenv("SHIMHUB_LANES", ",".join(everything))

    assert everything == kernels.lanes()


@pytest.mark.parametrize("ask", ["available", "why_unavailable", "version", "lanes"])
def test_an_unknown_lane_is_an_error_every_time(monkeypatch, ask):
    """A typo in SHIMHUB_LANES raises at each call, with the lanes to choose of."""
    monkeypatch.setenv("SHIMHUB_LANES", "portable,avx3")

    for _ in range(2):
        with pytest.raises(ValueError, match="unknown lane 'avx3'; choose of portable"):
            getattr(kernels, ask)()


def test_a_lane_that_cannot_run_here_is_an_error(monkeypatch):
    """Each lane that this processor lacks is refused by name; nothing changes."""
    names = _loading.lane_names(_loading.native())
    before = kernels.lanes()
    for lacking in sorted(set(names) - before):
        _loading.load.cache_clear()
        monkeypatch.setenv("SHIMHUB_LANES", lacking)
        with pytest.raises(ValueError, match=f"'{lacking}' cannot run here"):
            kernels.available()
    monkeypatch.delenv("SHIMHUB_LANES")
    assert before == kernels.lanes()


def test_every_public_name_is_there():
    """What __all__ lists can be had, and dir() lists it before it is asked for."""
    assert set(kernels.__all__) <= set(dir(kernels))
    assert [] == [name for name in kernels.__all__ if getattr(kernels, name, None) is None]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kernels.nothing


def test_missing_extension_falls_back_and_tells_the_cure(monkeypatch):
    """Without the extension everything answers, and the reason says how to build it."""
    _fake_native(monkeypatch, None)

    assert not kernels.available()
    assert "pip install -e ." in kernels.why_unavailable()
    assert __version__ == kernels.version()
    assert cpu.cpu_features() == kernels.cpu_features()


def test_extension_of_another_version_is_refused(monkeypatch):
    """A stale build in a checkout is not used; both versions are named."""
    lib = SimpleNamespace(shimhub_version=lambda: b"0.0.1")
    _fake_native(monkeypatch, SimpleNamespace(lib=lib, ffi=SimpleNamespace(string=bytes)))

    assert not kernels.available()
    assert "built as 0.0.1" in kernels.why_unavailable()
    assert __version__ in kernels.why_unavailable()


def test_import_loads_neither_cffi_nor_the_extension():
    """`import shimhub.kernels` costs nothing native until a function is called."""
    code = (
        "import sys, shimhub.kernels as k;"
        "early = {'_cffi_backend', 'shimhub.kernels._native', 'numpy'} & set(sys.modules);"
        "k.available(); print(early, 'shimhub.kernels._native' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == ["set()", "True"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse2 avx avx2 xyz\nflags\t\t: fpu", "sse2 avx avx2"),
        ("processor\t: 0\nFeatures\t: fp asimd crc32\n", "neon"),
        ("model name\t: flags of fame\n", ""),
        ("", ""),
    ],
)
def test_reference_reads_cpuinfo(tmp_path, text, expected):
    """x86's flags and ARM's Features are read from the first processor; unknown names are not."""
    (tmp_path / "cpuinfo").write_text(text)

    assert set(expected.split()) == cpu.cpu_features(str(tmp_path / "cpuinfo"))


def test_reference_without_cpuinfo_is_empty(tmp_path):
    """Where the system has no such file nothing is claimed."""
    assert frozenset() == cpu.cpu_features(str(tmp_path / "absent"))
