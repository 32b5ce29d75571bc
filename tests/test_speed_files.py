"""Files of settings: YAML and TOML, with the place of each mistake."""

from __future__ import annotations

import sys
import time

import pytest

from shimhub.speed import SpeedConfig, SpeedConfigError
from shimhub.speed._files import MAX_BYTES, MAX_YAML

GUIDE = """\
precision: auto  # Automatically choose bf16/fp16/fp32
compile:
  enabled: auto  # Automatically enable/disable based on OS
tf32_matmul_precision: high
"""
SET = {"precision": "auto", "compile": {"enabled": "auto"}, "tf32_matmul_precision": "high"}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def written(text, name="speed.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def told(path, *table):
    """Return what is told of a wrong file, without the folder."""
    read = SpeedConfig.from_toml if path.suffix == ".toml" else SpeedConfig.from_yaml
    with pytest.raises(SpeedConfigError) as caught:
        read(path, *table, environ={})
    return [one.replace(f"{path.parent}/", "") for one in caught.value.problems]


# ---- YAML


@pytest.fixture
def _yaml():
    pytest.importorskip("yaml")


@pytest.mark.usefixtures("_yaml")
class TestYaml:
    """What from_yaml reads and tells."""

    def test_the_guides_file_is_read(self, write):
        """The configuration file of the SpeedKit guide, by path and by name."""
        path = write(GUIDE)
        assert SET == SpeedConfig.from_yaml(path, environ={}).to_dict()
        assert SET == SpeedConfig.from_yaml(str(path), environ={}).to_dict()

    @pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "\ufeff{}"])
    def test_a_file_without_keys_asks_for_nothing(self, text, write):
        """An empty file, with or without a byte order mark, is an empty configuration."""
        assert SpeedConfig() == SpeedConfig.from_yaml(write(text), environ={})

    def test_variables_fill_what_a_file_leaves_unset(self, write):
        """As for a mapping."""
        environ = {"SPEEDKIT_PRECISION": "bf16", "SPEEDKIT_COMPILE": "0"}
        found = SpeedConfig.from_yaml(write("seed: 1\ncompile: {mode: lite}\n"), environ=environ)
        assert ("bf16", False, "lite") == (
            found.precision,
            found.compile.enabled,
            found.compile.mode,
        )

    def test_each_mistake_has_its_line(self, write):
        """Of a key, of a key in a table, and of the table itself."""
        text = "precision: tf31\ncompile:\n  enabld: auto\noptimizer:\n  lr: 3e-4\nsdp: yes\n"
        lines = [one.partition(" ")[2].partition(":")[0] for one in told(write(text))]
        assert [1, 3, 5, 6] == [int(one.removeprefix("line ")) for one in lines]
        assert (
            "speed.yaml, line 5: optimizer.lr: '3e-4' is not a number, 0 or more; "
            in (told(write(text))[2])
        )

    def test_a_key_that_is_there_twice_is_told(self, write):
        """YAML would take the last and say nothing."""
        text = "seed: 1\ncompile:\n  mode: lite\n  mode: default\nseed: 2\n"
        assert [
            "speed.yaml, line 4: compile.mode: is there already, in line 3",
            "speed.yaml, line 5: seed: is there already, in line 1",
        ] == told(write(text))

    def test_anchors_and_merges_are_read(self, write):
        """An alias is no key that is there twice, and a merged key no mistake."""
        text = "amp: &a {enabled: true}\ngrad_scaler: *a\ncompile:\n  <<: *a\n  <<: {mode: lite}\n"
        text += "  enabled: false\n"
        found = SpeedConfig.from_yaml(write(text), environ={})
        assert (True, True, False) == (
            found.amp.enabled,
            found.grad_scaler.enabled,
            found.compile.enabled,
        )

    def test_a_mistake_of_an_alias_has_no_line_of_its_own(self, write):
        """It is told by its key."""
        text = "amp: &a {enabld: true}\ngrad_scaler: *a\n"
        assert [
            "speed.yaml, line 1: amp.enabld: no such key (did you mean 'enabled'?)",
            "speed.yaml: grad_scaler.enabld: no such key (did you mean 'enabled'?)",
        ] == told(write(text))

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("a: [1", "not valid YAML: while parsing"),
            ("seed: 2026-99-99", "not valid YAML: month must be in 1..12"),
            ("seed: " + "1" * 5000, "not valid YAML: Exceeds the limit"),
            ("? [1]\n: 2", "not valid YAML: while constructing"),
            ("a: !!python/object:os.system {}", "not valid YAML: could not determine"),
            ("[" * 5000, "nested too deeply: no file of settings"),
            ("- precision", "configuration: ['precision'] is not a table of precision, "),
            ("&a {compile: *a}", "compile.compile: no such key; there are enabled, "),
            (b"precision: auto\nseed: \xff\n", "is not UTF-8; save it as UTF-8"),
            (b"#" * (MAX_YAML + 1), f"larger than {MAX_YAML} bytes: no file of settings"),
        ],
    )
    def test_what_is_no_file_of_settings_is_told(self, text, problem, write):
        """Each in one line with the file's name, and nothing of the file is run."""
        (found,) = told(write(text))
        assert (found[:10], True) == ("speed.yaml", problem in found)

    def test_aliases_that_multiply_are_walked_once(self, write):
        """A short file that names itself millions of times costs nothing."""
        names = [f"k{number}" for number in range(300)]
        inner = "{" + ", ".join(f"{name}: 1" for name in names) + "}"
        middle = "{" + ", ".join(f"{name}: *i" for name in names) + "}"
        text = f"amp: &i {inner}\nsdp: &m {middle}\n" + "".join(f"{n}: *m\n" for n in names)
        assert 900 == len(told(write(text)))

    @pytest.mark.parametrize(
        "text",
        [
            "a: &a {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}\n"
            "b: {<<: [" + "*a, " * 1000 + "*a]}\n",
            "k0: &k0 {x: 1}\n" + "".join(f"k{n}: &k{n} {{<<: [*k{n - 1}, *k{n - 1}]}}\n"
            for n in range(1, 40)),
        ],
        ids=["a million", "doubled"],
    )  # fmt: skip
    def test_merges_that_multiply_are_refused(self, text, write):
        """They would make a million keys, or a million millions, and take as long."""
        started = time.process_time()
        assert ["speed.yaml: its merges (<<) make too many keys: no settings"] == told(write(text))
        assert time.process_time() - started < 5

    def test_a_mapping_that_merges_itself_is_told(self, write):
        """It has no keys of its own by that; nothing runs in circles."""
        (found,) = told(write("a: &a {<<: *a}\n"))
        assert "a: no such key" in found


