from __future__ import annotations

import pytest

import shimhub

ROWS = """
    [targets.target]
    [packs.p]
    summary = "s"
    [[shim]]
    id = "target/f"
    packs = ["p"]
    attach = "target:f"
    action = "alias"
    to = "math:sqrt"
    why = "f was missing."
    [[shim]]
    id = "target/g"
    attach = "target:g"
    action = "alias"
    to = "math:floor"
    why = "g was missing."
"""

PUBLIC = {
    *("install", "uninstall", "status", "plan", "explain", "shimmed", "Verdict", "Verdicts"),
    *("Status", "Problem", "Context", "ShimhubError", "RegistryError", "SelectionError"),
    *("ShimError", "PlaceholderError", "PatchError", "AdaptError", "UnknownShimError"),
    *("ActivationError", "TrustError", "ReportError", "child_environ"),
    *("__version__", "Decline", "Raised", "ShimStats", "VerifyError", "stats"),
    *("NotProvedError", "UntestedError", "enable", "disable"),
}


@pytest.fixture
def two(lab):
    """A lab with two rows that a plain target needs."""
    lab.module("target", "")
    lab.rows(ROWS)
    return lab


# ---- names


def test_the_public_names_are_these():
    """`__all__`, dir() and attributes agree, and no more is public."""
    assert sorted(shimhub.__all__) == sorted(PUBLIC)
    assert set(dir(shimhub)) >= PUBLIC
    assert all(getattr(shimhub, name) is not None for name in PUBLIC)


def test_an_unknown_name_is_an_attribute_error():
    """A name that is not public is told like any module's."""
    with pytest.raises(AttributeError, match="module 'shimhub' has no attribute 'instal'"):
        _ = shimhub.instal


def test_import_shimhub_loads_next_to_nothing(lab):
    """The package alone brings its version; the rest comes with first use."""
    code = "import sys, shimhub; print(sorted(n for n in sys.modules if n.startswith('shimhub')))"
    assert "['shimhub', 'shimhub._version']\n" == lab.run(code).stdout


def test_public_names_stay_what_they_are_after_submodules_load(two):
    """No submodule of the package ever shadows a public function."""
    two.run("""
        import shimhub
        first = [getattr(shimhub, name) for name in shimhub.__all__]
        shimhub.install(registry=REGISTRY); shimhub.plan(); shimhub.status(); shimhub.uninstall()
        import shimhub.cli.commands, shimhub.activation.launcher
        assert first == [getattr(shimhub, name) for name in shimhub.__all__]
    """)


def test_errors_have_the_bases_that_callers_catch():
    """Each error is a ShimhubError and the builtin that fits."""
    for name, base in {
        "ShimError": ImportError,
        "PlaceholderError": NotImplementedError,
        "SelectionError": ValueError,
        "UnknownShimError": LookupError,
        "AdaptError": TypeError,
        "RegistryError": Exception,
    }.items():
        error = getattr(shimhub, name)
        assert issubclass(error, shimhub.ShimhubError)
        assert issubclass(error, base)


def test_a_status_is_a_string():
    """Statuses compare and print as their names."""
    names = [
        "APPLIED",
        "PENDING",
        "NOT_NEEDED",
        "GATED",
        "DISABLED",
        "CONFLICT",
        "FAILED",
        "RETIRED",
    ]
    assert names == [one.value for one in shimhub.Status]
    assert "APPLIED" == shimhub.Status.APPLIED
    assert "APPLIED" == f"{shimhub.Status.APPLIED}" == str(shimhub.Status.APPLIED)


def test_verdicts_are_a_collection():
    """Iterable, sized, indexed by id; an unknown id is a LookupError; str() is readable."""
    one = shimhub.Verdict("a", shimhub.Status.PENDING, "waits")
    found = shimhub.Verdicts((one,))
    assert ([one], 1, one) == (list(found), len(found), found["a"])
    assert "a" in found
    assert "b" not in found
    assert "PENDING    a: waits" == str(found)
    with pytest.raises(LookupError, match="'b'"):
        _ = found["b"]


# ---- install and uninstall


def test_install_applies_now_and_later(two):
    """Shims of loaded modules are applied at once, others at their import."""
    two.module("later", "")
    two.rows(ROWS + ROWS[ROWS.index("    [[shim]]") :].replace("target", "later"))
    two.run("""
        import shimhub, target
        found = shimhub.install(registry=REGISTRY)
        assert ("APPLIED", "PENDING") == (found["target/f"].status, found["later/f"].status)
        import later
        assert later.f(4) == target.f(4) == 2
        assert "APPLIED" == shimhub.status()["later/f"].status
        assert shimhub.status().active
    """)


