"""Measurements that are kept: what answers a question, and what is left aside, with a reason."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from shimhub.speed import Hardware, Timing, Verdict, results

HARDWARE = Hardware("cpu", "a processor", features=frozenset({"avx2", "fma"}), torch="2.13.0")
TIMING = Timing(Verdict.FASTER, 1.5, 1.4, 1.6, 12, 0.99, 3.0, 1.01, "why", 0.001, 0.5)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def asked(**changes):
    """Return a question; ``changes`` are its arguments that are others."""
    told = {"hardware": HARDWARE, "workload": "w", "knob": "optimizer", "value": {"fused": True}}
    return results.question(**{**told, "kept": [], **changes})


def test_a_measurement_is_read_as_it_was_kept():
    """What is stored answers the same question, in a file that nobody else may write."""
    assert (None, results.NEW) == results.load(asked())
    assert "" == results.store(asked(), TIMING)
    assert (TIMING, "") == results.load(asked())
    mode = os.stat(results.path_of(asked())).st_mode & 0o777
    assert 0o600 == mode
    assert [os.path.basename(results.path_of(asked()))] == os.listdir(results.folder())


@pytest.mark.parametrize(
    "change",
    [
        {"workload": "other"},
        {"knob": "compile"},
        {"value": {"fused": False}},
        {"kept": [("compile", True)]},
        {"hardware": dataclasses.replace(HARDWARE, threads=8)},
        {"hardware": dataclasses.replace(HARDWARE, torch="2.14.0")},
        {"hardware": dataclasses.replace(HARDWARE, features=frozenset())},
    ],
)
def test_another_question_has_another_answer(change):
    """Machine, versions, workload, value, and what else is on are all part of a question."""
    results.store(asked(), TIMING)
    assert (None, results.NEW) == results.load(asked(**change))


def changed(**changes):
    """Return the content of a file with keys of the timing changed."""
    told = dataclasses.asdict(TIMING) | {"verdict": "FASTER"} | changes
    return {"schema": results.SCHEMA, "question": asked(), "timing": told}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        ([], "is not shimhub.speed.timing/1"),
        ({"schema": "other"}, "is not shimhub.speed.timing/1"),
        ({**changed(), "question": asked(knob="compile")}, "another question"),
        ({**changed(), "timing": None}, "no measurement"),
        ({**changed(), "timing": {"verdict": "FASTER"}}, "no measurement"),
        (changed(more=1), "no measurement"),
        (changed(verdict="BEST"), "a verdict that cannot be"),
        (changed(pairs=True), "a pairs that cannot be"),
        (changed(ratio=float("nan")), "a ratio that cannot be"),
        (changed(low="1.4"), "a low that cannot be"),
        (changed(reason=None), "a reason that cannot be"),
    ],
)
def test_a_file_that_is_wrong_is_left_aside(content, reason):
    """Whatever is in a file, it is a measurement or it is ignored with a reason."""
    results.store(asked(), TIMING)
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with open(results.path_of(asked()), "wb") as file:
        file.write(raw)
    timing, why = results.load(asked())
    assert timing is None
    assert reason in why


def test_a_file_that_others_may_write_is_not_trusted():
    """A file that the group may write is left aside."""
    results.store(asked(), TIMING)
    os.chmod(results.path_of(asked()), 0o660)
    timing, why = results.load(asked())
    assert (None, True) == (timing, "not trusted" in why)


def test_a_folder_in_place_of_a_file_is_left_aside():
    """What cannot be read is no error, and the reason is the system's."""
    os.makedirs(results.path_of(asked()))
    timing, why = results.load(asked())
    assert (None, True) == (timing, "cannot be read" in why)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    """Where nothing can be written the reason is told, and nothing is left behind."""
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert "Not a directory" in results.store(asked(), TIMING)


def test_a_failed_write_leaves_nothing_behind(monkeypatch):
    """A file that cannot be put in place is taken away."""

    def fail(_scratch, _file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert "No space left" in results.store(asked(), TIMING)
    assert [] == os.listdir(results.folder())


def test_the_driver_is_part_of_the_machine():
    """NVIDIA's kernel module is asked for where there is one."""
    assert isinstance(results._driver(), str)
