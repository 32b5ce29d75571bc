"""What an outsider found who tried to break the promises; each was a bug once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from shimhub.paths import PACKAGE_DIR, SITE_DIR

ALIAS = """
    [[shim]]
    id = "{id}"
    attach = "{attach}"
    action = "alias"
    to = "{to}"
    why = "A test."
"""


def aliases(lab, **rows: tuple[str, str]) -> None:
    """Write a registry of aliases: id -> (attach, to)."""
    lab.rows("".join(ALIAS.format(id=one, attach=a, to=t) for one, (a, t) in rows.items()))


def test_a_chain_of_aliases_works_in_any_order(lab):
    """A row whose origin is another row's attach point comes after it, wherever it stands."""
    lab.module("target", "def f(): return 1\n")
    aliases(lab, a=("target:a", "target:b"), b=("target:b", "target:c"), c=("target:c", "target:f"))
    lab.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        assert target.a is target.b is target.c is target.f
    """)


@pytest.mark.parametrize(
    ("attach", "to", "told"),
    [
        ("target:f", "target:f", "is the attach point itself"),
        ("target.sub", "target.sub", "is the attach point itself"),
        ("target.sub", "target:f", "must be a module"),
        ("target:f", "target:f g", "must be 'module' or 'module:qualname'"),
    ],
)
def test_an_alias_that_cannot_be_meant_is_an_error(lab, attach, to, told):
    """An alias of itself, or of another kind of thing, is told with its line and key."""
    aliases(lab, row=(attach, to))
    done = lab.cli("check", "--registry", str(lab.registry), check=False)
    assert 1 == done.returncode
    assert told in done.stdout
    assert "row: to" in done.stdout


def test_loops_of_module_aliases_are_not_served(lab):
    """Two modules that are aliases of each other are refused; the import fails as it would."""
    lab.module("target.__init__")
    aliases(lab, p=("target.p", "target.q"), q=("target.q", "target.p"))
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        try:
            import target.p
        except ModuleNotFoundError as error:
            assert error.name == "target.p"
        else:
            raise AssertionError("served")
        verdict = shimhub.status()["p"]
        assert verdict.status == "CONFLICT" and "cycle" in verdict.reason, verdict
    """)


def test_a_typo_in_an_origin_names_file_key_and_the_right_word(lab):
    """An alias that leads nowhere tells where it is declared and what was meant."""
    lab.module("target", "def flatten(): return 1\n")
    aliases(lab, old=("target:old", "target:flaten"))
    done = lab.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        print(shimhub.status()["old"].reason)
    """)
    assert f"{lab.registry}: old: to: 'target:flaten'" in done.stdout
    assert "did you mean 'flatten'?" in done.stdout


@pytest.mark.parametrize("high", ["from pk import VALUE\n", "import pk.mid\n"])
def test_an_alias_waits_for_a_package_that_imports_itself(lab, high):
    """A moved name whose new module the package imports later is there when the import ends."""
    lab.module("pk.__init__", "import pk.low\nVALUE = 3\nimport pk.mid, pk.high\n")
    lab.module("pk.low")
    lab.module("pk.mid")
    lab.module("pk.high", high + "def new(): return 1\n")
    aliases(lab, old=("pk.low:old", "pk.high:new"))
    lab.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import pk.low, pk.high
        assert pk.low.old is pk.high.new, str(shimhub.status()["old"])
    """)


def test_the_second_of_two_fillers_names_the_first(lab):
    """What another row has filled is not called native."""
    lab.module("target")
    aliases(lab, first=("target:f", "math:pi"), second=("target:f", "math:tau"))
    lab.run("""
        import math, shimhub, target
        shimhub.install(registry=REGISTRY)
        verdict = shimhub.status()["second"]
        assert target.f is math.pi and verdict.status == "NOT_NEEDED"
        assert "first fills target:f" in verdict.reason, verdict
    """)


