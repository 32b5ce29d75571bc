"""`torchtitan.experiments.compat` as it was proposed, its printed examples running as printed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

#: A TorchTitan without the package, and what the examples speak of.
FILES = {
    "torchtitan/__init__.py": "__version__ = '0.2.2'",
    "torchtitan/experiments/__init__.py": "",
    "torch/__init__.py": "",
    "torch/some/__init__.py": "",
    "torch/some/existing_module.py": "value = 1",
    "real_one.py": "real = True",
    "broken.py": "raise OSError('broken')",
}
OWN_PACKAGE = {"torchtitan/experiments/compat/__init__.py": "own = True"}
EXAMPLES = """
from types import ModuleType
from torchtitan.experiments.compat import register_shim

def _shim_new_module():
    module = ModuleType('torch.some.missing.module')
    # Add functions/classes to the module
    module.added = print
    return module

# In install_shims():
register_shim('torch.some.missing.module', _shim_new_module)

def _shim_existing_module():
    from torch.some import existing_module

    class MissingClass:
        # Implementation or stub
        pass

    existing_module.MissingClass = MissingClass
    return existing_module

# In install_shims():
_shim_existing_module()
"""
USED = """
import sys
import torch.some.missing.module
import torch.some.missing.module as new
from torch.some.missing.module import added
from torch.some.existing_module import MissingClass, value
assert new is sys.modules["torch.some.missing.module"] is torch.some.missing.module
assert new.__spec__.name == new.__name__ and torch.some.missing.__path__ == []
print(added is print, MissingClass.__name__, value)
"""
REAL_WINS = """
import real_one
register_shim("real_one", lambda: 1 / 0)
register_shim("broken", lambda: ModuleType("broken"))
del sys.modules["real_one"]
import real_one
print(real_one.real)
try:
    import broken
except OSError as error:
    print(error)
"""
AGAIN = """
import importlib, torchtitan.experiments.compat as package
import torchtitan.experiments.compat.compat as module
for _ in range(2):
    importlib.reload(module)
    importlib.reload(package)
    package.install_shims()
finders = [one for one in sys.meta_path if type(one).__name__ == "State"]
known = "torch.some.missing.module" in finders[0].factories
print(len(finders), sys.meta_path[-1] is finders[0], known)
assert sys.modules.pop("torch.some.missing.module") is new
import torch.some.missing.module
print(torch.some.missing.module is not new)
"""
WRONG = """
for name, factory in (("no module", print), ("torch.some.other", "text")):
    try:
        register_shim(name, factory)
    except (ValueError, TypeError) as error:
        print(error)
register_shim("torch.some.empty", lambda: None)
try:
    import torch.some.empty
except ImportError as error:
    print(error)
register_shim("torch.some.moved", lambda: sys.modules["torch.some.existing_module"])
import torch.some.moved
print(torch.some.moved.__name__, torch.some.moved.__spec__.name)
"""
UNDONE = """
import shimhub
COMPAT = "torchtitan.experiments.compat"
assert shimhub.status()["torchtitan/experiments/compat/state"].status == "APPLIED"
shimhub.uninstall()
print([type(one).__name__ for one in sys.meta_path if type(one).__name__ == "State"])
print([one for one in sys.modules if "missing" in one or one.startswith(COMPAT)])
print(hasattr(torch.some, "missing"), MissingClass.__name__)
try:
    import torch.some.missing
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the files of a TorchTitan that lacks the package."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def _run(site: Path, code: str) -> list[str]:
    command = [sys.executable, "-m", "shimhub", "run", "-c", code]
    path = os.pathsep.join([str(site), *sys.path])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


def test_printed_examples_run_as_printed(site: Path) -> None:
    """A registered module and the packages that lead to it import; an existing one is patched."""
    assert ["True MissingClass 1"] == _run(site, EXAMPLES + USED)


def test_the_real_module_wins(site: Path) -> None:
    """A factory is not asked where a module is found, even one that fails to import."""
    assert ["True", "broken"] == _run(site, EXAMPLES + USED + REAL_WINS)[1:]


def test_once_is_enough_and_more_is_harmless(site: Path) -> None:
    """After reloads and repeated installs there is one finder, the last, and it forgot nothing."""
    assert ["1 True True", "True"] == _run(site, EXAMPLES + USED + AGAIN)[1:]


def test_mistakes_are_told(site: Path) -> None:
    """A wrong name, a wrong factory and a factory without a module raise; an existing module under
    a new name stays what it is."""
    told = _run(site, EXAMPLES + USED + WRONG)[1:]
    assert "register_shim: 'no module' is no module name; write it as 'torch.x.y'" == told[0]
    assert "the factory of 'torch.some.other' cannot be called: 'text'" in told[1]
    assert (
        "register_shim('torch.some.empty') was given returned None, which is no module" in told[2]
    )
    assert "torch.some.existing_module torch.some.existing_module" == told[3]


def test_undone_with_the_hub(site: Path) -> None:
    """On uninstall finder, package and made modules go; what the caller assigned himself stays."""
    gone = ["[]", "[]", "False MissingClass", "No module named 'torch.some.missing'"]
    assert gone == _run(site, EXAMPLES + USED + UNDONE)[1:]


def test_a_torchtitan_that_has_the_package_keeps_it(site: Path) -> None:
    """The real package wins, and the rows say so."""
    for name, text in OWN_PACKAGE.items():
        (site / name).parent.mkdir()
        (site / name).write_text(text, encoding="utf-8")
    code = """
import torchtitan.experiments.compat as package, shimhub
print(package.own, shimhub.status()["torchtitan/experiments/compat"].status.value)
"""
    assert ["True NOT_NEEDED"] == _run(site, code)


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("torchtitan") and find_spec("torch")), reason="needs torchtitan")
def test_a_real_torchtitan_serves_it() -> None:
    """Beside the real TorchTitan of this environment the package is served in its experiments."""
    code = "import torchtitan.experiments.compat as c; print(c.__name__, c.__spec__.origin)"
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", "-c", code]
    told = subprocess.check_output(command, text=True)
    expected = f"torchtitan.experiments.compat {Path(__file__).with_name('module.py')}\n"
    assert expected == told