def test_installing_twice_is_the_same_as_once(two):
    """A second install changes neither finders, slots nor verdicts."""
    two.run("""
        import sys, shimhub, target
        first = shimhub.install(registry=REGISTRY)
        finders, names = list(sys.meta_path), dict(vars(target))
        second = shimhub.install(registry=REGISTRY)
        assert finders == list(sys.meta_path)
        assert all(vars(target)[name] is names[name] for name in names)
        assert [(v.id, v.status) for v in first] == [(v.id, v.status) for v in second]
        shimhub.uninstall()
        assert "f" not in vars(target) and not shimhub.uninstall()
    """)


def test_uninstall_restores_all(two):
    """After uninstall no finder, no slot and no verdict is left."""
    two.run("""
        import sys, target
        before, names = list(sys.meta_path), dict(vars(target))
        import shimhub
        shimhub.install(registry=REGISTRY)
        assert "f" in vars(target)
        assert 0 == len(shimhub.uninstall())
        assert before == list(sys.meta_path)
        assert names == vars(target)
        assert not shimhub.status().active and 0 == len(shimhub.status())
    """)


def test_another_install_replaces_the_choice(two):
    """What only the earlier install wanted is reverted; what both want stays by identity."""
    two.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        f = target.f
        found = shimhub.install(registry=REGISTRY, disable="target/g")
        assert target.f is f and not hasattr(target, "g")
        assert "disabled by 'target/g'" == found["target/g"].reason
        shimhub.install()
        assert not hasattr(target, "f") and "target/f" not in shimhub.status()
    """)


def test_registry_takes_a_path_or_paths(two):
    """A str, a PathLike and lists of them name the same file."""
    two.run("""
        import pathlib, shimhub
        path = pathlib.Path(REGISTRY)
        ways = (REGISTRY, path, [path], (REGISTRY,))
        digests = {shimhub.plan(registry=one).digest for one in ways}
        assert 1 == len(digests)
        assert digests != {shimhub.plan().digest}
    """)


def test_words_may_be_a_string_or_a_list(two):
    """only, enable and disable take comma-separated text and iterables."""
    two.run("""
        import shimhub
        for words in ("target/f,target/g", ["target/f", "target/g"], ("target/*",)):
            found = shimhub.plan(registry=REGISTRY, disable=words)
            assert {"DISABLED"} == {found[one].status for one in ("target/f", "target/g")}
    """)


def test_errors_of_install_change_nothing(two):
    """A bad registry or word leaves the earlier install as it was."""
    (two.root / "bad.toml").write_text("schema = 2\n")
    two.run("""
        import sys, shimhub, target
        for installed in (False, True):
            if installed:
                shimhub.install(registry=REGISTRY)
            before = list(sys.meta_path), dict(vars(target)), list(shimhub.status())
            for keys, error in (({"registry": "bad.toml"}, shimhub.RegistryError),
                                ({"enable": "nothing"}, shimhub.SelectionError)):
                try:
                    shimhub.install(**keys)
                except error:
                    pass
                else:
                    raise AssertionError(keys)
                after = list(sys.meta_path), dict(vars(target)), list(shimhub.status())
                assert before == after
    """)


# ---- strict


def test_strict_install_raises_and_leaves_nothing(two):
    """A shim of a loaded module that fails makes a strict install fail, with all undone."""
    two.rows(ROWS.replace("math:floor", "math:nothing"))
    two.run("""
        import sys, shimhub, target
        before = [one for one in sys.meta_path]
        try:
            shimhub.install(registry=REGISTRY, strict=True)
        except shimhub.ShimError as error:
            assert "target/g" in str(error) and isinstance(error, ImportError)
        else:
            raise AssertionError
        assert not hasattr(target, "f") and before == sys.meta_path
        found = shimhub.install(registry=REGISTRY)
        assert ("APPLIED", "FAILED") == (found["target/f"].status, found["target/g"].status)
    """)


@pytest.mark.parametrize("way", ["strict=True", ""])
def test_strict_imports_fail_twice(two, way):
    """In strict mode, by argument or SHIMHUB_STRICT, the import fails, and so does the second."""
    two.rows(ROWS.replace("math:floor", "math:nothing"))
    two.run(
        f"""
        import sys, shimhub
        shimhub.install(REGISTRY, {way})
        for _ in range(2):
            try:
                import target
            except shimhub.ShimError as error:
                assert "target" == error.name
            else:
                raise AssertionError
            assert "target" not in sys.modules
        """,
        SHIMHUB_STRICT="" if way else "1",
    )


def test_without_strict_a_failure_is_a_verdict(two):
    """The module imports, and the verdict has the error."""
    two.rows(ROWS.replace("math:floor", "math:nothing"))
    two.run("""
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        found = shimhub.status()["target/g"]
        assert "FAILED" == found.status and "math has no 'nothing'" in found.reason, found
        assert target.f(4) == 2
    """)


def test_strict_of_a_module_that_was_half_imported(two):
    """An install in the middle of a target's import fails that import in strict mode."""
    two.rows(ROWS.replace("math:floor", "math:nothing"))
    two.module("target", f"import shimhub\nshimhub.install({str(two.registry)!r}, strict=True)\n")
    two.run("""
        import sys
        try:
            import target
        except ImportError as error:
            assert "strict" in str(error), error
        else:
            raise AssertionError
        assert "target" not in sys.modules
    """)


