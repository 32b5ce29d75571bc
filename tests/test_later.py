from __future__ import annotations

import ast
import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ["accel", "data", "kernels", "pure", "speed"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a package of a module ``of_f`` with ``f`` and ``g``, and of ``_later``'s functions."""
    folder = tmp_path / "later_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from shimhub import _later\n"
        "__all__ = ['f', 'gone', 'ready']\n"
        "ready = 1\n"
        "__getattr__, __dir__ = _later.attributes(globals(), {'below.of_f': 'f gone'})\n"
    )
    (folder / "below").mkdir()
    (folder / "below" / "__init__.py").write_text("")
    (folder / "below" / "of_f.py").write_text("def f(): return 'of f'\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("later_package")
    for name in [name for name in sys.modules if name.startswith("later_package")]:
        del sys.modules[name]


def test_a_name_is_imported_at_its_first_use_and_kept(package):
    """No module is imported before; afterwards the name is the package's own."""
    assert "later_package.below.of_f" not in sys.modules
    assert "f" not in vars(package)
    from later_package import f

    assert "of f" == f()
    assert f is vars(package)["f"] is sys.modules["later_package.below.of_f"].f
    assert f is pickle.loads(pickle.dumps(f))


def test_dir_lists_names_that_are_not_imported_yet(package):
    """Those of the table and of the package, once each and sorted; listing imports nothing."""
    before = dir(package)
    assert {"__name__", "f", "gone", "ready"} <= set(before)
    assert "later_package.below.of_f" not in sys.modules
    _ = package.f
    assert sorted({*before, "below"}) == dir(package)


def test_an_unknown_name_is_told_as_python_tells_it(package):
    """The text, name and object are those of a module's own error, and so is an import's."""
    plain = type(sys)("later_package")
    with pytest.raises(AttributeError) as theirs:
        _ = plain.h
    with pytest.raises(AttributeError) as ours:
        _ = package.h
    assert str(theirs.value) == str(ours.value)
    assert ("h", package) == (ours.value.name, ours.value.obj)
    with pytest.raises(ImportError, match="cannot import name 'h' from 'later_package'"):
        from later_package import h  # noqa: F401
    assert not hasattr(package, "__wrapped__")


def test_a_name_that_its_module_lacks_is_told_with_the_module(package):
    """A table that is wrong names the module where it is wrong, and nothing is kept."""
    with pytest.raises(AttributeError, match=r"module 'later_package\.below\.of_f' .* 'gone'"):
        _ = package.gone
    assert "gone" not in vars(package)


def test_an_error_of_the_module_is_told_and_the_next_use_imports_again(package, tmp_path):
    """What fails once, for a module that is not there, is not remembered."""
    file = tmp_path / "later_package" / "below" / "of_f.py"
    kept = file.read_text()
    file.write_text("import a_module_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        _ = package.f
    file.write_text(kept)
    importlib.invalidate_caches()
    assert "of f" == package.f()


@pytest.mark.parametrize("name", PACKAGES)
def test_dir_of_a_fresh_package_has_all_public_names(name):
    """``__all__`` is listed before any use; both have each name once."""
    code = f"import shimhub.{name} as it; print(*dir(it)); print(*it.__all__)"
    listed, public = map(str.split, run(code).splitlines())
    assert [] == sorted({*public} - {*listed})
    assert sorted({*listed}) == listed
    assert len({*public}) == len(public)


@pytest.mark.parametrize("name", PACKAGES)
def test_type_checkers_are_told_the_modules_that_names_are_imported_from(name):
    """What a package imports for type checkers alone is its table, but for names made at once."""
    package = importlib.import_module(f"shimhub.{name}")
    table = getattr(package, "_MODULES", None) or package._LATER
    told: dict[str, set[str]] = {}
    for module, names in imported_for_types(package):
        told[module.removeprefix(f"shimhub.{name}.")] = set(names)
    if name == "accel":  # its operations are made at once, in the `else`
        assert told.pop("ops") <= set(vars(package))
    assert told == {module: set(names.split()) for module, names in table.items()}


def imported_for_types(package):
    """Yield modules and names that the package imports in its first `if TYPE_CHECKING:`."""
    tree = ast.parse(Path(package.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert "TYPE_CHECKING" == ast.unparse(block.test)
    for node in block.body:
        yield node.module, [alias.name for alias in node.names]


def test_the_helper_brings_no_module():
    """It imports what each of the packages has imported anyway."""
    code = """
import __future__, collections.abc, importlib, sys, typing
before = set(sys.modules)
import shimhub._later
print(*sorted(set(sys.modules) - before))
"""
    assert ["shimhub", "shimhub._later", "shimhub._version"] == run(code).split()


def run(code):
    """Return what a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout
