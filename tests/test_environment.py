from __future__ import annotations

import platform
import sys
import types

import importlib_metadata
import pytest

from shimhub.environment import UNTOLD, Environment, namespace
from shimhub.model import Fact, Target


def target(name, *dists, module=None):
    """Return a target."""
    return Target(name, dists or (name,), module or name)


def environment(*targets, **versions):
    """Return an environment that knows these targets."""
    return Environment({one.name: one for one in targets}, versions)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on sys.path, and how to put metadata there."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def dist(name, text="Metadata-Version: 2.1\nName: {0}\nVersion: {1}\n", version="1.0"):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        if text is not None:
            (folder / "METADATA").write_text(text.format(name, version))

    return types.SimpleNamespace(path=tmp_path, dist=dist)


def test_versions_come_from_metadata(site):
    """The version is the metadata's, with where it was read; nothing is imported."""
    site.dist("stand_in")
    (site.path / "stand_in.py").write_text("raise SystemExit\n")
    facts = environment(target("stand_in"))
    assert Fact("1.0", "metadata of stand_in") == facts.fact("stand_in")
    assert "1.0" == facts.version("stand_in")


def test_dists_are_asked_in_order(site):
    """The first dist that is installed tells the version."""
    site.dist("second", version="2.0")
    site.dist("third", version="3.0")
    facts = environment(target("t", "first", "second", "third"))
    assert Fact("2.0", "metadata of second") == facts.fact("t")


@pytest.mark.parametrize("text", [None, "", "Metadata-Version: 2.1\nName: broken\n", "junk"])
def test_broken_metadata_counts_as_none(site, text):
    """A dist-info without METADATA, or without a version in it, is no metadata and no crash."""
    site.dist("broken", text)
    assert environment(target("broken")).fact("broken") is None
    (site.path / "broken.py").write_text("")
    assert environment(target("broken")).fact("broken") is UNTOLD


def test_metadata_that_is_not_text_counts_as_none(site):
    """A METADATA file that is not UTF-8 tells no version."""
    site.dist("broken")
    (file,) = site.path.glob("broken-*.dist-info/METADATA")
    file.write_bytes(b"Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n\xff\xfe\n")
    assert environment(target("broken")).fact("broken") is None


@pytest.mark.parametrize(
    "text", ["Version: 2\n", "Name: x\nVERSION:2\n\nVersion: 3\n", "Version: 2\nVersion: 9\n"]
)
def test_the_version_is_the_first_header_of_that_name(site, text):
    """Headers end at the first empty line, and are read as the metadata library reads them."""
    site.dist("told", text)
    expected = importlib_metadata.distribution("told").version
    assert expected == environment(target("told")).version("told") == "2"


def test_metadata_that_contradicts_itself_is_none(site):
    """Two dist-infos of one name with two versions tell nothing; with one version they do."""
    site.dist("twice", version="1.0")
    site.dist("twice", version="2.0")
    facts = environment(target("twice"))
    assert facts.fact("twice") is None


def test_an_imported_module_tells_its_version(monkeypatch):
    """Without metadata a loaded module's __version__ is read, statically."""
    module = types.ModuleType("stand_in")
    monkeypatch.setitem(sys.modules, "stand_in", module)
    facts = environment(target("stand_in"))
    assert facts.version("stand_in") is None
    assert "no __version__" in facts.fact("stand_in").origin
    module.__version__ = "3.1"
    assert Fact("3.1", "stand_in.__version__") == facts.fact("stand_in")


def test_a_module_that_is_not_imported_is_untold(site):
    """A module that could be imported, without metadata, is known to be there."""
    (site.path / "stand_in.py").write_text("raise SystemExit\n")
    facts = environment(target("stand_in"))
    assert (UNTOLD, None) == (facts.fact("stand_in"), facts.version("stand_in"))


def test_a_target_that_is_nowhere_is_none():
    """Neither metadata nor module: None, and asked again later."""
    facts = environment(target("not_here_at_all"))
    assert facts.fact("not_here_at_all") is None
    assert facts.version("not_here_at_all") is None


def test_a_target_that_appears_later_is_found(site):
    """What was not installed when first asked may be there when asked again."""
    facts = environment(target("later"))
    assert facts.fact("later") is None
    site.dist("later")
    importlib_metadata.MetadataPathFinder.invalidate_caches()
    assert "1.0" == facts.version("later")


def test_a_known_version_is_asked_once(site, monkeypatch):
    """Metadata is read once a target."""
    site.dist("stand_in")
    facts = environment(target("stand_in"))
    first = facts.fact("stand_in")
    monkeypatch.setattr(importlib_metadata, "distributions", None)
    assert first is facts.fact("stand_in")


def test_given_versions_win(site):
    """Versions may be told, to ask what would be."""
    site.dist("stand_in")
    facts = environment(target("stand_in"), stand_in="9.9")
    assert Fact("9.9", "given") == facts.fact("stand_in")


def test_python_is_a_target_that_is_always_there():
    """The target python is the running interpreter's version."""
    expected = "{}.{}.{}".format(*sys.version_info)
    assert expected == environment().version("python")


def test_a_name_that_nobody_declared_has_no_version():
    """ctx.version of an unknown name is None."""
    assert environment().version("nobody") is None


def test_platform_facts_are_the_interpreters():
    """The fact platform is sys.platform, machine the architecture."""
    facts = environment()
    assert (sys.platform, platform.machine()) == (
        facts.platform_fact("platform"),
        facts.platform_fact("machine"),
    )


def test_a_namespace_is_read_without_running_code():
    """vars() of a lazy module is its own dict, whatever its class says; no module has none."""

    class Lazy(types.ModuleType):
        @property
        def __dict__(self):
            raise AssertionError("asked")

        def __getattr__(self, name):
            raise AssertionError(name)

    lazy = Lazy("lazy")
    assert "lazy" == namespace(lazy)["__name__"]
    assert {} == namespace(None) == namespace(object()) == namespace({"a": 1})


def test_a_target_put_on_the_path_after_install_is_judged_when_imported(lab):
    """A gate that could not find the target at install asks again when it is imported."""
    lab.module("target", "__version__ = '1.5'\n", root="vendored")
    lab.rows("""
        [targets.target]
        [[shim]]
        id = "target/f"
        attach = "target:f"
        action = "alias"
        to = "math:sqrt"
        why = "w"
        when = { target = ">=1" }
    """)
    lab.run(f"""
        import sys, shimhub
        shimhub.install(registry=REGISTRY)
        sys.path.insert(0, {str(lab.root / "vendored")!r})
        import target
        assert shimhub.status()["target/f"].status == "APPLIED", shimhub.status()
        assert target.f(4) == 2
    """)
