"""Sessions in this process: what is tried on a loop's steps, and what any end leaves behind."""

from __future__ import annotations

import io
import os
import threading

import pytest

torch = pytest.importorskip("torch")

from shimhub.speed import (  # noqa: E402
    SpeedConfigError,
    Timing,
    Verdict,
    _gradients,
    _rounds,
    _switch,
    vivo,
)
from shimhub.speed._steps import HostClock, Loop, StreamClock, Trial, block_of  # noqa: E402
from shimhub.speed.settings import settings_of  # noqa: E402


def timing(verdict):
    """Return what a test of pairs comes to."""
    return Timing(verdict, 1.5, 1.2, 1.8, 4, 0.99, 1.0, reason="4 pairs did not tell")


class Said:
    """A test of pairs that says what it is told to, after so many blocks."""

    def __init__(self, verdict, blocks=2):
        self.verdict_of, self.blocks, self.pairs = verdict, blocks, 0

    def add_block(self, layout, seconds):
        assert len(layout) == len(seconds)
        self.pairs += 2

    def verdict(self):
        return timing(self.verdict_of) if self.pairs >= 2 * self.blocks else None


@pytest.fixture(autouse=True)
def _one_thread():
    """Small steps are slower on many threads, and far slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def says(monkeypatch):
    """Let candidates come to the verdicts given, in order; the last one holds for the rest."""

    def say(*verdicts, blocks=2):
        left = list(verdicts)

        def made():
            return Said(left.pop(0) if len(left) > 1 else left[0], blocks)

        monkeypatch.setattr(_rounds, "PairTest", made)
        monkeypatch.setattr(vivo, "block_of", lambda seconds: 1)

    return say


@pytest.fixture
def begin():
    """Begin sessions whose events are kept; all end with the test."""
    begun = []

    def start(text="auto"):
        events = []
        session = vivo.begin(text, lambda *words: events.append(words))
        session.events = events
        begun.append(session)
        return session

    yield start
    for one in begun:
        one.close()


class Net:
    """A small model in training."""

    def __init__(self, make=torch.optim.AdamW, **settings):
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU())
        self.optimizer = make(self.model.parameters(), lr=1e-2, **settings)
        self.data = torch.randn(4, 8)

    def train(self, steps, until=None):
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.model(self.data).square().sum().backward()
            self.optimizer.step()
            if until is not None and until():
                return self
        return self

    @property
    def fused(self):
        return self.optimizer.param_groups[0]["fused"]

    @property
    def weights(self):
        return torch.cat([one.detach().flatten() for one in self.model.parameters()])


FUSED, FOREACH = "optimizer fused=True", "optimizer foreach=True"

# ---- what is kept


def test_what_is_faster_is_kept_and_its_rivals_are_not_tried(says, begin):
    """After FASTER the setting stays; of one knob's values the rest is left out."""
    says(Verdict.FASTER)
    session, net = begin(), Net().train(60)
    assert True is net.fused
    told = f"{FUSED}: FASTER 1.50x [1.20, 1.80], 4 pairs of one step, kept"
    assert [told] == session.lines
    assert [("speed", told)] == session.events


@pytest.mark.parametrize("verdict", [Verdict.SLOWER, Verdict.NO_DIFFERENCE, Verdict.UNDECIDED])
def test_anything_but_faster_is_undone(says, begin, verdict):
    """Both values are tried, and the optimizer has what it was made with."""
    says(verdict)
    session, net = begin(), Net()
    before = {key: value for key, value in net.optimizer.param_groups[0].items() if key != "params"}
    net.train(120)
    after = {key: value for key, value in net.optimizer.param_groups[0].items() if key != "params"}
    assert before == after
    assert [FUSED, FOREACH] == [line.partition(":")[0] for line in session.lines]
    assert all(f"{verdict.value} 1.50x" in line and "undone" in line for line in session.lines)


def test_weights_are_those_of_the_plain_loop(says, begin):
    """Steps add up in another order while a value is on: weights agree to 1e-5, not by the bit."""
    plain = Net().train(60).weights
    says(Verdict.FASTER)
    begin()
    assert torch.allclose(plain, Net().train(60).weights, rtol=1e-5, atol=1e-6)


