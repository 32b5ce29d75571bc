"""What a configuration of speed may say, and what is told of one that is wrong."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from dataclasses import MISSING, FrozenInstanceError, fields, replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.speed import SpeedConfig, SpeedConfigError
from shimhub.speed.config import CompileConfig, OptimConfig

np = pytest.importorskip("numpy")

AUTO = {"precision": "auto", "compile": {"enabled": "auto"}}


def made(keys, **environ):
    """Read a configuration, with the variables that are named."""
    return SpeedConfig.from_dict(keys, environ=environ)


def refused(keys, **environ):
    """Return what is told of a wrong configuration."""
    with pytest.raises(SpeedConfigError) as caught:
        made(keys, **environ)
    return list(caught.value.problems)


# ---- what is kept


def test_what_is_set_is_kept_and_the_rest_is_unset():
    """A key that is named has its value; every other one is None."""
    assert SpeedConfig(precision="auto", compile=CompileConfig(enabled="auto")) == made(AUTO)
    assert AUTO == made(AUTO).to_dict()
    assert {} == SpeedConfig().to_dict() == made({}).to_dict()


def test_null_is_unset():
    """None, an empty table and empty options say nothing, as in a file whose lines are cut."""
    keys = {"precision": None, "compile": {"mode": None, "options": {}}, "sdp": None, "amp": {}}
    assert SpeedConfig() == made(keys)


def test_the_mapping_is_read_and_not_changed():
    """Any mapping is taken; nested tables are the caller's own, before and after."""
    keys = {"compile": {"options": {"shape_padding": True}}, "precision": "auto"}
    before = copy.deepcopy(keys)
    config = SpeedConfig.from_dict(
        MappingProxyType(keys), environ={"SPEEDKIT_COMPILE": "1", "SPEEDKIT_PRECISION": "bf16"}
    )
    config.to_dict()["compile"]["options"]["more"] = 1
    assert {"shape_padding": True} == config.compile.options
    config.compile.options["other"] = 1
    assert before == keys


def test_numbers_of_numpy_are_numbers():
    """What counts like a number is kept as Python's own."""
    config = made({"seed": np.int64(3), "optimizer": {"lr": np.float32(0.5)}})
    assert (3, int, 0.5, float) == (
        config.seed,
        type(config.seed),
        config.optimizer.lr,
        type(config.optimizer.lr),
    )


def test_a_configuration_is_a_value():
    """It cannot be changed in place, has a hash, and survives copies and pickles."""
    config = made({"precision": "auto", "compile": {"options": {"a": [1]}}})
    with pytest.raises(FrozenInstanceError):
        config.precision = "fp32"
    assert config == pickle.loads(pickle.dumps(config)) == copy.deepcopy(config)
    assert 1 == len({config, made(config.to_dict())})


# ---- what is refused


NO_TABLE = (
    "compile: True is not a table of enabled, backend, mode, fullgraph, dynamic, options; "
    "write {enabled: true}"
)
NO_DEVICE = (
    "device: 'rocm' is not auto, cpu, cuda, xpu or mps, or cuda or xpu with an index, such as "
    "cuda:1 (did you mean 'cuda'?)"
)


def test_all_mistakes_are_told_at_once():
    """Each line begins with the key's place, and has a suggestion where there is one."""
    keys = {
        "SEED": 1,
        "precison": "auto",
        "precision": "bfloat16",
        "seed": True,
        "compile": True,
        "train": {"epochs": 0, "batch": 2},
        "optimizer": {"lr": "3e-4"},
        "device": "rocm",
    }
    assert [
        "SEED: no such key (did you mean 'seed'?)",
        "precison: no such key (did you mean 'precision'?)",
        "precision: 'bfloat16' is not auto, fp32, bf16 or fp16 (did you mean 'bf16'?)",
        "seed: True is not a whole number, 0 to 4294967295",
        NO_TABLE,
        "train.epochs: 0 is not a whole number, 1 or more",
        "train.batch: no such key (did you mean 'batch_size'?)",
        "optimizer.lr: '3e-4' is not a number, 0 or more; YAML reads it as a word: write 3.0e-4",
        NO_DEVICE,
    ] == refused(keys)


