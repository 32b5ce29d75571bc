"""``fast_axolotl`` as shimhub serves it, for tests; one that is really installed is hidden."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import shimhub
from tests.axolotl import support

REPOSITORY = Path(__file__).resolve().parents[2]

#: The modules that fast-axolotl's documentation lists.
EIGHT = (
    "axolotl",
    "axolotl.rust_ext",
    "axolotl.rust_ext.axolotl_ext",
    "axolotl.utils",
    "axolotl.utils.data",
    "axolotl.utils.data.rust_streaming",
    "axolotl.utils.data.rust_wrapper",
    "axolotl.utils.collators",
)

#: To hide both: without axolotl.
BOTH = ("fast_axolotl", "axolotl")

#: Code that hides an installed fast_axolotl from the imports of its process.
HIDE = """
import importlib.machinery as _machinery
def _hide(top, real=_machinery.PathFinder.find_spec):
    _machinery.PathFinder.find_spec = staticmethod(
        lambda name, path=None, target=None:
            None if name.partition(".")[0] == top else real(name, path, target)
    )
_hide({name!r})
"""


@contextlib.contextmanager
def served(*only: str) -> Iterator[Any]:
    """Give the served package for a block; axolotl is not there, and nothing is left behind."""
    with _hidden(*BOTH), shimhub.shimmed(only=only or ("fast-axolotl",)):
        import fast_axolotl

        yield fast_axolotl


@contextlib.contextmanager
def _hidden(*tops: str) -> Iterator[None]:
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _top(name) in tops}
    kept_finder, real = vars(PathFinder)["find_spec"], PathFinder.find_spec

    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> Any:
        return None if _top(name) in tops else real(name, path, target)

    PathFinder.find_spec = staticmethod(find_spec)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        PathFinder.find_spec = kept_finder
        sys.modules.update(kept)


def _top(name: str) -> str:
    return name.partition(".")[0]


def run(
    code: str,
    *arguments: str,
    path: tuple[Any, ...] = (),
    after: tuple[Any, ...] = (),
    cwd: Path | None = None,
    hub: tuple[str, ...] = (),
    hide: tuple[str, ...] = ("fast_axolotl",),
    check: bool = True,
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` under ``shimhub run``, with folders of ``path`` before all others."""
    hiding = "".join(HIDE.format(name=name) for name in hide)
    command = [sys.executable, "-W", "ignore", "-m", "shimhub", "run", *hub]
    clean = {key: value for key, value in os.environ.items() if "SHIMHUB" not in key}
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = [*map(str, path), str(REPOSITORY), *filter(None, [*inherited, *map(str, after)])]
    told = subprocess.run(
        [*command, "-c", hiding + code, *arguments],
        cwd=cwd,
        env=clean | {"PYTHONPATH": os.pathsep.join(folders)} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and told.returncode:
        raise AssertionError(told.stdout + told.stderr)
    return told


#: A small package of axolotl's shape, by path; ``ORIGINAL`` is a function that shims may replace.
PACKAGE = {
    "axolotl-0.19.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: axolotl\nVersion: 0.19.0\n",
    "axolotl/__init__.py": "__version__ = '0.19.0'\n",
    "axolotl/utils/__init__.py": "",
    "axolotl/utils/data/__init__.py": "from axolotl.utils.data.utils import md5\n",
    "axolotl/utils/data/sft.py": """
def _load_tokenized_prepared_datasets(tokenizer, cfg, split, processor, streaming):
    return (tokenizer, cfg.dataset_prepared_path, split, processor, streaming), []
""",
    "axolotl/utils/data/utils.py": """
def md5(text):
    return text
def _deduplicate_dataset(dataset, seen_hashes=None):
    return dataset, seen_hashes
def replaceable(number):
    return number
ORIGINAL = replaceable
""",
    "axolotl/utils/collators/__init__.py": "from .batching import DataCollatorForSeq2Seq\n",
    "axolotl/utils/collators/batching.py": "class DataCollatorForSeq2Seq:\n    pass\n",
    "axolotl/cli/__init__.py": "",
    "axolotl/cli/train.py": """
def do_cli(config='examples/', **kwargs):
    print('trained', config, kwargs)
""",
    "fire.py": """
import sys
def Fire(component):
    return component(*sys.argv[1:])
""",
}


def write_package(folder: Path, texts: Mapping[str, str] = PACKAGE) -> Path:
    """Write files of a package, ``PACKAGE``'s at first, into a folder, and return it."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run_blocks(folder: Path, scripts: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Run scripts with a real axolotl, each in a fork; return exit code and output of each.

    They find the files of ``served_blocks.py`` in the working directory, which is ``folder``.
    """
    (folder / "blocks.json").write_text(json.dumps(scripts), encoding="utf-8")
    stand_in = folder / "site/axolotl/contribs/lgpl.py"  # of a distribution of its own
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text("def fix_untrained_tokens(*args, **kwargs): pass\n", encoding="utf-8")
    here = Path(__file__).parent
    code = f"""
import runpy, sys
sys.argv[0] = {str(here / "served_blocks.py")!r}
sys.path.append({str(here)!r})
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    programs = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    env = {**support.OFFLINE, "PATH": programs}
    run(code, "blocks.json", "answers.json", after=(folder / "site",), cwd=folder, **env)
    found: dict[str, tuple[int, str]] = json.loads((folder / "answers.json").read_text())
    return found