def test_the_scripts_own_choice_is_left_alone(says, begin):
    """An optimizer that was made with fused or foreach is not touched: weights equal by the bit."""
    plain = Net(foreach=False).train(40).weights
    says(Verdict.FASTER)
    session = begin()
    assert torch.equal(plain, Net(foreach=False).train(40).weights)
    assert [f"{FUSED}: not tried: the script chose foreach=False"] == session.lines[:1]


def test_what_the_optimizer_cannot_do_is_not_tried(says, begin):
    """A knob's own reason is told."""
    says(Verdict.FASTER)
    session = begin()
    Net(torch.optim.RMSprop).train(12)
    assert "RMSprop has no fused implementation" in session.lines[0]


def test_checkpoints_are_those_of_the_plain_loop(says, begin):
    """state_dict() tells the groups and places of step counts that the script made."""
    plain = Net().train(60).optimizer.state_dict()
    says(Verdict.FASTER)
    begin()
    net = Net().train(60)
    found = net.optimizer.state_dict()
    assert True is net.fused
    assert plain["param_groups"] == found["param_groups"]
    assert [one["step"] for one in plain["state"].values()] == [
        one["step"] for one in found["state"].values()
    ]


def test_another_optimizer_of_the_same_kind_gets_what_was_kept(says, begin):
    """A second fold of the same model starts with what the first one found."""
    says(Verdict.FASTER, Verdict.SLOWER)
    session = begin()
    Net().train(60)
    assert True is Net().train(1).fused
    assert 1 == len(session.lines)


def test_an_optimizer_of_another_kind_is_measured_by_itself(says, begin):
    """What was kept for one does not hold for a model of another size, which gets its own turn."""
    says(Verdict.FASTER, Verdict.SLOWER)
    session = begin()
    first, late = Net().train(60), Net()
    late.optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(3))], lr=1e-2)
    for _ in range(120):
        first.train(1)
        late.optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
        late.optimizer.step()
    assert (True, None) == (first.fused, late.fused)
    assert ["FASTER", "SLOWER", "SLOWER"] == [one.split(": ")[1][:6] for one in session.lines]


# ---- ends


def test_close_brings_everything_back(says, begin):
    """What was kept is undone by close, in the middle of a trial too, and no hook is left."""
    says(Verdict.FASTER)
    for steps in (60, *range(6, 12)):
        session, net = begin(), Net().train(steps)
        session.close()
        assert None is net.fused
        assert not net.optimizer._optimizer_state_dict_post_hooks
    plain, net = Net().train(20), Net().train(20)
    assert torch.equal(plain.weights, net.weights)


def test_an_end_before_a_verdict_is_undecided(says, begin, capsys):
    """The line on stderr says how far it came; the value that was on is off."""
    says(Verdict.FASTER, blocks=1000)
    session = begin()
    net = Net().train(60, until=lambda: session._round and session._round._trial.on)
    session.finish()
    assert None is net.fused
    out, told = capsys.readouterr()
    assert ("", True) == (out, told.startswith(f"shimhub: speed: {FUSED}: 0 pairs of one step"))
    assert told.endswith("UNDECIDED, as the program ended first; everything is as it was\n")


def test_an_end_before_a_trial_is_undecided(begin, capsys):
    """A loop of three steps is told about, too; a process that never stepped says nothing."""
    session = begin()
    session.finish()
    assert "" == capsys.readouterr().err
    assert [("speed", "no optimizer stepped")] == session.events
    session = begin()
    Net().train(3)
    session.finish()
    assert "3 steps of optimizers: UNDECIDED" in capsys.readouterr().err


def test_an_error_of_ours_ends_the_measurement_and_not_the_training(begin, monkeypatch, capsys):
    """Whatever a test of pairs raises, everything is off, and the loop goes on by the bit."""
    plain = Net().train(8).weights

    def broken():
        raise ArithmeticError("of ours")

    monkeypatch.setattr(_rounds, "PairTest", broken)
    session = begin()
    net = Net().train(8)
    assert torch.equal(plain, net.weights)
    told = "everything is off: ArithmeticError: of ours"
    assert ([told], [("error", told)]) == (session.lines, session.events)
    session.finish()
    assert told in capsys.readouterr().err