def test_yaml_without_pyyaml_is_told(monkeypatch, write):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert ["YAML needs PyYAML: pip install 'shimhub[speed]'"] == told(write(GUIDE))


@pytest.mark.parametrize("name", ["gone.yaml", "gone.toml"])
def test_a_file_that_is_not_there_is_the_systems_error(name, tmp_path):
    """It names the file already."""
    if name.endswith("yaml"):
        pytest.importorskip("yaml")
    read = SpeedConfig.from_yaml if name.endswith("yaml") else SpeedConfig.from_toml
    with pytest.raises(FileNotFoundError, match=name):
        read(tmp_path / name)


# ---- TOML

PROJECT = """\
[project]
name = "mine"

[tool.shimhub.speed]
precision = "auto"
tf32_matmul_precision = "high"
compile.enabled = "auto"
"""


def test_a_projects_table_is_read(write):
    """[tool.shimhub.speed] of pyproject.toml; a table of another name, and a whole file."""
    path = write(PROJECT, "pyproject.toml")
    assert SET == SpeedConfig.from_toml(path, environ={}).to_dict()
    whole = write("\ufeff" + PROJECT.partition("speed]\n")[2], "speed.toml")
    assert SET == SpeedConfig.from_toml(whole, "", environ={}).to_dict()
    mine = write("[my.fast]\nseed = 3\n", "mine.toml")
    found = SpeedConfig.from_toml(mine, "my.fast", environ={"SPEEDKIT_PRECISION": "fp16"})
    assert {"precision": "fp16", "seed": 3} == found.to_dict()


def test_a_mistake_in_a_table_is_told_with_it(write):
    """The file, the table and the key."""
    path = write('[tool.shimhub.speed]\nsed = 1\ncompile = "on"\n', "pyproject.toml")
    first, second = told(path)
    assert "pyproject.toml, [tool.shimhub.speed]: sed: no such key (did you mean 'seed'?)" == first
    assert second.startswith("pyproject.toml, [tool.shimhub.speed]: compile: 'on' is not a table")
    path = write("sed = 1\n", "speed.toml")
    assert ["speed.toml: sed: no such key (did you mean 'seed'?)"] == told(path, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no table [tool.shimhub.speed]: no 'tool'"),
        ("[tool.shimhubb]", "no 'shimhub' (did you mean 'shimhubb'?)"),
        ("tool.shimhub = 3", "has no table [tool.shimhub.speed]: no 'speed'"),
        ("tool.shimhub.speed = 3", "configuration: 3 is not a table of precision, "),
        ("a = [", "not valid TOML: "),
        ("a = " + "1" * 5000, "not valid TOML: Exceeds the limit"),
        ("a = " + "[" * 5000, "nested too deeply: no file of settings"),
        (b"a = '\xff'", ", line 1: is not UTF-8; save it as UTF-8"),
        (b"#" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes: no file of settings"),
    ],
)
def test_what_is_no_table_of_settings_is_told(text, problem, write):
    """In one line with the file's name."""
    (found,) = told(write(text, "pyproject.toml"))
    assert (found[:14], True) == ("pyproject.toml", problem in found)
