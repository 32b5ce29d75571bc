"""The shape of the house, from the AST: DESIGN.md section 4."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

import pytest

from shimhub import _toml

PACKAGE = Path(__file__).parent.parent / "shimhub"

#: Floors from below; inside a floor, each row of names may import the rows above it.
FLOORS = {
    0: [{"_later", "_version", "errors", "paths"}, {"_kept", "model"}],
    1: [
        {"_schema", "_toml", "_source", "_compare", "_tally", "environment"},
        {"_rows", "_closure", "_guarded"},
        {"registry", "gates", "patching", "placeholder"},
        {"fingerprint", "adapt", "rebind", "attach"},
        {"probing", "reading"},
        {"trust", "records"},
        {"compiled"},
    ],
    2: [{"select"}, {"planning"}, {"check"}],
    3: [
        {"_canary", "watch"},
        {"loader"},
        {"finder", "generated"},
        {"lazy", "_verifying", "proving"},
        {"guard"},
        {"building"},
        {"placing"},
        {"apply"},
    ],
    4: [{"config"}, {"trusting", "engines"}, {"hub"}],
    5: [
        {"activation.boot"},
        {"activation.start", "activation.startup"},
        {"report", "activation.runs", "activation.in_process"},
        {"activation.parent"},
        {"activation.here"},
        {"activation.launcher", "activation"},
        {"api"},
    ],
    6: [
        {
            "auto",
            "pytest_plugin",
            "ipython",
            "cli.terminal",
            "cli.options",
            "cli.shells",
            "cli.words",
        },
        {"cli.schema", "cli.data_options", "cli.data_words", "doctor.finding", "_templates"},
        {"compat.checking"},
        {
            "cli.output",
            "compat.rows",
            "doctor.files",
            "doctor.patchers",
            "doctor.registries",
            "doctor.trusted",
            "scaffold",
        },
        {"doctor.process", "cli.cells", "compat"},
        {"cli.data_looking", "cli.data_jobs", "compat.page"},
        {"doctor"},
        {
            *("cli.activation", "cli.listing", "cli.checking", "cli.doctor", "cli.new"),
            *("cli.reporting", "cli.trusting", "cli.completion", "cli.data", "cli.compat"),
            *("cli.accel", "cli.speed"),
        },
        {"cli.commands"},
        {"cli"},
        {"__main__", ""},
    ],
}
RANK = {
    name: (floor, row)
    for floor, rows in FLOORS.items()
    for row, names in enumerate(rows)
    for name in names
}
#: Packages beside the core, which know nothing of the hub; and the start-up file, which is no
#: module of the package but a PYTHONPATH entry.
BESIDE = ("kernels", "data", "speed", "accel", "pure", "activation.site")
#: What runs in every active process, before the user's code.
START_UP = (
    "",
    "paths",
    "compiled",
    "trust",
    "watch",
    "loader",
    "finder",
    "activation",
    "activation.boot",
    "activation.start",
    "activation.runs",
    "activation.here",
    "records",
    "auto",
)
#: Modules that may be longer than 300 lines, and why.
LONG: dict[str, str] = {}


def module_name(path: Path) -> str:
    """Return the module's name below the package; the package itself is an empty string."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def is_beside(name: str) -> bool:
    """Whether the module is none of the floors'."""
    return name.startswith(BESIDE) or name.startswith("shims")