def test_all_mistakes_are_in_the_message():
    """The error is a ValueError whose text has one line for each, also after a pickle."""
    with pytest.raises(ValueError, match=r"\Aseed: .*\nsed: no such key \(did") as caught:
        made({"seed": -1, "sed": 1})
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


@pytest.mark.parametrize("method", ["validate", "from_dict", "to_dict", "__init__", "__class__"])
def test_methods_are_no_keys(method):
    """A configuration cannot overwrite what belongs to the class."""
    assert [f"{method}: no such key"] == [one[: len(method) + 13] for one in refused({method: 1})]


@pytest.mark.parametrize("data", [None, 3, "precision: auto", [("precision", "auto")], {"auto"}])
def test_what_is_no_mapping_is_told(data):
    """Only a mapping has keys."""
    (problem,) = refused(data)
    assert "is not a table of precision, device" in problem


CONFLICTS = {
    "amp.grad_scaler": {"amp": {"grad_scaler": True}, "grad_scaler": {"enabled": False}},
    "optimizer.foreach": {"optimizer": {"fused": True, "foreach": True}},
    "cudnn_benchmark": {"cudnn_benchmark": True, "deterministic": True},
    "compile.options": {"compile": {"enabled": "auto", "mode": "lite", "options": {"a": 1}}},
    "sdp": {"sdp": dict.fromkeys(("enable_flash", "enable_mem_efficient"), False)},
}
CONFLICTS["sdp"]["sdp"] |= {"enable_math": False, "enable_cudnn": False}


@pytest.mark.parametrize("place", CONFLICTS)
def test_keys_that_exclude_each_other_are_told(place):
    """Two keys that are right alone can be wrong together."""
    assert [place] == [one.partition(":")[0] for one in refused(CONFLICTS[place])]


def test_keys_that_only_look_like_a_conflict():
    """One of two is off, or the options are of a compiler that is off."""
    made({"optimizer": {"fused": True, "foreach": False}})
    made({"optimizer": {"fused": False, "foreach": False}})
    made({"cudnn_benchmark": False, "deterministic": True})
    made({"compile": {"enabled": False, "mode": "max-autotune", "options": {"a": 1}}})
    made({"amp": {"grad_scaler": False}, "grad_scaler": {"enabled": False}})
    made({"sdp": {"enable_flash": False, "enable_mem_efficient": False, "enable_math": False}})


def test_a_configuration_made_by_hand_is_checked_by_validate():
    """The constructor takes anything; ``validate`` tells what ``from_dict`` would have told."""
    SpeedConfig(precision="auto", optimizer=OptimConfig(lr=1e-3)).validate()
    with pytest.raises(SpeedConfigError) as caught:
        SpeedConfig(precision="tf32", optimizer=OptimConfig(lr=-1.0)).validate()
    assert ["precision", "optimizer.lr"] == [one.split(":")[0] for one in caught.value.problems]
    with pytest.raises(SpeedConfigError, match=r"\Acompile: needs a CompileConfig; from_dict tak"):
        SpeedConfig(compile={"enabled": True}).validate()
    with pytest.raises(SpeedConfigError, match=r"optimizer\.foreach: excludes"):
        replace(SpeedConfig(), optimizer=OptimConfig(fused=True, foreach=True)).validate()


# ---- variables


def test_variables_fill_what_is_unset():
    """A variable speaks where the user's own word is missing, and an empty one says nothing."""
    told = {"SPEEDKIT_PRECISION": " BF16 ", "SPEEDKIT_COMPILE": "Off"}
    assert {"precision": "bf16", "compile": {"enabled": False}} == made({}, **told).to_dict()
    assert AUTO == made(AUTO, **told).to_dict()
    assert "lite" == made({"compile": {"mode": "lite"}}, **told).compile.mode
    assert {} == made({}, SPEEDKIT_PRECISION="", SPEEDKIT_COMPILE=" ").to_dict()


def test_variables_are_those_of_the_process(monkeypatch):
    """Where none are named they are read from the environment."""
    monkeypatch.setenv("SPEEDKIT_PRECISION", "fp16")
    monkeypatch.setenv("SPEEDKIT_COMPILE", "auto")
    assert {"precision": "fp16", "compile": {"enabled": "auto"}} == (
        SpeedConfig.from_dict({}).to_dict()
    )


@pytest.mark.parametrize(
    ("word", "enabled"),
    [
        *((word, False) for word in ("0", "false", "off", "no")),
        *((word, True) for word in ("1", "true", "on", "YES")),
        ("auto", "auto"),
    ],
)
def test_words_of_the_compile_variable(word, enabled):
    """The words that a shell has for yes and no."""
    assert enabled == made({}, SPEEDKIT_COMPILE=word).compile.enabled


def test_a_wrong_variable_is_told_by_its_name(tmp_path):
    """It is nobody's key, and stands in no file."""
    told = {"SPEEDKIT_PRECISION": "half", "SPEEDKIT_COMPILE": "2"}
    wanted = [
        "SPEEDKIT_PRECISION: 'half' is not auto, fp32, bf16 or fp16 (did you mean 'fp16'?)",
        "SPEEDKIT_COMPILE: '2' is not auto, true or false",
    ]
    assert wanted == refused({}, **told)
    file = tmp_path / "speed.toml"
    file.write_text("seed = -1")
    with pytest.raises(SpeedConfigError) as caught:
        SpeedConfig.from_toml(file, "", environ=told)
    first, *rest = caught.value.problems
    assert (f"{file}: seed", wanted) == (first.rpartition(": ")[0], rest)


# ---- any mapping

#: A value or two that each key takes, and some that it does not, whatever type it has.
SWITCHES = ([True, False], [0, 1, "true", "yes", [], {}, 1.0, np.bool_(True)])
COUNTS = ([1, 7, np.int32(2)], [0, -1, True, 1.0, "1", [1], math.inf, np.float64(2)])
STRANGE = ([], [1, None, {}])
KEYS = {
    "precision": (["auto", "fp32", "bf16", "fp16"], ["FP16", "", "tf32", True, 16, b"fp16"]),
    "device": (["auto", "cpu", "cuda", "cuda:1", "xpu:0", "mps"], ["cuda:", "gpu", "cpu\n", 0]),
    "seed": ([0, 2**32 - 1, np.uint8(3)], [-1, 2**32, True, 1.0, "1", 10**400, 1 + 0j]),
    "tf32_matmul_precision": (["highest", "high", "medium"], ["low", True, "High"]),
    "cudnn_benchmark": SWITCHES,
    "deterministic": SWITCHES,
    "channels_last": SWITCHES,
    "grad_scaler.enabled": SWITCHES,
    "amp.enabled": SWITCHES,
    "amp.grad_scaler": SWITCHES,
    "amp.autocast_cache_enabled": SWITCHES,
    "optimizer.name": (["adamw"], ["AdamW", "sgd", "", None.__class__]),
    "optimizer.lr": ([0, 0.5, 1e-3], [-1e-9, math.nan, math.inf, "1", True, 10**400, "1e-3"]),
    "optimizer.weight_decay": ([0, 0.5], [-1, "x", False]),
    "optimizer.fused": SWITCHES,
    "optimizer.foreach": SWITCHES,
    "compile.enabled": ([True, False, "auto"], ["on", 1, 0, "Auto"]),
    "compile.backend": (["inductor", "eager", "my backend"], ["", " ", 3, ["inductor"]]),
    "compile.mode": (["default", "lite", "max-autotune"], ["fast", True]),
    "compile.fullgraph": SWITCHES,
    "compile.dynamic": SWITCHES,
    "compile.options": (
        [{"shape_padding": True, "a.b": [1, "x"], "c": 0.5}, {"a": "b"}],
        [{3: 1}, {"": 1}, {"a": {}}, {"a": math.nan}, {"a": [[1]]}, {"a": None}, "a=1", [1]],
    ),
    "sdp.enable_flash": SWITCHES,
    "sdp.enable_mem_efficient": SWITCHES,
    "sdp.enable_math": SWITCHES,
    "sdp.enable_cudnn": SWITCHES,
    "train.epochs": COUNTS,
    "train.steps_per_epoch": COUNTS,
    "train.batch_size": COUNTS,
    "train.grad_accum_steps": COUNTS,
    "train.clip_grad_norm": ([1, 0.5], [0, -1, math.nan, "1", True]),
    "train.log_every": COUNTS,
}


def test_the_table_of_this_test_has_every_key():
    """A key that is new is tried here, too."""
    names = set()
    for one in fields(SpeedConfig):
        if one.default_factory is MISSING:
            names.add(one.name)
        else:
            names |= {f"{one.name}.{key.name}" for key in fields(one.default_factory)}
    assert set(KEYS) == names


def alone(place, value):
    """Return a mapping of one key."""
    section, _, key = place.rpartition(".")
    return {section: {key: value}} if section else {key: value}


@pytest.mark.parametrize("place", KEYS)
def test_every_value_is_taken_or_told_by_its_key(place):
    """Each value of the table above, alone."""
    good, bad = KEYS[place]
    for value in good:
        assert alone(place, value) == made(alone(place, value)).to_dict()
    for value in bad:
        assert [place] == [one.partition(":")[0] for one in refused(alone(place, value))]


@st.composite
def mappings(draw):
    """Draw a mapping, and the places of what is wrong with it."""
    keys, wrong = {}, set()
    places = [*sorted(KEYS), "precison", "validate", "train.x", "compile.modes"]
    for place in draw(st.lists(st.sampled_from(places), unique=True, max_size=9)):
        is_bad = draw(st.booleans()) or place not in KEYS
        value = copy.deepcopy(draw(st.sampled_from(KEYS.get(place, STRANGE)[is_bad])))
        section, _, key = place.rpartition(".")
        (keys.setdefault(section, {}) if section else keys)[key] = value
        wrong |= {place} if is_bad else set()
    return keys, wrong


def outcome(data):
    """Return the configuration or None, and what is told."""
    try:
        return made(data), ()
    except SpeedConfigError as error:
        return None, error.problems


@given(mappings())
@settings(max_examples=200, deadline=None)
def test_a_mapping_is_kept_or_every_bad_key_is_told(drawn):
    """What is right round-trips; of what is wrong every key is told, and no other but conflicts."""
    keys, wrong = drawn
    before = repr(keys)
    config, problems = outcome(keys)
    told = {one.partition(":")[0] for one in problems}
    assert (wrong, set()) == (wrong & told, told - wrong - set(CONFLICTS))
    assert before == repr(keys)
    if config:
        assert config == made(config.to_dict())
        config.validate()


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary()
)
NAMES = st.sampled_from([one for place in KEYS for one in place.split(".")])
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | st.text(max_size=4) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANYTHING)
@settings(max_examples=100, deadline=None)
def test_anything_is_read_or_refused(data):
    """No input ends in another error, and what is read comes back from plain data."""
    before = repr(data)
    config, problems = outcome(data)
    assert [] == [one for one in problems if ": " not in one]
    assert config is None or config == made(config.to_dict())
    assert before == repr(data)


class Odd:
    """A value that cannot be shown or compared."""

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("no words")

    def __eq__(self, other):
        raise RuntimeError("no equal")


def test_values_that_cannot_be_shown_are_refused_all_the_same():
    """A message is made of whatever is there, and short."""
    loop = []
    loop.append(loop)
    keys = dict.fromkeys(("precision", "seed", "device"), Odd())
    assert 3 == len(refused(keys))
    (problem,) = refused({"seed": "9" * 10**6})
    assert 200 > len(problem)
    assert ["device: "] == [one[:8] for one in refused({"device": loop})]
    assert ["seed: an int too long to show is not a whole number, 0 to 4294967295"] == refused(
        {"seed": 10**5000}
    )


@pytest.mark.parametrize("word", ["torch.bfloat16", "BF16", "bf16-mixed", "Bfloat16"])
def test_words_of_other_tools_are_understood_for_a_suggestion(word):
    """They are refused with the word that is meant here."""
    (problem,) = refused({"precision": word})
    assert problem.endswith("(did you mean 'bf16'?)")


def test_the_package_imports_no_torch():
    """Reading a configuration costs no import of torch, numpy or YAML."""
    import subprocess

    code = (
        "import sys, shimhub.speed, shimhub.speed.config, shimhub.speed.deciding; "
        "shimhub.speed.SpeedConfig.from_dict({'precision': 'auto'}); "
        "print({'torch', 'numpy', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()" == done.stdout.strip()