def test_an_adapter_keeps_what_a_callable_object_offers(lab):
    """An adapted ``lru_cache`` function can still be cleared."""
    lab.module("target", "import functools\n@functools.lru_cache\ndef f(x): return x\n")
    lab.rows("""
        [[shim]]
        id = "f"
        attach = "target:f"
        action = "adapt"
        drop = ["pin"]
        why = "A test."
    """)
    lab.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        assert target.f(1, pin=None) == 1 and target.f.cache_info().currsize == 1
        target.f.cache_clear()
    """)


def test_a_table_that_is_swapped_during_a_look_up_is_no_error(lab):
    """An install by one thread never makes an import of another one fail."""
    for number in range(40):
        lab.module(f"t{number}")
    aliases(lab, **{f"r{n}": (f"t{n}:f", "math:pi") for n in range(40)})
    other = lab.root / "other.toml"
    other.write_text("schema = 1\n", encoding="utf-8")
    lab.run(f"""
        import importlib, shimhub, sys, threading
        sys.setswitchinterval(1e-6)
        failed = []
        def load(number):
            try:
                importlib.import_module(f"t{{number}}")
            except BaseException as error:
                failed.append(error)
        shimhub.install(registry=REGISTRY)
        threads = [threading.Thread(target=load, args=(n,)) for n in range(40)]
        for thread in threads:
            thread.start()
            shimhub.install(registry={str(other)!r})
            shimhub.install(registry=REGISTRY)
        for thread in threads:
            thread.join()
        assert not failed, failed
    """)


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors as a daemon does")
@pytest.mark.parametrize("stream", ["1", "2"])
def test_run_works_without_a_stream(lab, stream):
    """A daemon's closed stdout or stderr keeps no program from running."""
    line = f'exec {stream}>&-; exec "$@"'
    command = [sys.executable, "-m", "shimhub", "run", "-c", "open('ran', 'w').close()"]
    lab.start(["sh", "-c", line, "sh", *command])
    assert (lab.root / "ran").exists()


def test_without_a_sitecustomize_there_is_none_under_run(lab):
    """A program that asks for ``sitecustomize`` gets the answer of plain python."""
    code = "try:\n    import sitecustomize\nexcept ImportError as error:\n    print(error.name)"
    plain = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=lab.root
    )
    assert plain.stdout == lab.cli("run", "-c", code).stdout


def test_a_registry_named_by_a_relative_variable_is_found_after_chdir(lab):
    """Children of a program that changes its folder read the same registries."""
    lab.module("target")
    aliases(lab, f=("target:f", "math:pi"))
    child = "import target; print(target.f)"
    code = f"""
        import os, subprocess, sys
        os.chdir("/")
        print(subprocess.check_output([sys.executable, "-c", {child!r}], text=True))
    """
    done = lab.cli(
        "run",
        "-c",
        "\n".join(map(str.strip, code.strip().split("\n"))),
        SHIMHUB_REGISTRY="registry.toml",
    )
    assert "3.14" in done.stdout
    assert "" == done.stderr


