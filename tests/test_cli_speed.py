"""``shimhub speed``: what users see, in 80 columns and as JSON, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest

from shimhub.cli import main, schema

torch = pytest.importorskip("torch")


@pytest.fixture
def run(capsys):
    """Run a command in this process; gives its exit code and what it printed."""

    def run(*words):
        code = main(["speed", *words])
        return code, capsys.readouterr().out

    return run


@pytest.mark.parametrize("words", [["report"], ["plan"], ["apply"], ["report", "--apply"]])
def test_text_fits_a_terminal(run, words):
    """No line is longer than 80 columns, and each decision has its reason."""
    before = torch.get_float32_matmul_precision()
    code, told = run(*words, *(["--restore"] if "--apply" in words else []))
    assert 0 == code
    assert [] == [line for line in told.splitlines() if len(line) > 80]
    assert "  precision" in told
    assert before == torch.get_float32_matmul_precision()


@pytest.mark.parametrize("words", [["report"], ["plan"], ["apply"]])
def test_json_is_valid_by_the_schema(run, words):
    """One object of its kind; ``apply`` shows every flag three times."""
    code, told = run(*words, "--format", "json")
    answer = json.loads(told)
    jsonschema.validate(answer, json.loads(schema.FILE.read_text()))
    assert (0, f"speed-{words[0]}") == (code, answer["kind"])
    assert (words == ["apply"]) == all(one["restored"] is not None for one in answer["flags"])


def test_a_configuration_is_applied_and_restored(run, tmp_path):
    """What the file asks for shows as after; what was there comes back."""
    file = tmp_path / "speed.yaml"
    file.write_text("tf32_matmul_precision: high\ncudnn_benchmark: true\n")
    code, told = run("apply", "--config", str(file), "--format", "json")
    flags = {one["name"]: one for one in json.loads(told)["flags"]}
    matmul = flags["torch.get_float32_matmul_precision()"]
    assert 0 == code
    assert ("high", matmul["before"]) == (matmul["after"], matmul["restored"])


def test_what_acts_on_a_model_is_planned_and_not_applied(run, tmp_path):
    """No model is here, so its settings cannot fail; nothing is seeded, and flags are applied."""
    file = tmp_path / "speed.yaml"
    text = "channels_last: true\nseed: 3\ntf32_matmul_precision: high\ncompile: {enabled: true}\n"
    file.write_text(text + "optimizer: {fused: true}\n")
    before = torch.get_rng_state()
    code, told = run("apply", "--config", str(file), "--format", "json")
    answer = json.loads(told)
    decided = {one["knob"]: one["action"] for one in answer["decisions"]}
    assert (0, "apply", "apply") == (code, decided["channels_last"], decided["compile"])
    assert ["high"] == [one["after"] for one in answer["flags"] if "get_float32" in one["name"]]
    assert torch.equal(before, torch.get_rng_state())


def test_a_project_file_is_read(run, tmp_path):
    """The table [tool.shimhub.speed] of a pyproject.toml is a configuration."""
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.shimhub.speed]\nprecision = "bf16"\n')
    _, told = run("plan", "--config", str(file), "--format", "json")
    decided = {one["knob"]: one for one in json.loads(told)["decisions"]}
    assert ("bf16", True) == (decided["precision"]["value"], decided["precision"]["asked"])


def test_mistakes_are_told_all_at_once(tmp_path):
    """Exit 2, with the file, each key and the nearest name."""
    file = tmp_path / "speed.yaml"
    file.write_text("precison: auto\ncompile: {mode: fast}\n")
    command = [sys.executable, "-m", "shimhub", "speed", "plan", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert f"{file}, line 1: precison" in done.stderr
    assert "did you mean 'precision'" in done.stderr
    assert "max-autotune" in done.stderr


@pytest.mark.parametrize("words", [["report"], ["measure", "step.py"]])
def test_without_torch_it_says_so(words):
    """Exit 5: the environment is not met, and what to do."""
    hidden = "import sys; sys.modules['torch'] = None; from shimhub.cli import main; "
    code = hidden + f"raise SystemExit(main(['speed', *{words}]))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (5, "") == (done.returncode, done.stdout), done.stderr
    assert "torch is not installed" in done.stderr


STEP = """
import torch
def make_step():
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs = torch.ones(2, 4)
    def step():
        optimizer.zero_grad()
        loss = model(inputs).sum()
        loss.backward()
        optimizer.step()
        return loss
    return step, model, optimizer
def make_nothing():
    return 3
def make_forward():
    model = torch.nn.Linear(4, 1)
    return lambda: model(torch.ones(2, 4)).sum()
"""


@pytest.fixture
def step(tmp_path):
    """A file with three functions."""
    file = tmp_path / "step.py"
    file.write_text(STEP)
    return str(file)


def test_a_step_is_measured(run, step):
    """One setting, compared and timed; JSON is valid, text fits a terminal."""
    words = ["measure", step, "--knob", "optimizer=fused", "--budget", "2", "--no-cache"]
    code, told = run(*words, "--format", "json")
    answer = json.loads(told)
    jsonschema.validate(answer, json.loads(schema.FILE.read_text()))
    (one,) = answer["measured"]
    assert ("optimizer", {"fused": True}) == (one["knob"], one["value"])
    assert 2 == one["numerics"]["compared"] == one["numerics"]["total"]
    assert (4 if one["timing"]["verdict"] == "UNDECIDED" else 0) == code
    _, told = run(*words)
    assert "optimizer=fused: " in told
    assert [] == [line for line in told.splitlines() if len(line) > 80]


def test_a_step_without_gradients_is_unverified(run, step):
    """Nothing can be compared: exit 4, and the reason."""
    code, told = run("measure", f"{step}:make_forward", "--knob", "fp32_precision=medium")
    assert 4 == code
    assert "UNVERIFIED" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gone.py"], "there is no file 'gone.py'"),
        (["{step}:make_stop"], "has no function 'make_stop'"),
        (["{step}:make_nothing"], "returned no step"),
        (["{step}", "--knob", "compiled"], "did you mean 'compile'"),
        (["{step}", "--knob", "optimizer=fusd"], "optimizer=fused"),
    ],
)
def test_what_cannot_be_measured_is_told(capsys, step, words, told):
    """A clear line on stderr, and no figures."""
    code = main(["speed", "measure", *(word.format(step=step) for word in words)])
    found = capsys.readouterr()
    assert 2 == code
    assert told in found.err
    assert "" == found.out