ADD = """
    [[shim]]
    id = "target/f"
    attach = "target:f"
    action = "add"
    why = "f was missing."
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise OSError('no disk')\n", "OSError: no disk"),
        ("raise SystemExit(3)\n", None),
        ("def biuld(original, ctx): return 1\n", "defines no 'build'"),
        ("def build(original, ctx): return 1 / 0\n", "ZeroDivisionError"),
        ("def build(\n", "SyntaxError"),
    ],
)
def test_code_that_fails_is_a_verdict_and_leaves_nothing(two, code, told):
    """A shim whose code cannot be imported or run is FAILED with the error, and tried anew."""
    two.rows(ADD)
    two.shim("target/f", code)
    done = two.run(
        """
        import sys, shimhub
        shimhub.install(registry=REGISTRY)
        import target
        assert not hasattr(target, "f")
        found = shimhub.status()["target/f"]
        print(found.status, found.reason)
        shimhub.uninstall()
        """,
        check=told is not None,
    )
    if told is None:
        assert 3 == done.returncode
    else:
        assert done.stdout.startswith("FAILED")
        assert told in done.stdout


def test_code_that_was_mended_is_imported_anew(two):
    """A shim.py that raised is not kept half-made: after an edit and another install it works."""
    two.rows(ADD)
    path = two.shim("target/f", "raise OSError('no disk')\n")
    two.run(f"""
        import shimhub, target
        assert "FAILED" == shimhub.install(registry=REGISTRY)["target/f"].status
        shimhub.uninstall()
        with open({str(path)!r}, "w") as stream:
            stream.write("def build(original, ctx): return 'mended, and longer than before'\\n")
        assert "APPLIED" == shimhub.install(registry=REGISTRY)["target/f"].status
        assert target.f.startswith("mended")
    """)


def test_a_lazy_module_made_anew_has_the_names_too(two):
    """A lazy module that replaces itself by another instance keeps what was added, until undone."""
    two.module(
        "target",
        """
        import sys, types
        class Lazy(types.ModuleType):
            def __getattr__(self, name):
                if name == "known":
                    return 1
                raise AttributeError(name)
        sys.modules[__name__] = Lazy(__name__)
        """,
    )
    two.run("""
        import sys, shimhub
        shimhub.install(registry=REGISTRY)
        import target
        kind = type(target)
        anew = sys.modules["target"] = kind("target")
        other = kind("other")
        assert target.f(4) == anew.f(4) == 2 and anew.known == 1
        assert not hasattr(anew, "unknown") and not hasattr(other, "f")
        shimhub.uninstall()
        assert not hasattr(anew, "f") and not hasattr(target, "f")
    """)


# ---- shimmed


def test_shimmed_is_for_the_length_of_a_block(two):
    """Inside the shims are there; after it nothing is, also after an exception."""
    two.run("""
        import sys, shimhub, target
        finders = list(sys.meta_path)
        with shimhub.shimmed(registry=REGISTRY) as found:
            assert "APPLIED" == found["target/f"].status and target.f(4) == 2
        assert not hasattr(target, "f")
        try:
            with shimhub.shimmed(registry=REGISTRY):
                raise KeyError
        except KeyError:
            pass
        assert not hasattr(target, "f") and finders == sys.meta_path
    """)


def test_shimmed_restores_the_install_around_it(two):
    """What was installed before the block is there again after it, by identity."""
    two.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY, only="target/f")
        f = target.f
        with shimhub.shimmed(registry=REGISTRY, only="target/g"):
            assert hasattr(target, "g") and not hasattr(target, "f")
            with shimhub.shimmed(registry=REGISTRY):
                assert hasattr(target, "g") and hasattr(target, "f")
            assert hasattr(target, "g") and not hasattr(target, "f")
        assert target.f is f and not hasattr(target, "g")
    """)