@pytest.mark.skipif(os.pathsep != ":", reason="about the separator of POSIX")
def test_a_registry_path_with_the_separator_is_refused(lab):
    """A path that cannot be handed to children is told before the program starts."""
    done = lab.cli("run", "--registry", "a:b.toml", "-c", "print('ran')", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "cannot have ':' in it" in done.stderr


def test_a_byte_order_mark_is_no_mistake(lab):
    """A registry saved by an editor that writes a BOM is read."""
    lab.registry.write_bytes(b"\xef\xbb\xbfschema = 1\n")
    assert "no problems\n" == lab.cli("check", "--registry", str(lab.registry)).stdout


def test_check_writes_the_mistakes_of_a_registry_as_json(lab):
    """What keeps a registry from being read is a finding, with file, line, key and message."""
    lab.rows("[[shims]]\nid = 'x'\n")
    done = lab.cli("check", "--format", "json", "--registry", str(lab.registry), check=False)
    (found,) = json.loads(done.stdout)["problems"]
    assert (1, 2, "shims") == (done.returncode, found["line"], found["key"])
    assert "did you mean 'shim'?" in found["message"]


def test_a_pipe_is_no_registry(lab):
    """A file without an end, or that can be read but once, is refused by that name."""
    done = lab.cli("check", "--registry", "/dev/zero", check=False)
    assert 1 == done.returncode
    assert "is no regular file" in done.stdout


def test_an_alias_into_a_module_without_a_spec(lab):
    """A module that somebody made by hand, and that has no ``__spec__``, is an origin too."""
    lab.module("pk.__init__")
    lab.module("pk.low")
    aliases(lab, old=("pk.low:old", "pk.made:new"))
    lab.run("""
        import sys, types, shimhub
        import pk
        made = sys.modules["pk.made"] = types.ModuleType("pk.made")
        del made.__spec__
        made.new = 5
        shimhub.install(registry=REGISTRY)
        import pk.low
        assert pk.low.old == 5, str(shimhub.status()["old"])
    """)


def test_a_method_of_an_instance_with_odd_attributes(lab):
    """Attributes whose ``==`` raises are compared by identity alone."""
    lab.module(
        "target",
        """
        class Odd:
            def __eq__(self, other): raise RuntimeError("asked")
            __hash__ = None
        class K:
            def __init__(self): self.odd = Odd()
            def f(self): return 1
        one = K()
        """,
    )
    lab.rows("""
        [[shim]]
        id = "f"
        attach = "target:one.f"
        action = "wrap"
        why = "A test."
    """)
    lab.shim("f", "def build(original, ctx): return lambda: original() + 1\n")
    lab.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        assert target.one.f() == 2, str(shimhub.status()["f"])
    """)


@pytest.mark.parametrize(
    "rule", ["names = { X = false }", "names = { X = 2000-01-01 }", "drop = [1]"]
)
def test_the_rules_of_a_tombstone_hurt_nobody(lab, rule):
    """A retired row's leftovers neither stop a plan nor are they acted upon."""
    lab.rows(f"""
        [[shim]]
        id = "gone"
        attach = "target:f"
        action = "alias"
        to = "math:pi"
        why = "A test."
        retired = "2026-11-21"
        {rule}
    """)
    done = lab.cli("list", "--registry", str(lab.registry), check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)


# ---- files that are not what they seem


def test_a_registry_without_end_costs_nothing(lab):
    """A sparse file of 100 GB is refused by its size, before anything of it is read."""
    lab.registry.touch()
    os.truncate(lab.registry, 100 << 30)
    done = lab.cli("check", "--registry", str(lab.registry), check=False)
    assert 1 == done.returncode
    assert "larger than" in done.stdout
    started = subprocess.run(
        [sys.executable, "-c", "print('ran')"],
        env=os.environ | {"PYTHONPATH": start_path(), "SHIMHUB_REGISTRY": str(lab.registry)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "ran\n") == (started.returncode, started.stdout)
    assert "this process runs unpatched" in started.stderr


@pytest.mark.parametrize(
    "place", ["shims", "shims/target", "shims/target/f", "shims/target/f/shim.py"]
)
def test_code_of_a_shim_that_is_a_link_out_of_the_registry_is_refused(lab, tmp_path_factory, place):
    """Wherever on the default path the link stands, code outside of the folder is not run."""
    outside = tmp_path_factory.mktemp("outside") / "real"
    lab.module("target")
    lab.rows("""
        [[shim]]
        id = "target/f"
        attach = "target:f"
        action = "add"
        why = "A test."
    """)
    lab.shim("target/f", "def build(original, ctx): return 1\n")
    (lab.root / place).rename(outside)
    (lab.root / place).symlink_to(outside)
    code = "import target; print(hasattr(target, 'f'))"
    done = lab.cli("run", "--registry", str(lab.registry), "-c", code, check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert "is outside of the registry's folder" in done.stderr


def test_a_registry_that_breaks_while_the_program_runs_hurts_no_import(lab):
    """Edited between start and the first target: the import works, unpatched, and that is said."""
    lab.module("target")
    aliases(lab, f=("target:f", "math:pi"))
    code = (
        "open('registry.toml', 'w').write('schema = 2'); import target, sys;"
        " del sys.modules['target']; import target; print(hasattr(target, 'f'))"
    )
    done = lab.cli("run", "--report", "--registry", str(lab.registry), "-c", code)
    assert "False\n" == done.stdout
    assert 1 == done.stderr.count("this process runs unpatched: ")
    assert "finding: shimhub applied nothing in process" in done.stderr


# ---- a hostile PYTHONPATH


def start_path(*folders) -> str:
    """Return a PYTHONPATH with our start-up folder in front, as children of `run` have it."""
    repository = os.path.dirname(PACKAGE_DIR)
    return os.pathsep.join([SITE_DIR, *map(str, folders), repository])


HOSTILE = {
    "raises": "raise RuntimeError('hostile')",
    "exits": "import sys; sys.exit(3)",
    "recurses": "def f(): f()\nf()",
    "imports itself": "import sys, importlib; importlib.reload(sys.modules['sitecustomize'])",
    "removes our finder": (
        "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if 'shimhub' not in "
        "type(f).__module__]"
    ),
    "empties the path": "import sys; sys.path[:] = [p for p in sys.path if 'lib/python' in p]",
    "hides us": (
        "import sys\nfor name in [n for n in sys.modules if n.partition('.')[0] == 'shimhub']:\n"
        "    sys.modules[name] = None"
    ),
    "replaces us": "import sys, types; sys.modules['shimhub'] = types.ModuleType('shimhub')",
}


@pytest.mark.parametrize("act", HOSTILE)
def test_a_hostile_sitecustomize_does_what_it_does_without_us(lab, act):
    """Exit code, output and error are as without shimhub; where we had to give up, we say so."""
    lab.module("target", "value = 1\n")
    aliases(lab, f=("target:f", "math:pi"))
    folder = lab.root / "theirs"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOSTILE[act] + "\n")
    code = f"import sys; sys.path.insert(0, {str(lab.site)!r}); import target; print(target.value)"
    command = [sys.executable, "-c", code]
    bare = [str(folder), os.path.dirname(PACKAGE_DIR)]
    plain = lab.start(command, check=False, PYTHONPATH=os.pathsep.join(bare))
    told = {"PYTHONPATH": start_path(folder), "SHIMHUB_REGISTRY": str(lab.registry)}
    ours = lab.start(command, check=False, **told)
    assert (plain.returncode, plain.stdout) == (ours.returncode, ours.stdout)
    assert (
        plain.stderr.splitlines()[-1:]
        == [line for line in ours.stderr.splitlines() if "runs unpatched" not in line][-1:]
    )
    assert (act in ("hides us", "replaces us")) == ("this process runs unpatched" in ours.stderr)


@pytest.mark.parametrize("strict", ["0", "1"])
@pytest.mark.parametrize("way", ["shimhub.auto", "shimhub; shimhub.install()"])
def test_a_part_of_us_that_goes_away_leaves_imports_alone_unless_strict(lab, way, strict):
    """A program that hides a module of ours: its import works and is told, or fails in strict."""
    lab.module("target", "value = 1\n")
    aliases(lab, f=("target:f", "math:pi"))
    code = f"import sys, {way}; sys.modules['shimhub.loader'] = None; import target; print('ran')"
    done = lab.start(
        [sys.executable, "-c", code],
        check=False,
        SHIMHUB_REGISTRY=str(lab.registry),
        SHIMHUB_STRICT=strict,
    )
    assert (("ran\n", 0) if strict == "0" else ("", 1)) == (done.stdout, done.returncode)
    assert ("Traceback" in done.stderr) == (strict == "1")
    assert "shimhub.loader" in done.stderr


@pytest.mark.parametrize("act", ["raise RuntimeError('hostile')", "import sys; sys.exit(3)", "1 +"])
def test_a_hostile_package_of_our_name_is_told_and_the_program_runs(lab, act):
    """A shimhub before ours on PYTHONPATH that raises, exits or is broken ends no start."""
    lab.module("shimhub.__init__", act + "\n")
    path = os.pathsep.join([SITE_DIR, str(lab.site)])
    done = lab.start([sys.executable, "-c", "print('ran')"], PYTHONPATH=path, SHIMHUB="1")
    assert "ran\n" == done.stdout
    assert 1 == len(done.stderr.splitlines())
    assert "this process runs unpatched" in done.stderr


@pytest.mark.parametrize("act", ["raise RuntimeError('hostile')", "import sys; sys.exit(3)", "1 +"])
def test_a_hostile_package_of_our_name_ends_no_start_of_an_activated_environment(env, act):
    """The line of the .pth survives it as well, and says once that it is not active."""
    assert 0 == env.start("-m", "shimhub", "activate").returncode
    folder = env.root / "hostile"
    (folder / "shimhub").mkdir(parents=True)
    (folder / "shimhub" / "__init__.py").write_text(act + "\n")
    done = env.start("-c", "print('ran')", PYTHONPATH=str(folder))
    assert (0, "ran\n") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert "shimhub: not active: " in done.stderr