def test_an_error_while_undoing_does_not_keep_the_rest(says, begin, monkeypatch):
    """One restore that fails is told, and the others are made."""
    says(Verdict.FASTER)
    session, net = begin(), Net().train(60)
    monkeypatch.setattr(session._asked, "undo", lambda: 1 / 0)
    session.close()
    assert None is net.fused
    assert "ZeroDivisionError" in session.lines[-1]


def test_a_closed_stderr_is_no_error(begin, monkeypatch):
    """The program may have closed its streams before it ends."""
    session = begin()
    Net().train(1)

    class Closed:
        def write(self, text):
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr("sys.stderr", Closed())
    session.finish()
    monkeypatch.setattr("sys.stderr", None)
    session.finish()
    monkeypatch.setattr("sys.stderr", object())
    session.finish()


def test_a_stderr_that_is_stdout_gets_nothing(begin, monkeypatch):
    """A script that made its stdout of both has our line on the stderr that it began with."""
    said = {name: io.StringIO() for name in ("stdout", "__stderr__")}
    session = begin()
    Net().train(1)
    monkeypatch.setattr("sys.stdout", said["stdout"])
    monkeypatch.setattr("sys.stderr", said["stdout"])
    monkeypatch.setattr("sys.__stderr__", said["__stderr__"])
    session.finish()
    assert ("", True) == (
        said["stdout"].getvalue(),
        said["__stderr__"].getvalue().startswith("shimhub: speed: 1 step"),
    )


def test_nothing_is_left_in_a_buffer_of_stderr(begin, monkeypatch, tmp_path):
    """Python would flush it at the end, and return 120 where that fails: the line goes at once."""
    session = begin()
    Net().train(1)
    with (tmp_path / "err").open("w") as buffered:
        print("the script's own", file=buffered)
        monkeypatch.setattr("sys.stderr", buffered)
        session.finish()
        first, second = (tmp_path / "err").read_text().splitlines()
    assert ("the script's own", "shimhub: speed: ") == (first, second[:16])


# ---- loops


def test_a_value_that_the_script_sets_meanwhile_is_kept(says, begin):
    """What the script writes over a value on trial stays, and is left alone from then on."""
    says(Verdict.FASTER, blocks=1000)
    session = begin()
    net = Net().train(60, until=lambda: session._round and session._round._trial.on)
    net.optimizer.param_groups[0].update(fused=False, foreach=True)
    net.train(60)
    assert (False, True) == (net.fused, net.optimizer.param_groups[0]["foreach"])
    assert "the script chose fused=False" in session.lines[-2]


@pytest.mark.parametrize("before", [False, True], ids=["kept", "on trial"])
def test_a_state_that_is_loaded_keeps_the_setting(says, begin, before):
    """Its groups have the settings of the run that saved it, which left the choice to torch."""
    says(Verdict.FASTER, blocks=40 if before else 2)
    plain = Net().train(60)
    session = begin()
    net = Net().train(30, lambda: before and net_is_fused(session))
    state = net.optimizer.state_dict()
    assert (None, True) == (state["param_groups"][0]["fused"], net.fused)
    net.optimizer.load_state_dict(state)
    assert (True, None) == (net.fused, net.optimizer.state_dict()["param_groups"][0]["fused"])
    if not before:
        assert torch.allclose(plain.weights, net.train(30).weights, atol=1e-5)
    session.close()
    assert None is net.fused


def net_is_fused(session):
    """Whether a trial has its setting on."""
    return session._round is not None and session._round._trial.on


def test_a_state_with_a_choice_of_its_own_is_obeyed(says, begin):
    """A setting that was kept is taken off where a loaded state names one, and that is told."""
    says(Verdict.FASTER)
    session = begin()
    net = Net().train(30)
    state = net.optimizer.state_dict()
    state["param_groups"][0]["foreach"] = True
    net.optimizer.load_state_dict(state)
    net.train(30)
    assert (None, True) == (net.fused, net.optimizer.param_groups[0]["foreach"])
    told = "a state was loaded, and in it the script chose foreach=True"
    assert f"{FUSED}: taken off: {told}" == session.lines[-1]