def test_shimmed_with_a_bad_word_changes_nothing(two):
    """An error on entering leaves all as it was."""
    two.run("""
        import sys, shimhub, target
        finders = list(sys.meta_path)
        try:
            with shimhub.shimmed(enable="nothing"):
                raise AssertionError
        except shimhub.SelectionError:
            pass
        assert finders == sys.meta_path and not shimhub.status().active
    """)


def test_shimmed_with_a_strict_failure_restores_the_install_around_it(two):
    """A strict block that cannot be entered leaves the earlier install in place."""
    bad = two.root / "bad.toml"
    bad.write_text("schema = 1\n" + ROWS.replace("math:floor", "math:nothing"))
    two.run(f"""
        import shimhub, target
        shimhub.install(registry=REGISTRY)
        try:
            with shimhub.shimmed(registry={str(bad)!r}, strict=True):
                raise AssertionError
        except shimhub.ShimError:
            pass
        assert hasattr(target, "f") and hasattr(target, "g")
        assert shimhub.status().active
    """)


# ---- questions


def test_questions_without_an_install(two):
    """Status is empty, plan and explain answer, and nothing is imported or installed."""
    two.run(
        """
        import sys, shimhub
        finders = list(sys.meta_path)
        assert 0 == len(shimhub.status()) and not shimhub.status().active
        assert "PENDING" == shimhub.plan()["target/f"].status
        (found,) = shimhub.explain("target:f")
        assert "f was missing." == found.evidence["why"]
        assert "target" not in sys.modules and finders == sys.meta_path
        """,
        SHIMHUB_REGISTRY=str(two.registry),
    )


def test_explain_answers_from_the_install(two):
    """With the hub installed explain tells what became of a shim, by id, attach point or module."""
    two.run("""
        import shimhub, target
        shimhub.install(registry=REGISTRY, disable="target/g")
        assert ["target/f", "target/g"] == [one.id for one in shimhub.explain("target")]
        (found,) = shimhub.explain("target/f")
        assert "APPLIED" == found.status and found.evidence["file"] == REGISTRY
        assert ("p",) == tuple(found.evidence["packs"])
    """)


def test_explain_of_an_unknown_name_suggests_one(two):
    """An unknown name is a LookupError with the nearest id."""
    two.run("""
        import shimhub
        for install in (False, True):
            if install:
                shimhub.install(registry=REGISTRY)
            try:
                shimhub.explain("torch/distributed/set_timeuot")
            except LookupError as error:
                assert "did you mean 'torch/distributed/set_timeout'?" in str(error)
            else:
                raise AssertionError
    """)


def test_a_row_of_another_file_says_what_it_overrides(two):
    """The file whose row lost stands in what explain tells."""
    second = two.root / "second.toml"
    second.write_text("schema = 1\n" + ROWS)
    two.run(f"""
        import shimhub
        shimhub.install(registry=[REGISTRY, {str(second)!r}])
        (found,) = shimhub.explain("target/f")
        assert (REGISTRY, {str(second)!r}) == (found.evidence["overrides"], found.evidence["file"])
    """)


# ---- the environment's word


def test_variables_add_to_arguments(two):
    """SHIMHUB_ENABLE and _DISABLE add to the arguments, SHIMHUB_REGISTRY comes before them."""
    second = two.root / "second.toml"
    more = ROWS[ROWS.rindex("    [[shim]]") :].replace("target/g", "target/h")
    second.write_text("schema = 1\n" + ROWS.replace("math:sqrt", "math:ceil") + more)
    two.run(
        """
        import shimhub, math, target
        shimhub.install(registry="second.toml")
        assert target.f is math.ceil
        found = shimhub.plan(registry="second.toml", disable="target/h,target/*", enable="p")
        status = {one: found["target/" + one].status.value for one in "fgh"}
        assert {"f": "PENDING", "g": "DISABLED", "h": "DISABLED"} == status, status
        """,
        SHIMHUB_REGISTRY=str(two.registry),
        SHIMHUB_DISABLE="target/g",
        SHIMHUB_ENABLE="target/f",
    )


