"""``shimhub.child_environ()``: what to hand to launchers that do not inherit."""

from __future__ import annotations

import os

import pytest

ROW = """\
[[shim]]
id = "target/f"
attach = "target:f"
action = "alias"
to = "math:sqrt"
why = "f was missing."
"""
#: Start a child with nothing but what is handed to it, in another folder, and ask it.
HAND_ON = """
    import json, os, subprocess, sys
    def ask(told):
        code = "import target; print(getattr(target, 'f', None), flush=True)"
        done = subprocess.run(
            [sys.executable, "-c", code], env=told, cwd="/", capture_output=True, text=True
        )
        return done.stdout.strip() + done.stderr
"""


@pytest.fixture
def shimmed(lab):
    """A lab with one target and one row."""
    lab.module("target", "")
    lab.rows(ROW)
    return lab


def ask(lab, code, **env):
    """Run code after the function that asks a child."""
    body = "\n".join(line[4:] for line in HAND_ON.splitlines())
    return lab.run(body + "\nimport shimhub\n" + code, **env).stdout


@pytest.mark.parametrize(
    ("setup", "arguments"),
    [
        ("shimhub.install(registry='registry.toml')", ""),
        ("", "registry='registry.toml'"),
        ("os.environ['SHIMHUB_REGISTRY'] = 'registry.toml'", ""),
        ("os.environ['SHIMHUB_REGISTRY'] = 'registry.toml'; import shimhub.auto", ""),
    ],
)
def test_a_child_with_these_variables_alone_is_active(shimmed, setup, arguments):
    """By install(), by arguments, by variables and by auto: relative registries are absolute."""
    code = f"{setup}\nprint(ask(shimhub.child_environ({arguments})))"
    assert "<built-in function sqrt>\n" == ask(shimmed, code)


def test_what_was_installed_is_what_children_do(shimmed):
    """The user's word goes with it: only, enable, disable and strict."""
    code = """
shimhub.install(REGISTRY, disable="target/f", enable=["cpu-device"], only="target/*", strict=True)
told = shimhub.child_environ()
print(ask(told), *(told["SHIMHUB_" + one] for one in ("DISABLE", "ENABLE", "ONLY", "STRICT")))
"""
    assert "None target/f cpu-device target/* 1\n" == ask(shimmed, code)


def test_it_changes_nothing_here(shimmed):
    """Asking for the variables neither installs nor sets one in this process."""
    code = """
before = dict(os.environ)
shimhub.child_environ(REGISTRY)
print(before == dict(os.environ), any("shimhub" in type(f).__module__ for f in sys.meta_path))
"""
    assert "True False\n" == ask(shimmed, code)


def test_switched_off_stays_off(shimmed):
    """SHIMHUB=0 is handed on as it is."""
    code = "print(ask(shimhub.child_environ(REGISTRY)), shimhub.child_environ()['SHIMHUB'])"
    assert "None 0\n" == ask(shimmed, code, SHIMHUB="0")


def test_the_child_compares_registries(shimmed):
    """The digest goes with it: a registry that changed in between is told by the child."""
    code = """
told = shimhub.child_environ(REGISTRY)
with open(REGISTRY, "a") as stream:
    stream.write("# another line\\n")
print(ask(told))
"""
    assert "shimhub: registries differ here (" in ask(shimmed, code)


@pytest.mark.skipif(os.pathsep != ":", reason="about the separator of POSIX")
def test_a_path_that_cannot_stand_in_a_variable_is_refused(shimmed):
    """A registry below a folder with a colon is an error that names it."""
    code = """
os.makedirs("a:b")
os.rename(REGISTRY, "a:b/r.toml")
try:
    shimhub.child_environ("a:b/r.toml")
except shimhub.ActivationError as error:
    print(error)
"""
    told = ask(shimmed, code)
    assert "cannot have ':' in it" in told
    assert "a:b/r.toml" in told