def test_an_error_of_ours_does_not_end_a_load_or_a_step(says, begin, monkeypatch):
    """The setting is taken off, and the reason is told."""
    says(Verdict.FASTER)
    session = begin()
    net = Net().train(30)
    with monkeypatch.context() as patch:
        patch.setattr(_switch, "chosen", lambda optimizer: 1 / 0)
        net.optimizer.load_state_dict(net.optimizer.state_dict())
    assert None is net.fused
    assert "a state was loaded: ZeroDivisionError" in session.lines[-1]
    session.close()
    net = Net()
    session = begin()
    net.train(30)
    with monkeypatch.context() as patch:
        patch.setattr(_gradients.Guard, "_is_known", lambda guard, optimizer: 1 / 0)
        net.train(1)
    assert None is net.fused
    assert f"{FUSED}: taken off: ZeroDivisionError: division by zero" in session.lines


def test_a_loop_that_changes_too_often_is_left_alone(says, begin):
    """Optimizers that come and go, each of another kind, end the measurement."""
    says(Verdict.FASTER, blocks=1000)
    session = begin()
    for size in range(1, 20):
        parameter = torch.nn.Parameter(torch.ones(size))
        parameter.grad = torch.ones(size)
        optimizer = torch.optim.AdamW([parameter])
        for _ in range(8):
            optimizer.step()
    assert "nothing more is tried: another optimizer came" in session.lines[-1]
    assert session._is_deaf


def test_a_marker_that_stops_stepping_is_given_up(says, begin):
    """Where another optimizer steps on alone, the loop is looked at anew, and measured."""
    says(Verdict.FASTER, blocks=1000)
    session, first, second = begin(), Net(), Net()
    for _ in range(8):
        first.train(1)
        second.train(1)
    marker = session._round._marker()
    other = first if marker is second.optimizer else second
    other.train(450)
    assert session._round._marker() is other.optimizer


def test_steps_of_other_threads_are_not_counted(begin):
    """The thread of the first step is the one that is watched."""
    session, net = begin(), Net().train(1)
    thread = threading.Thread(target=lambda: Net().train(5))
    thread.start()
    thread.join()
    assert (1, [net.optimizer]) == (session._loop.steps, list(session._known))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_has_the_plain_settings_and_says_nothing(says, begin):
    """A fork in the middle of a trial steps as the script made its optimizer."""
    says(Verdict.FASTER, blocks=1000)
    session = begin()
    net = Net().train(60, until=lambda: session._round and session._round._trial.on)
    assert True is net.fused
    read, write = os.pipe()
    child = os.fork()
    if not child:
        net.train(1)
        session.finish()
        os.write(write, f"{net.fused} {session.lines}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert "None []" == os.read(read, 99).decode()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
def test_a_compiled_step_is_left_to_the_compiler(begin):
    """In a step that dynamo traces nothing of ours runs."""
    session, net = begin(), Net()
    step = torch.compile(net.optimizer.step, backend="eager")
    net.model(net.data).sum().backward()
    for _ in range(2):
        step()
    assert 0 == session._loop.steps


# ---- what was asked for


def test_settings_that_were_asked_for_are_set_and_taken_back(begin, tmp_path):
    """A flag of the process is set at once, an optimizer's at its first step; close undoes both."""
    file = tmp_path / "speed.toml"
    file.write_text(
        'tf32_matmul_precision = "medium"\nprecision = "bf16"\noptimizer.fused = true\n'
    )
    before = torch.get_float32_matmul_precision()
    session = begin(str(file))
    assert ("highest", "medium") == (before, torch.get_float32_matmul_precision())
    net = Net().train(40)
    assert True is net.fused
    assert "fp32_precision medium set, as asked" in session.lines
    assert f"{FUSED} set, as asked" in session.lines
    assert any("precision bf16 was not set" in line for line in session.lines)
    session.close()
    assert ("highest", None) == (torch.get_float32_matmul_precision(), net.fused)


def test_what_was_asked_of_an_optimizer_and_it_cannot_is_told(begin, tmp_path):
    """An optimizer without such an implementation trains on as it is."""
    (tmp_path / "speed.yaml").write_text("optimizer: {fused: true}\n")
    session = begin(str(tmp_path / "speed.yaml"))
    Net(torch.optim.RMSprop).train(2)
    assert "was not set: RMSprop has no fused implementation" in session.lines[-1]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("", {}),
        ("auto", {}),
        ("off", {}),
        ('{"seed": 1}', {"seed": 1}),
        ("a.yaml", {"seed": 2}),
        ("a.toml", {"seed": 3}),
        ("pyproject.toml", {"seed": 4}),
    ],
)
def test_settings_come_from_a_word_a_table_or_a_file(told, expected, tmp_path, monkeypatch):
    """A pyproject.toml is read at its table, any other TOML as a whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("seed: 2\n")
    (tmp_path / "a.toml").write_text("seed = 3\n")
    (tmp_path / "pyproject.toml").write_text("[tool.shimhub.speed]\nseed = 4\n")
    assert expected == settings_of(told).to_dict()


def test_a_file_that_is_not_there_is_named():
    """The error says what else may be given."""
    with pytest.raises(SpeedConfigError, match=r"no file 'autoo'; give auto, off or a file"):
        settings_of("autoo")


# ---- the pure parts


class Ticks:
    """A clock that counts what it is told: a step of the arm that is on takes half as long."""

    def __init__(self):
        self.now = 0.0

    def mark(self):
        return self.now

    def seconds(self, marks):
        return HostClock().seconds(marks)


class Blocks:
    """A test of pairs that keeps its blocks."""

    def __init__(self):
        self.found = []

    def add_block(self, layout, seconds):
        self.found.append((layout, seconds))

    def verdict(self):
        return None


@pytest.mark.parametrize("block", [1, 3])
def test_each_block_is_of_one_arm(block):
    """Every letter of a layout has the time of its own arm; work at a switch is nobody's."""
    clock, test = Ticks(), Blocks()
    trial = Trial(test, clock, block, seed=7)
    for _ in range(400):
        clock.now += 1.0 if trial.on else 2.0
        on = trial.on
        if trial.step():
            clock.now += 50  # a verdict takes its time
            trial.resume()
        if trial.on != on:
            clock.now += 100  # and so does a switch
    expected = {"A": 2.0, "B": 1.0}
    assert len(test.found) > 10
    assert len({layout for layout, _ in test.found}) > 1
    assert [[expected[arm] for arm in layout] for layout, _ in test.found] == [
        seconds for _, seconds in test.found
    ]


