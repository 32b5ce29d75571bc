"""``shimhub completion``: the scripts, asked in real shells."""

from __future__ import annotations

import argparse
import os
import re
import select
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

from shimhub.cli import commands

REPOSITORY = Path(__file__).parent.parent
SHELLS = ["bash", "zsh", "fish"]
NEEDED = {
    name: pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")
    for name in SHELLS
}


@pytest.fixture
def desk(lab):
    """A lab with ``shimhub`` on PATH, a registry of one row and one pack, and files."""
    folder = lab.root / "bin"
    folder.mkdir()
    program = folder / "shimhub"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m shimhub "$@"\n')
    program.chmod(0o755)
    lab.rows("""
        [packs.mypack]
        summary = "s"
        [packs."$(touch hacked)"]
        summary = "s"
        [[shim]]
        id = "mine/f"
        packs = ["mypack"]
        attach = "target:f"
        action = "alias"
        to = "math:sqrt"
        why = "w"
    """)
    for name in ("train.py", "train data.txt"):
        (lab.root / name).write_text("")
    lab.environ = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "SHIMHUB_REGISTRY": str(lab.registry),
        "HOME": str(lab.root),
    }
    for name in SHELLS:
        text = lab.cli("completion", name).stdout
        (lab.root / f"script.{name}").write_text(text)
    return lab


def ask_bash(desk, line):
    """Return what bash completes behind ``line``."""
    words = line.split(" ")
    listed = " ".join(shlex.quote(word) for word in words)
    script = (
        f"source script.bash\nCOMP_WORDS=({listed})\nCOMP_CWORD={len(words) - 1}\n"
        '_shimhub\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    told = desk.start(["bash", "--norc", "-c", script], **desk.environ)
    assert "" == told.stderr
    return set(told.stdout.splitlines()) - {""}


def ask_fish(desk, line):
    """Return what fish completes behind ``line``."""
    script = f"source script.fish; complete -C {shlex.quote(line)}"
    told = desk.start(["fish", "--no-config", "-c", script], TERM="dumb", **desk.environ)
    return {one.split("\t")[0] for one in told.stdout.splitlines()}


def ask_zsh(desk, line):
    """Return what zsh lists when a person presses Tab behind ``line``, in a pseudo-terminal."""
    import pty

    environ = {**os.environ, **desk.environ, "TERM": "dumb", "PS1": "", "COLUMNS": "200"}
    environ["PYTHONPATH"] = str(REPOSITORY)
    environ["XDG_CACHE_HOME"] = str(desk.root / "cache")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(desk.root)
        os.execvpe("zsh", ["zsh", "-f", "-i"], environ)
    try:
        setup = "PS1='' PS2=''; unsetopt prompt_sp; autoload -Uz compinit && compinit -u -D"
        setup += "; source script.zsh; zstyle ':completion:*' list-prompt ''; LISTMAX=10000"
        setup += "; setopt no_beep; bindkey '^I' list-choices; comppostfuncs=(mark)"
        setup += "; mark() { print -n '<fo''und>' >/dev/tty }; echo re''ady\n"
        os.write(terminal, setup.encode())
        read_until(terminal, "ready")
        os.write(terminal, line.encode() + b"\t")
        shown = read_until(terminal, "<found>") + read_until(terminal, "")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    listed = shown.partition("<found>")[2]
    words = {re.sub(r"(^| )--( .*)?$", "", one) for one in re.split(r"\n|  +", listed)}
    return {one for one in words if one and not one.startswith(line.strip())}


def read_until(terminal, word):
    """Return what the terminal shows until ``word`` comes; until it is quiet without one."""
    shown, end = "", time.monotonic() + 60
    while (not word or word not in shown) and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536).decode("utf-8", "replace").replace("\r", "")
        elif not word:
            break
    assert word in shown, shown
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


ASK = {"bash": ask_bash, "zsh": ask_zsh, "fish": ask_fish}


@pytest.fixture(params=[pytest.param(name, marks=NEEDED[name]) for name in SHELLS])
def ask(request, desk):
    """Ask each shell that is installed."""
    return lambda line: ASK[request.param](desk, line)


def test_commands(ask):
    """The first word is one of the commands."""
    assert {"doctor", "list", "run"} <= ask("shimhub ")
    assert {"explain"} == ask("shimhub expl")


def test_options(ask):
    """Behind a command come its own options."""
    assert {"--enable"} == ask("shimhub list --en")
    assert {"--attach", "--action"} <= ask("shimhub new --a")