def test_only_of_an_argument_wins_over_the_variable(two):
    """SHIMHUB_ONLY holds where no argument is given."""
    code = """
        import shimhub
        found = shimhub.plan(REGISTRY, **KEYS)
        print(*(one for one in ("target/f", "target/g") if found[one].status == "PENDING"))
    """
    for keys, expected in (("{}", "target/f"), ("{'only': 'target/g'}", "target/g")):
        done = two.run(code.replace("KEYS", keys), SHIMHUB_ONLY="target/f")
        assert f"{expected}\n" == done.stdout


@pytest.mark.parametrize(("value", "strict"), [("1", True), ("0", False), ("", False)])
def test_shimhub_strict_is_a_switch(two, value, strict):
    """SHIMHUB_STRICT=1 is strict; 0 and empty are not."""
    two.rows(ROWS.replace("math:floor", "math:nothing"))
    code = "import shimhub, target; shimhub.install(REGISTRY)"
    done = two.run(code, check=False, SHIMHUB_STRICT=value)
    assert strict is (done.returncode != 0)
    assert strict is ("ShimError" in done.stderr)


def test_the_kill_switch_beats_the_arguments(two):
    """With SHIMHUB=0 install does nothing and says so for every shim."""
    two.run(
        """
        import sys, shimhub, target
        finders = list(sys.meta_path)
        for found in (shimhub.install(REGISTRY, enable="target/f"), shimhub.plan(REGISTRY)):
            assert {"DISABLED"} == {one.status for one in found} and len(found) > 2
            assert "SHIMHUB=0" in found["target/f"].reason
        with shimhub.shimmed(REGISTRY):
            assert not hasattr(target, "f")
        assert finders == sys.meta_path and not shimhub.status().active
        """,
        SHIMHUB="0",
    )


# ---- turned on and off


def test_disable_reverts_and_enable_applies_again(two):
    """Packs, ids and globs go off and on in a process; what is off is reverted by identity."""
    two.run(
        """
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        def told(found):
            return [str(found["target/f"].status), str(found["target/g"].status)]
        assert ["APPLIED"] * 2 == told(shimhub.status())
        assert ["DISABLED"] * 2 == told(shimhub.disable("p", "target/g"))
        assert not hasattr(target, "f")
        assert ["DISABLED", "APPLIED"] == told(shimhub.enable("target/g"))
        assert ["APPLIED"] * 2 == told(shimhub.enable("p"))
        """
    )


def test_enable_keeps_what_the_environment_turns_off(two):
    """SHIMHUB_DISABLE is the user's word: a script's ``enable`` of the same pattern is not."""
    code = """
        import shimhub
        shimhub.install(registry=REGISTRY)
        import target
        found = [shimhub.enable("target/*")[one].status for one in ("target/f", "target/g")]
        assert ["DISABLED", "DISABLED"] == found
        """
    two.run(code, SHIMHUB_DISABLE="target/*")


def test_enable_installs_and_disable_without_the_hub_does_nothing(two):
    """``enable`` needs no ``install`` before it; a pattern that names nothing is an error."""
    two.run(
        """
        import shimhub
        assert len(shimhub.disable("target/*")) == 0
        assert shimhub.enable("target/*")
        import target
        assert "APPLIED" in {str(one.status) for one in shimhub.status()}
        for turn in (shimhub.enable, shimhub.disable):
            try:
                turn("targte/f")
            except shimhub.SelectionError as error:
                assert "targte/f" in str(error)
            else:
                raise AssertionError(turn)
        """,
        SHIMHUB_REGISTRY=str(two.registry),
    )


def test_a_replacement_tells_of_itself_what_the_original_does(lab):
    """``help()`` and annotations are the original's; a fresh process sees no other."""
    lab.module("target", 'def f(x: int, y: "str" = "") -> bool:\n    "Say so."\n    return True\n')
    lab.rows(
        """
        [[shim]]
        id = "target/f"
        attach = "target:f"
        action = "replace"
        why = "It is faster."
        """
    )
    lab.shim("target/f", "def build(original, ctx):\n    return lambda x, y='': True\n")
    told = "import inspect; print(inspect.signature(target.f), target.f.__doc__)"
    plain = lab.run(f"import target; {told}").stdout
    code = f"import shimhub; shimhub.install(registry=REGISTRY); import target; {told}"
    assert plain == lab.run(code + "; assert target.f.__shimhub__").stdout