MODULES = {
    module_name(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not is_beside(module_name(path))
}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


def is_type_checking(node: ast.AST) -> bool:
    """Whether the node is an `if TYPE_CHECKING:`, which never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imported(tree: ast.AST, deferred: bool = True):
    """Yield the full names that a module imports; with ``deferred`` also inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert 0 == node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif is_type_checking(node):
            yield from imported(ast.Module(node.orelse, []), deferred)
        elif deferred or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from imported(node, deferred)


def own_module(name: str) -> str | None:
    """Return the module below the package that a full name is in; None for other packages."""
    if name != "shimhub" and not name.startswith("shimhub."):
        return None
    below = name.removeprefix("shimhub").removeprefix(".")
    while below and below not in MODULES:
        below = below.rpartition(".")[0]
    return below


def test_every_module_has_a_floor():
    """A new module is put on a floor on purpose; a floor names no module that is gone."""
    assert set(MODULES) == set(RANK)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_lower_floors(name):
    """No import of a module, at the top or inside a function, leads up or sideways."""
    lower = {own_module(full) for full in imported(TREES[name])} - {None, ""}
    assert {} == {one: RANK[one] for one in lower if RANK[one] >= RANK[name]}


@pytest.mark.parametrize("name", ["finder", "loader"])
def test_the_finder_knows_nothing_of_registries(name):
    """The finder and the loader import no module of the floors below: they know modules only."""
    assert {own_module(full) for full in imported(TREES[name])} <= {None, "loader", "watch"}


#: What a package beside the core may import of shimhub, itself apart.
LOWER = {
    "kernels": ("shimhub._later", "shimhub._version"),
    "data": (
        *("shimhub._later", "shimhub._version"),
        *("shimhub.errors", "shimhub.paths", "shimhub.kernels"),
    ),
    "speed": (
        *("shimhub._kept", "shimhub._later", "shimhub._version"),
        *("shimhub.errors", "shimhub.paths"),
    ),
    "accel": (
        *("shimhub._kept", "shimhub._later", "shimhub._version"),
        *("shimhub.errors", "shimhub.paths", "shimhub.kernels"),
    ),
    "pure": ("shimhub._later", "shimhub.errors", "shimhub.paths", "shimhub.accel"),
}


@pytest.mark.parametrize("package", LOWER)
def test_packages_beside_the_core_know_nothing_of_the_hub(package):
    """They import themselves, what is below them, the version and perhaps the errors."""
    for path in sorted((PACKAGE / package).rglob("*.py")):
        names = [one for one in imported(ast.parse(path.read_text("utf-8"))) if "shimhub" in one]
        known = (f"shimhub.{package}", *LOWER[package])
        assert [] == [one for one in names if not one.startswith(known)]


# ---- the start-up path

START_UP_CODE = """
import sys
before = set(sys.modules)
import shimhub.auto
print(*sorted(name for name in set(sys.modules) - before))
"""


def stdlib_of(names):
    """Return what of the names is no module of ours."""
    return [name for name in names if name.partition(".")[0] != "shimhub"]


def test_start_up_imports_what_bare_python_has_already(lab):
    """With a warm cache `import shimhub.auto` brings no module but those of the start-up path."""
    lab.run(START_UP_CODE)
    loaded = lab.run(START_UP_CODE).stdout.split()
    assert {"atexit"} >= set(stdlib_of(loaded))  # builtin, for the end of the record
    ours = {f"shimhub.{name}".rstrip(".") for name in (*START_UP, "_version")}
    assert ours >= {name for name in loaded if name.startswith("shimhub")}


def test_the_start_up_file_brings_no_more(lab):
    """A child with our sitecustomize has what bare python has, and the start-up path."""
    bare = set(lab.start([sys.executable, "-c", MODULES_CODE]).stdout.split())
    lab.cli("run", "-c", MODULES_CODE)
    active = set(lab.cli("run", "-c", MODULES_CODE).stdout.split())
    # atexit is builtin: it tells a record whether the finder was there to the end.
    assert {"sitecustomize", "atexit"} >= set(stdlib_of(active - bare))
    assert set() == bare - active


MODULES_CODE = "import sys; print(*sys.modules)"


@pytest.mark.parametrize("name", [one for one in START_UP if one in MODULES])
def test_a_start_up_module_imports_the_builtins_alone(name, lab):
    """The top-level imports of a start-up module are ours, or loaded in bare python."""
    bare = set(lab.start([sys.executable, "-c", MODULES_CODE]).stdout.split())
    named = set(imported(TREES[name], deferred=False)) - {"__future__.annotations"}
    ours = {own_module(one) for one in named} - {None}
    assert ours <= {*START_UP, "_version"}
    others = {one for one in named if own_module(one) is None}
    assert [] == [one for one in others if not {one, one.rpartition(".")[0]} & bare]


#: What reads and checks registry files: not imported while the compiled table is warm.
READER = {"_toml", "_schema", "_rows", "reading", "check"}
#: What commands alone use: no user's program imports it.
COMMANDS = {"trusting"}


def test_the_reader_stays_out_of_a_process_with_a_warm_cache(lab):
    """A process that applies shims imports none of the modules that read registry files."""
    lab.module("target", "")
    lab.rows("""
        [[shim]]
        id = "target/f"
        attach = "target:f"
        action = "alias"
        to = "math:sqrt"
        why = "w"
    """)
    code = "import sys, target; target.f; print(*(n for n in sys.modules if 'shimhub' in n))"
    lab.cli("run", "--registry", "registry.toml", "-c", code)
    loaded = lab.cli("run", "--registry", "registry.toml", "-c", code).stdout.split()
    assert "shimhub.apply" in loaded
    assert set() == READER & {name.removeprefix("shimhub.") for name in loaded}


# ---- what the core may know, and how long it may be


def targets():
    """Return the words that name a target."""
    data, _, _ = _toml.parse((PACKAGE.parent / "registry.toml").read_bytes(), "registry.toml")
    known = "torch transformers triton axolotl datasets vllm unsloth liger peft trl ray dask"
    return {*known.split(), *data["targets"]}


def strings_and_names(tree):
    """Yield identifiers and string constants that are no docstrings."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and ast.get_docstring(node, clean=False) is not None
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
        for field in ("id", "attr", "arg", "name", "module", "asname"):
            if isinstance(found := getattr(node, field, None), str):
                yield found


#: Names that are a target's, too: a tensor's method.
ALSO = {"_compare": {"numpy"}}


#: Modules that name a target, and why.
NAMES: dict[str, str] = {"cli.accel": "torch is one of the backends that it measures"}


@pytest.mark.parametrize("name", sorted({*MODULES} - {*NAMES}))
def test_the_core_knows_no_target_by_name(name):
    """No identifier and no string outside of docstrings and comments names a target."""
    pattern = re.compile(rf"\b({'|'.join(sorted(targets()))})", re.IGNORECASE)
    words = [one.replace("_", " ") for one in strings_and_names(TREES[name])]
    also = ALSO.get(name, set())
    assert [] == [one for one in words if pattern.search(one) and one not in also]


def code_lines(text):
    """Return how many lines hold code: no blank line, comment or docstring."""
    docs = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {
        line
        for token in tokens
        if token.type not in skipped and token.type != tokenize.ENDMARKER
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - docs)


def test_code_lines_are_counted_as_told():
    """Comments, blank lines and docstrings do not count; each line of a string does."""
    assert 4 == code_lines('"""Doc\nmore."""\n\n# c\nx = 1  # c\ny = """\n"""\ndef f():\n    "d"\n')


#: Parts of the core by what they are for, and how many lines of code each may have.
PARTS = {
    "reads registry files": (READER, 630),
    # A table of speed settings is checked by its own package, and kept as one line.
    "commands alone": (COMMANDS, 200),
    # Four kinds of functions and a comparison by bits; half is for SHIMHUB_VERIFY alone.
    "call time": ({"guard", "_guarded", "_compare", "_tally", "_verifying"}, 640),
    "proofs of replacements": ({"proving"}, 130),
    "trust and records": ({"trust", "records"}, 270),
    # The core itself uses none of it: what measures beside it does.
    "files of the cache": ({"_kept"}, 50),
    # As is true of this: packages beside it have names that are imported at first use.
    "names of packages": ({"_later"}, 20),
}


def test_the_core_is_small():
    """What finds, judges and patches is about 2,500 lines of code; other parts stand beside it."""
    core = {name for name in MODULES if RANK.get(name, (9,))[0] <= 4}
    sizes = {name: code_lines(MODULES[name].read_text("utf-8")) for name in core}
    told = {part: sum(map(sizes.__getitem__, names)) for part, (names, _) in PARTS.items()}
    assert {} == {part: lines for part, lines in told.items() if lines > PARTS[part][1]}
    patching = sum(sizes.values()) - sum(told.values())
    assert 2770 >= patching, patching


def test_no_module_is_long():
    """A module has at most 300 lines; an exception is listed with its reason."""
    lengths = {
        module_name(path): len(path.read_text("utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
        if "shims" not in path.parts[len(PACKAGE.parts) :]
    }
    assert {} == {name: n for name, n in lengths.items() if n > 300 and name not in LONG}


# ---- only shims patch

#: Modules of the interpreter that the core writes to, and where.
WRITES = {
    "sys": "meta_path and path are how a finder is installed and a start-up file hides",
    "os": "environ is what children inherit",
    "linecache": "the source of generated functions, for tracebacks",
    "PathFinder": "what importlib_metadata's import takes away is put back",
}


def writers(tree):
    """Yield what a module writes: names of setting functions, and modules whose names it sets."""
    names = [name.split(".") for name in imported(tree)]
    modules = {part for name in names for part in (name[0], name[-1])}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in ("setattr", "delattr"):
            yield node.id
        if isinstance(node, ast.Attribute) and node.attr in ("__setattr__", "__delattr__"):
            yield node.attr
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
            owner = node.value
            while isinstance(owner, (ast.Attribute, ast.Subscript)):
                owner = owner.value
            if isinstance(owner, ast.Name) and owner.id in modules and owner.id not in WRITES:
                yield f"{owner.id}.{node.attr}"


@pytest.mark.parametrize("name", sorted({*MODULES} - {"patching"}))
def test_only_the_patch_writes_to_other_objects(name):
    """Setting attributes of what is not ours is done in patching.py alone, by rows of shims/."""
    assert [] == list(writers(TREES[name]))


#: ``speed`` sets torch's own settings, which is what it is for, and brings none of its own.
@pytest.mark.parametrize("package", sorted({*LOWER} - {"speed"}))
def test_only_shims_bring_replacements(package):
    """Packages beside the core do not patch either."""
    for path in sorted((PACKAGE / package).rglob("*.py")):
        assert [] == list(writers(ast.parse(path.read_text("utf-8"))))
