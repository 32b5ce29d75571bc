"""The JSON Schema that is shipped: every answer of ``--format json`` is valid by it."""

from __future__ import annotations

import argparse
import json
import os

import pytest

from shimhub.cli import commands
from shimhub.cli.schema import FILE

jsonschema = pytest.importorskip("jsonschema", reason="the schema is asked of jsonschema")

SCHEMA = json.loads(FILE.read_text("utf-8"))


def closed(schema):
    """Return the schema with no room for keys that it does not name: what tests hold us to."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema and "oneOf" not in schema:
        made.setdefault("additionalProperties", False)
    return made


VALIDATOR = jsonschema.Draft202012Validator(closed(SCHEMA))


def kind_of(text):
    """Validate an answer, and return its kind."""
    told = json.loads(text)
    VALIDATOR.validate(told)
    return told["kind"]


def test_the_schema_is_one():
    """It is valid by its own meta-schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_schema_prints_the_file(lab):
    """`shimhub schema` prints what is shipped, byte for byte."""
    assert FILE.read_text("utf-8") == lab.cli("schema").stdout


@pytest.mark.parametrize(
    "answer",
    [
        {"schema": 1},
        {"schema": 2, "kind": "check", "problems": []},
        {"schema": 1, "kind": "chekc", "problems": []},
        {"schema": 1, "kind": "check"},
        {"schema": 1, "kind": "check", "problems": [], "more": 1},
        {"schema": 1, "kind": "check", "problems": [{"file": "f", "line": "1"}]},
        {"schema": 1, "kind": "list", "problems": []},
    ],
)
def test_the_tests_see_what_is_wrong(answer):
    """A missing, unknown or mistyped key is no valid answer."""
    with pytest.raises(jsonschema.ValidationError):
        kind_of(json.dumps(answer))


def test_a_reader_of_today_may_read_more(lab):
    """By the schema as it is shipped further keys are allowed: that is how answers may grow."""
    told = json.loads(lab.cli("check", "--format=json").stdout) | {"more": 1}
    jsonschema.Draft202012Validator(SCHEMA).validate(told)


ROWS = """
[[shim]]
id = "json/f"
attach = "json:f"
action = "alias"
to = "json:loads"
why = "w"
when = { python = ">=3" }
[[shim]]
id = "json/g"
attach = "json:g"
action = "alias"
to = "json:nothing"
why = "w"
retire = "python>=3"
upstream = "https://example.org"
[[shim]]
id = "json/old"
retired = "2026-11-21"
why = "w"
"""


@pytest.mark.parametrize(
    ("kind", "arguments", "code"),
    [
        ("list", [], 0),
        ("explain", ["json/f"], 0),
        ("explain", ["json"], 0),
        ("explain", ["triton"], 0),
        ("check", [], 1),
        ("doctor", [], 1),
    ],
)
def test_what_commands_tell_about_a_registry(lab, kind, arguments, code):
    """Each answer is valid, with rows, findings and evidence in it."""
    lab.shim("nobody", "x = 1\n")
    lab.rows(ROWS)
    words = [kind, *arguments, "--registry=registry.toml", "--format=json"]
    done = lab.cli(*words, check=False)
    assert (code, kind) == (done.returncode, kind_of(done.stdout))
    findings = json.loads(done.stdout)
    assert any(findings.get(name) for name in ("shims", "problems", "findings"))


def test_what_an_active_process_tells(lab):
    """Verdicts of shims that failed or were applied are as valid as those of a plan."""
    lab.rows(ROWS)
    options = ("--registry=registry.toml", "-m", "shimhub")
    done = lab.cli("run", *options, "doctor", "--format=json", check=False)
    assert "doctor" == kind_of(done.stdout)
    assert "SH107" in [one["code"] for one in json.loads(done.stdout)["findings"]]
    assert "explain" == kind_of(lab.cli("run", *options, "explain", "json", "--format=json").stdout)


def test_what_new_tells(lab):
    """`new` names the files that it wrote."""
    arguments = ["new", "a", "--attach=json:f", "--action=add", "--format=json"]
    assert "new" == kind_of(lab.cli(*arguments).stdout)


def test_what_activation_and_trust_tell(lab, env):
    """activate, deactivate, trust and distrust, in an environment and a project of their own."""
    lab.rows(ROWS)
    (lab.root / "pyproject.toml").write_text('[tool.shimhub]\nregistry = "registry.toml"\n')
    for words in ("activate", "deactivate", "deactivate", "trust", "trust --list", "distrust"):
        done = env.start("-m", "shimhub", *words.split(), "--format=json")
        assert (0, words.split()[0]) == (done.returncode, kind_of(done.stdout))


def test_what_report_tells(lab):
    """A run of several processes, one of which fails a shim and one of which has none."""
    lab.rows(ROWS)
    folder = str(lab.root / "run")
    os.mkdir(folder)
    code = "import json, subprocess, sys; subprocess.run([sys.executable, '-c', 'import json'])"
    options = ("--registry=registry.toml", "-c", code)
    lab.cli("run", *options, SHIMHUB_RUN_DIR=folder)
    done = lab.cli("report", folder, "--format=json", check=False)
    assert "report" == kind_of(done.stdout)
    assert 2 == len(json.loads(done.stdout)["processes"])


def formatted(parser, path=""):
    """Yield the commands below a parser that have the format, as the kinds of their answers."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        for name, inner in action.choices.items():
            if any("--format" in one.option_strings for one in inner._actions):
                yield path + name
            yield from formatted(inner, f"{path}{name}-")


def test_every_command_that_has_the_format_has_a_schema():
    """A command with `--format json` is a kind of the schema, and each kind is a command.

    But for data-estimate, which is what jobs answer with `--dry-run`.
    """
    kinds = SCHEMA["properties"]["kind"]["enum"]
    assert {*formatted(commands._parser()), "data-estimate"} == set(kinds)
    assert [{"$ref": f"#/$defs/{kind}"} for kind in kinds] == SCHEMA["oneOf"]
