"""What can be measured, by name; each step is one command (or a few), its facts are JSON."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conformance.torch28 import parsing
from tests.conformance.torch28.expected import (
    CONFIG,
    LAST_STEP,
    NATIVE_TRACES,
    OWN,
    PROPOSED_LINES,
    TRAININGS,
    VERSIONS,
    Training,
)
from tests.conformance.torch28.place import Place
from tests.conformance.torch28.process import COLOR, Done, free_port, run, training_lock

Facts = dict[str, Any]
PROBES = Path(__file__).with_name("probes")
SHIMHUB = ("-m", "shimhub", "run", "--enable", "cpu-device")
TRAINING, PROBING, SWEEPING = 420, 240, 1800  # seconds


def _facts(done: Done, output: str = "", **more: Any) -> Facts:
    """Return what every step tells; ``output`` where the processes wrote elsewhere."""
    text = output + done.output
    told = {"code": done.code, "seconds": round(done.seconds, 1), "error": parsing.error(text)}
    shown = "" if done.code == 0 else f"{done.tail()}\n{output[-3000:]}"
    return told | {"tail": shown} | more


# ---- training


def train(place: Place, name: str) -> Facts:
    """Run one of TRAININGS."""
    training = TRAININGS[name]
    dump = place.assets / "outputs" / (training.resumes or name)
    if training.resumes:
        shutil.rmtree(dump / "checkpoint" / LAST_STEP, ignore_errors=True)
    else:
        shutil.rmtree(dump, ignore_errors=True)
    logs = place.assets / "logs" / name
    shutil.rmtree(logs, ignore_errors=True)
    command = [str(place.python(training.version)), *_arguments(training, dump, logs)]
    with training_lock():
        environ = place.environ(PET_MASTER_PORT=str(free_port()))  # --master_port
        done = run(command, place.assets, environ, TRAINING)
    output = _logged(logs)
    found = {str(step): list(pair) for step, pair in parsing.figures(output).items()}
    return _facts(done, output, steps=found, completed="Training completed" in output)


def _arguments(training: Training, dump: Path, logs: Path) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(training.ranks)]
    redirects = ["--redirects", "3", "--log-dir", str(logs)]
    folder = ["--job.dump_folder", str(dump)]
    config = ["--job.config_file", CONFIG[training.version]]
    disabled = [word for name in training.disabled for word in ("--disable", name)]
    active = [*SHIMHUB, *disabled] if training.shimhub else []
    trained = ["-m", "torchtitan.train", *config, *folder, *training.options.split()]
    return [*active, *launcher, *redirects, *trained]


def _logged(logs: Path) -> str:
    """Return what the ranks printed, one after the other."""
    files = sorted(logs.rglob("std*.log"), key=lambda path: (path.parent.name, path.name))
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    return COLOR.sub("", text)


def export(place: Place, name: str) -> Facts:
    """Train, and look at the safetensors that were written."""
    facts = train(place, name)
    folder = place.assets / "outputs" / name / "checkpoint" / LAST_STEP
    probe = [str(place.python(VERSIONS[0])), str(PROBES / "hf_tensors.py"), str(folder)]
    done = run(probe, place.build, place.environ(), PROBING)
    return facts | (parsing.last_json(done.output) if done.code == 0 else {"tensors": 0})


# ---- imports, and scripts of probes/


def sweep(place: Place, version: str, shimhub: bool) -> Facts:
    """Import every module of one TorchTitan, each in a process of its own."""
    probe = [str(PROBES / "sweep.py"), str(place.titan(version))]
    command = [str(place.python(version)), *(SHIMHUB if shimhub else ()), *probe]
    done = run(command, place.build, place.environ(), SWEEPING)
    if done.code != 0:
        return _facts(done)
    found = parsing.last_json(done.output)
    failed = {name: what for name, what in found.items() if what}
    packages = parsing.third_party(failed, OWN)
    rest = [
        parsing.without_folders(f"{w[0]}: {w[1]}") for n, w in failed.items() if n not in packages
    ]
    return _facts(done, modules=len(found), failed=len(failed), packages=packages, rest=rest)


def early_stop(place: Place, shimhub: bool) -> Facts:
    """Trace what a checkpointed module recomputes."""
    command = [str(place.python(VERSIONS[0])), *(SHIMHUB if shimhub else ())]
    done = run([*command, str(PROBES / "early_stop.py")], place.build, place.environ(), PROBING)
    return _facts(done, traces=parsing.last_json(done.output) if done.code == 0 else {})


def native_early_stop(place: Place) -> Facts:
    """Trace it with the torch of the Python that runs this, where that one has the keyword."""
    command = [sys.executable, str(PROBES / "early_stop.py")]
    done = run(command, place.build, place.environ(), PROBING)
    if done.code != 0:
        return {"code": 0, "error": None, "torch": "recorded", "traces": NATIVE_TRACES}
    from importlib import metadata

    traces = parsing.last_json(done.output)
    return _facts(done, torch=metadata.version("torch").partition("+")[0], traces=traces)


def proposed_line(place: Place, name: str, version: str, activated: bool) -> Facts:
    """Run a line of the proposal by ``sh``, where ``python`` is that of the environment."""
    bin_folder = place.python(version, activated).parent
    path = f"{bin_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    line = PROPOSED_LINES[name].format(probes=PROBES)
    done = run(["sh", "-c", line], place.build, place.environ(PATH=path), PROBING)
    printed = [text for text in done.output.splitlines() if text.strip()]
    return _facts(done, printed=printed[-1] if printed else "")


def steps() -> dict[str, Callable[[Place], Facts]]:
    """Return every step by its name."""
    found: dict[str, Callable[[Place], Facts]] = {
        "early-stop": lambda place: early_stop(place, True),
        "early-stop-bare": lambda place: early_stop(place, False),
        "early-stop-native": native_early_stop,
    }
    for name in TRAININGS:
        measure = export if name.startswith("hf-export") else train
        found[name] = lambda place, m=measure, n=name: m(place, n)
    for version in VERSIONS:
        for told, on in (("", True), ("-bare", False)):
            found[f"sweep-{version}{told}"] = lambda place, v=version, on=on: sweep(place, v, on)
            for name in PROPOSED_LINES:
                found[f"{name}-{version}{told}"] = lambda place, n=name, v=version, on=on: (
                    proposed_line(place, n, v, on)
                )
    return found