def test_the_optimizer_that_steps_least_often_ends_a_step():
    """Of a pair in turns it is the second, of one that steps thrice as often the other."""

    class Optimizer:
        pass

    one, two = Optimizer(), Optimizer()
    loop = Loop()
    for turn in range(5):
        assert (turn, None) == (turn, loop.marker())
        for each in (one, two):
            loop.count(each)
    assert two is loop.marker()
    loop = Loop()
    for _ in range(5):
        for each in (one, two, two, two):
            loop.count(each)
    assert one is loop.marker()
    assert loop.seconds(one) > 0


def test_an_optimizer_that_has_stopped_ends_no_step():
    """One step long ago does not keep the others from being measured."""

    class Optimizer:
        pass

    one, two = Optimizer(), Optimizer()
    loop = Loop()
    loop.count(one)
    for _ in range(199):
        loop.count(two)
    assert None is loop.marker()
    loop.count(two)
    loop.count(two)
    assert two is loop.marker()


@pytest.mark.parametrize(
    ("seconds", "steps"), [(0.0, 21), (0.001, 21), (0.01, 10), (0.3, 3), (2, 1)]
)
def test_blocks_are_long_enough_for_the_clock(seconds, steps):
    """Short steps come in many, long ones alone."""
    assert steps == block_of(seconds)


def test_a_devices_stream_is_timed_by_its_events():
    """A mark is an event that was recorded; the last one is waited for, and times are seconds."""
    waited = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = next(times)

        def synchronize(self):
            waited.append(self)

        def elapsed_time(self, later):
            return later.at - self.at

    class Device:
        pass

    Device.Event = Event
    times = iter((0, 1000, 3000))
    clock = StreamClock(Device)
    marks = [clock.mark() for _ in range(3)]
    assert [1.0, 2.0] == clock.seconds(marks)
    assert [marks[-1]] == waited


def test_a_device_without_a_clock_is_refused():
    """Where nothing times a device's steps, the error names it."""
    assert isinstance(vivo._clock_of(torch.device("cpu")), HostClock)
    with pytest.raises(LookupError, match="no clock for meta"):
        vivo._clock_of(torch.device("meta"))