def test_commands_of_a_command(ask):
    """Behind `data` come its commands, and behind these their own options, choices and files."""
    assert {"pack"} == ask("shimhub data pa")
    assert {"--strategy"} == ask("shimhub data pack --str")
    assert {"--count"} == ask("shimhub data info --cou")
    assert {"bfd"} == ask("shimhub data pack --strategy bf")
    assert "train.py" in ask("shimhub data info tra")


def test_choices_of_an_option(ask):
    """An option with a fixed set of values offers these."""
    assert {"text", "json"} == ask("shimhub list --format ")
    assert {"alias"} == ask("shimhub new --action ali")


def test_shims_and_packs(ask, desk):
    """Where a shim belongs, ids and packs are offered, asked of the registries at that moment."""
    assert {"mine/f"} == ask("shimhub explain mine")
    assert {"mypack"} == ask("shimhub list --enable mypa")
    assert {"mypack"} == ask("shimhub run --disable mypa")
    assert not (desk.root / "hacked").exists()


def test_files_behind_run(ask):
    """Programs are files, and so is all that follows; options of ours end with the program."""
    assert {"train.py"} == ask("shimhub run trai") - {"train data.txt", r"train\ data.txt"}
    assert {"registry.toml"} == ask("shimhub run --registry regi")
    assert {"registry.toml"} == ask("shimhub run --strict train.py regi")
    assert {"--strict"} == ask("shimhub run --st")
    assert set() == ask("shimhub run train.py --st")


def test_choices_of_a_command(ask):
    """`completion` completes the shells."""
    assert {"bash"} == ask("shimhub completion ba")


@NEEDED["bash"]
def test_bash_splits_at_the_equals_sign(desk):
    """`--format=js` reaches the function as three words, and is completed, too."""
    assert {"json"} == ask_bash(desk, "shimhub list --format = js")
    assert {"text", "json"} == ask_bash(desk, "shimhub list --format =")
    assert {"train.py"} == ask_bash(desk, "shimhub run --only = mypack trai") - {"train data.txt"}


@NEEDED["bash"]
def test_bash_keeps_names_with_spaces_whole(desk):
    """A file's name is one completion, whatever is in it."""
    assert "train data.txt" in ask_bash(desk, "shimhub run trai")


@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDED[name]) for name in SHELLS])
def test_scripts_are_right_for_their_shell(desk, name):
    """Each shell can read its script, which says how it is loaded."""
    desk.start([name, "-n", f"script.{name}"])
    assert f"shimhub completion {name}" in (desk.root / f"script.{name}").read_text()


@pytest.mark.parametrize("name", SHELLS)
def test_scripts_have_every_command_and_option(desk, name):
    """What the parsers have, the scripts have: they are made from them."""
    text = (desk.root / f"script.{name}").read_text()
    (choices,) = [
        one.choices for one in commands._parser()._actions
        if isinstance(one, argparse._SubParsersAction)
    ]  # fmt: skip
    assert {"run", "list", "doctor", "new", "completion"} <= choices.keys()
    for command, parser in choices.items():
        assert re.search(rf"\b{command}\b", text)
        for action in parser._actions:
            for option in action.option_strings:
                assert option.lstrip("-") in text
    lines = [line for line in text.splitlines() if "run" in line or "before_program" in line]
    run = text[text.index("        run)") :] if name != "fish" else "\n".join(lines)
    for option in ("registry", "only", "enable", "disable", "strict", "report"):
        assert option in run.partition(";;\n")[0]


def test_words_are_quick(desk):
    """The list that a shell asks for at every key imports no parser and no hub."""
    code = "import sys, shimhub.cli as c; c.main(['completion', '--words']); print(*sys.modules)"
    desk.cli("completion", "--words", **desk.environ)
    *words, modules = desk.run(code, **desk.environ).stdout.splitlines()
    assert {"mine/f", "mypack", "triton"} <= set(words)
    assert not {"argparse", "shimhub.hub", "packaging"} & set(modules.split())


def test_words_of_a_broken_registry_are_none(desk):
    """A mistake in a registry is told on stderr; nothing is offered."""
    desk.registry.write_text("x = 1\n")
    done = desk.cli("completion", "--words", check=False, **desk.environ)
    assert (2, "") == (done.returncode, done.stdout)


def test_an_unknown_shell_is_usage(lab):
    """Only the three are known."""
    done = lab.cli("completion", "csh", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "bash" in done.stderr
