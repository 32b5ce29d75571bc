from __future__ import annotations

import json
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shimhub import _toml, compiled
from shimhub.environment import Environment
from shimhub.errors import RegistryError
from shimhub.model import Selection
from shimhub.planning import make_plan
from shimhub.reading import load_table
from shimhub.registry import Registry, code_path

ROW = """\
[[shim]]
id = "target/f"
attach = "target:f"
action = "alias"
to = "math:sqrt"
why = "f was missing."
"""


def load(path, *others):
    """Return the registry of the files."""
    return Registry.from_table(load_table([(str(one), "named") for one in (path, *others)]))


def problems(lab, text):
    """Return the problems of a registry that cannot be used."""
    with pytest.raises(RegistryError) as caught:
        load(lab.rows(text))
    return caught.value.problems


def row(**changes):
    """Return the text of the plain row with keys changed; None leaves a key out."""
    base = {
        "id": '"target/f"',
        "attach": '"target:f"',
        "action": '"alias"',
        "to": '"math:sqrt"',
        "why": '"w"',
    }
    keys = {name: value for name, value in (base | changes).items() if value is not None}
    return "[[shim]]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())


# ---- what a good file gives


def test_a_row_needs_at_most_eight_lines(lab):
    """A code-free shim is a file of eight lines or less."""
    file = lab.rows(ROW)
    assert 8 >= len(file.read_text().splitlines())
    assert ("target/f",) == tuple(load(file).by_id)


def test_a_code_free_shim_is_effective_at_the_next_start_and_explained(lab):
    """A row in a file named by --registry works in the next process, and explain shows it."""
    lab.module("target", "")
    lab.rows(ROW)
    done = lab.cli(
        "run", "--registry", "registry.toml", "-c", "import target; print(target.f(9.0))"
    )
    assert "3.0\n" == done.stdout
    told = lab.cli("explain", "--registry", "registry.toml", "target/f").stdout
    for part in ("target/f: PENDING", "target:f", "alias", "f was missing.", "registry.toml"):
        assert part in told


def test_rows_keep_the_order_of_their_file(lab):
    """Rows stand in the registry as they are declared."""
    file = lab.rows("".join(row(id=f'"{one}"') for one in ("b", "a", "c")))
    assert ["b", "a", "c"] == [shim.id for shim in load(file).shims]


def test_defaults_of_a_row_are_those_of_the_contract(lab):
    """A row that says little is a post-phase, packaged-default, release-version row."""
    shim = load(lab.rows(ROW)).by_id["target/f"]
    assert ("post", "release", (), {}, "named") == (
        shim.phase,
        shim.version_of,
        shim.packs,
        dict(shim.when),
        shim.origin,
    )
    assert ("target", "f", False) == (shim.module, shim.qualname, shim.is_module)


def test_a_target_is_called_as_its_table_unless_it_says_otherwise(lab):
    """The default dist is the name; the default module is the name with underscores."""
    targets = load(
        lab.rows("""
        [targets.my-lib]
        [targets.other]
        dists = ["a", "b"]
        module = "om"
        """)
    ).targets
    assert (("my-lib",), "my_lib") == (targets["my-lib"].dists, targets["my-lib"].module)
    assert (("a", "b"), "om") == (targets["other"].dists, targets["other"].module)


def test_a_later_source_wins_row_by_row_and_says_so(lab):
    """The later file's row replaces the earlier one, which it names; other rows stay."""
    first = lab.rows(row() + row(id='"other"'))
    second = lab.root / "second.toml"
    second.write_text("schema = 1\n" + row(why='"later"'))
    merged = load(first, second)
    assert ["target/f", "other"] == [shim.id for shim in merged.shims]
    assert ("later", str(first)) == (
        merged.by_id["target/f"].why,
        merged.by_id["target/f"].overrides,
    )
    assert "" == merged.by_id["other"].overrides


def test_a_file_may_refer_to_rows_and_packs_of_an_earlier_one(lab):
    """needs, packs and targets are looked up over all files together."""
    first = lab.rows('[packs.p]\nsummary = "s"\n[targets.t]\n' + row())
    second = lab.root / "second.toml"
    second.write_text(
        "schema = 1\n" + row(id='"b"', needs='["target/f"]', packs='["p"]', when='{ t = ">=1" }')
    )
    assert 2 == len(load(first, second).shims)


def test_a_tombstone_needs_id_date_and_why_only(lab):
    """A retired row names what it was and when it went; it attaches to nothing."""
    found = load(lab.rows('[[shim]]\nid = "old"\nretired = "2026-11-21"\nwhy = "native"\n'))
    assert (1, frozenset()) == (len(found.shims), found.modules)


def test_every_key_of_the_design_is_accepted(lab):
    """A row may carry all keys that its action reads."""
    lab.shim("target/g", "def build(original, ctx): return original\n")
    file = lab.rows("""
        [targets.target]
        [packs.p]
        summary = "s"
        opt_in = true
        [[shim]]
        id = "target/g"
        packs = ["p"]
        attach = "target:C.g"
        action = "wrap"
        why = "w"
        upstream = "https://example.org/1"
        when = { target = ">=1,<2", python = ">=3.10", platform = ["linux"], machine = "x86_64" }
        probe = { missing = true, provider = "m", keyword = "k", of = "m:f", dynamic = true }
        check = true
        retire = "target>=2"
        needs = ["target/*"]
        conflicts = ["target/g"]
        before = ["target/g"]
        after = ["target/g"]
        group = "one"
        phase = "post"
        rebind = "loaded"
        fidelity = "exact"
        fingerprints = ["sha256:0123456789abcdef"]
        version_of = "pep440"
        [[shim]]
        id = "served"
        attach = "served.mod"
        action = "module"
        why = "w"
        names = { X = { alias = "math:pi" }, Z = { placeholder = "cure" } }
        [[shim]]
        id = "adapted"
        attach = "target:f"
        action = "adapt"
        why = "w"
        drop = { pin = false }
        rename = { old = "new" }
        default = { size = 1 }
        lossy = "warn"
    """)
    found = load(file).by_id
    assert ["target/g", "served", "adapted"] == list(found)
    assert str(lab.root / "shims/target/g/shim.py") == code_path(found["target/g"])
    assert "" == code_path(found["served"])


# ---- what a bad file tells


@pytest.mark.parametrize(
    ("change", "line", "key", "nearest"),
    [
        ({"atach": '"target:f"', "attach": None}, 6, "atach", "attach"),
        ({"action": '"alais"'}, 4, "action", "alias"),
        ({"phase": '"prre"'}, 7, "phase", "pre"),
        ({"fidelity": '"exacct"'}, 7, "fidelity", "exact"),
        ({"packs": '["torchtitn"]'}, 7, "packs", "torchtitan"),
        ({"when": '{ tagret = ">=1" }'}, 7, "when", "target"),
        ({"when": '{ phyton = ">=3" }'}, 7, "when", "python"),
        ({"when": '{ machin = "x86_64" }'}, 7, "when", "machine"),
        ({"probe": "{ mising = true }"}, 7, "probe", "missing"),
        ({"needs": '["target/ff"]'}, 7, "needs", "target/f"),
        ({"after": '["target/ff"]'}, 7, "after", "target/f"),
        ({"conflicts": '["target/ff"]'}, 7, "conflicts", "target/f"),
        ({"before": '["target/ff"]'}, 7, "before", "target/f"),
        ({"retire": '"tagret>=2"'}, 7, "retire", "target"),
        ({"version_of": '"pep44"'}, 7, "version_of", "pep440"),
    ],
)
def test_a_typo_names_file_line_key_and_the_nearest_right_word(lab, change, line, key, nearest):
    """A typo is one problem that says where it is and what was meant."""
    head = '[targets.target]\n[packs.torchtitan]\nsummary = "s"\n'
    found = problems(lab, row(**change) + head)
    mine = [one for one in found if f"did you mean {nearest!r}?" in one.message]
    assert 1 == len(mine), found
    assert (str(lab.registry), line + 1) == (mine[0].file, mine[0].line)
    assert f"{lab.registry}:{line + 1}: target/f: {key}" in str(mine[0])


def test_a_typo_reaches_the_user_before_the_program_starts(lab):
    """Through the command line the same typo is exit code 2 and one line on stderr."""
    lab.rows(row(atach='"target:f"'))
    done = lab.cli("run", "--registry", "registry.toml", "-c", "print('ran')", check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert f"{lab.registry}:8: target/f: atach: unknown key (did you mean 'attach'?)" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_errors_of_all_files_come_at_once(lab):
    """Unknown keys, types, packs, needs, ids and unreadable files are told together, in order."""
    first = lab.rows(row(x="1", why="2") + row(packs='["nope"]') + row(id='"c"', needs='["d"]'))
    second = lab.root / "second.toml"
    second.write_text("schema = 2\n" + row(action='"nothing"'))
    broken = lab.root / "third.toml"
    broken.write_text("schema = \n")
    with pytest.raises(RegistryError) as caught:
        load(first, second, broken, lab.root / "absent.toml")
    told = str(caught.value)
    for part in (
        "x: unknown key",
        "why: must be a non-empty string",
        "unknown pack 'nope'",
        "declared twice",
        "names no shim: 'd'",
        "schema: must be 1",
        "action: must be one of",
        "not valid TOML",
        "cannot be read",
    ):
        assert part in told, told
    places = [(one.file, one.line) for one in caught.value.problems]
    assert sorted(places) == places


def test_an_error_in_one_file_is_no_error_in_another(lab):
    """A row that needs a row of a broken file is not accused of naming nothing."""
    first = lab.rows(row(x="1"))
    second = lab.root / "second.toml"
    second.write_text("schema = 1\n" + row(id='"b"', needs='["target/f"]'))
    with pytest.raises(RegistryError) as caught:
        load(first, second)
    assert [str(first)] == [one.file for one in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        (row(attach=None), "target/f: attach", "is required; add `attach = …`"),
        (row(to=None), "target/f: to", "is required by action 'alias'"),
        (row(to=None, action='"placeholder"'), "target/f: message", "is required by action"),
        (row(to=None, action='"adapt"'), "target/f: drop", "needs one of drop, rename, default"),
        (row(message='"m"'), "target/f: message", "does not read it"),
        (row(attach='"a b"'), "target/f: attach", "must be 'module' or 'module:qualname'"),
        (row(id='"Up"'), "Up: id", "must be lower-case"),
        (row(id='"../up"'), "../up: id", "must be lower-case"),
        (row(when='{ python = "2.x" }'), "target/f: when.python", "is no PEP 440 specifier"),
        (row(when='{ python = [">=2"] }'), "target/f: when.python", "is no PEP 440 specifier"),
        (
            row(when='{ python = { a = ">=2" } }'),
            "target/f: when.python",
            "is no PEP 440 specifier",
        ),
        (row(when="{ python = 2 }"), "target/f: when.python", "is no PEP 440 specifier"),
        (row(when="{ platform = 2 }"), "target/f: when.platform", "a string or a list of strings"),
        (row(retire='"soon"'), "target/f: retire", "'<target><specifier>' or 'never: <why>'"),
        (row(retire='"python>=x"'), "target/f: retire", "'<target><specifier>' or 'never: <why>'"),
        (row(retired="2026-11-21"), "target/f: retired", "a non-empty string"),
        (row(fingerprints='["x"]'), "target/f: fingerprints", "16 hex digits"),
        (row(probe='{ keyword = "k" }'), "target/f: probe", "`keyword` and `of` go together"),
        (row(attach='"target"', export="true"), "target/f: export", "needs a name in a module"),
        (row(attach='"target"'), "target/f: attach", "say `capability = true` if that is meant"),
        (row(action='"module"', to=None), "target/f: attach", "serves a whole module"),
        (
            row(action='"placeholder"', to=None, message='"m"', attach='"a.b"'),
            "target/f: attach",
            "needs a name in the module",
        ),
        (row(attach='"t:C.f"', phase='"pre"'), "target/f: phase", "seeds a module's own name"),
        (row(action='"add"', to=None), "target/f: id", "there is no file"),
        (row(names="{ X = 1 }"), "target/f: names", "does not read it"),
        (
            row(action='"module"', to=None, attach='"a.b"', names="{ X = 1 }"),
            "target/f: names.X",
            "must be { alias = 'm:Y' } or { placeholder = 'cure' }",
        ),
        (
            row(action='"module"', to=None, attach='"a.b"', names='{ X = { alais = "m:Y" } }'),
            "target/f: names.X.alais",
            "did you mean 'alias'?",
        ),
        (
            row(action='"adapt"', to=None, drop='["not a name"]'),
            "target/f: drop.not a name",
            "cannot be the name of a keyword",
        ),
        (
            row(action='"adapt"', to=None, rename='{ old = "class" }'),
            "target/f: rename.class",
            "cannot be the name of a keyword",
        ),
        (
            row(action='"adapt"', to=None, default="{ x = [2026-11-21] }"),
            "target/f: default",
            "not dates",
        ),
        ("[packs.p]\n", "packs.p", "summary is required"),
        ('[packs.p]\nsummary = "s"\nopt_on = true\n', "packs.p.opt_on", "did you mean 'opt_in'?"),
        ("packs = { p = 1 }\n", "packs.p", "must be a table"),
        ("targets = { t = 1 }\n", "targets.t", "must be a table"),
        ('[targets.t]\ndist = ["x"]\n', "targets.t.dist", "did you mean 'dists'?"),
        ("shims = 1\n", "shims", "did you mean 'shim'?"),
        ("shim = [1]\n", "shim 1: shim", "must be a [[shim]] table"),
        (row(id="1"), "id", "must be a non-empty string"),
    ],
)
def test_each_mistake_has_its_message(lab, text, key, told):
    """Each kind of mistake is told at its key, with what to write instead."""
    found = [one for one in problems(lab, text) if told in one.message]
    assert found
    assert key in found[0].key
    assert found[0].line > 0


@pytest.mark.parametrize("value", ["2", '"1"', "true", "1.0", "[1]"])
def test_only_schema_1_is_read(lab, value):
    """A registry of another schema, or of a value that merely equals 1, is refused."""
    lab.registry.write_text(f"schema = {value}\n")
    with pytest.raises(RegistryError, match="schema"):
        load(lab.registry)


def test_schema_is_required(lab):
    """A file without a schema is refused, in line 1."""
    lab.registry.write_text(row())
    with pytest.raises(RegistryError, match=":1: schema: is required; add `schema = 1`"):
        load(lab.registry)


@pytest.mark.parametrize("key", ["source", "check"])
@pytest.mark.parametrize("place", ["../outside.py:probe", "/etc/outside.py:probe", "link.py:probe"])
def test_code_lies_inside_of_the_registry_folder(lab, tmp_path_factory, key, place):
    """A path that leaves the folder, by dots, from the root or by a link, is refused."""
    outside = tmp_path_factory.mktemp("elsewhere") / "outside.py"
    outside.write_text("def probe(ctx): return True\n")
    (lab.root.parent / "outside.py").write_text("")
    (lab.root / "link.py").symlink_to(outside)
    lab.shim("target/f", "def build(original, ctx): return 1\n")
    found = problems(lab, row(action='"add"', to=None, **{key: f'"{place}"'}))
    assert [f"target/f: {key}"] == [one.key for one in found]
    assert "is outside of the registry's folder" in found[0].message


def test_a_check_that_has_no_file_is_told(lab):
    """`check = "file.py:attr"` is looked up when the registry is read, as `source` is."""
    assert "there is no file" in str(problems(lab, row(check='"absent.py:probe"')))


def test_a_cycle_of_needs_is_named_once(lab):
    """The cycle a -> b -> a is one problem with both names."""
    text = row(id='"a"', needs='["b"]') + row(id='"b"', needs='["a"]')
    assert ["is a cycle: a -> b -> a"] == [one.message for one in problems(lab, text)]


def test_a_shim_that_needs_itself_is_a_cycle(lab):
    """A row whose need is its own id can never be applied, and says so."""
    assert "is a cycle: a -> a" in str(problems(lab, row(id='"a"', needs='["a"]')))


def test_a_glob_of_needs_does_not_mean_the_row_itself(lab):
    """`needs = ["g/*"]` on g/a means its neighbours."""
    text = row(id='"g/a"', needs='["g/*"]') + row(id='"g/b"')
    assert 2 == len(load(lab.rows(text)).shims)


def test_a_chain_of_needs_is_no_cycle(lab):
    """A diamond of needs is fine."""
    text = (
        row(id='"a"', needs='["b", "c"]')
        + row(id='"b"', needs='["d"]')
        + row(id='"c"', needs='["d"]')
        + row(id='"d"')
    )
    assert 4 == len(load(lab.rows(text)).shims)


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        (b"schema = 1\nx = \xff\n", 2, "is not UTF-8"),
        (b"schema = 1\nx = [\n", 3, "not valid TOML"),
        (b"schema = 1\nx = = 1\n", 2, "not valid TOML"),
        (b"x = " + b"[" * 100_000, 0, "nested too deeply"),
        (b"# " + b"x" * (_toml.MAX_BYTES + 1), 0, "larger than"),
        (b"schema = 1\nx = " + b"9" * 5000 + b"\n", None, "x"),
        (b"\0", 1, "not valid TOML"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_line(lab, content, line, told):
    """Wrong bytes, syntax, depth and size are problems of the file, never an exception."""
    lab.registry.write_bytes(content)
    with pytest.raises(RegistryError) as caught:
        load(lab.registry)
    assert told in str(caught.value)
    assert line in (None, caught.value.problems[0].line)


def test_a_folder_is_no_registry(lab):
    """A path that cannot be read is a problem, not an OSError."""
    with pytest.raises(RegistryError, match="cannot be read"):
        load(lab.root)


# ---- where things stand


@pytest.mark.parametrize(
    "before",
    [
        'x = """\n[[shim]]\nid = 1\n"""\n',
        "x = '''\n[[shim]]\n'''\n",
        'x = \'"""\'\n',
        '# a comment with """ in it\n',
        "x = \"'''\"\n",
        "# \u2028 \x85 and so on\n",
        'x = "\u2028"\n',
        "x = [\n  1,\n  2,\n]\n",
        'x = """a""" # """\n',
        '"quoted key" = 1\n',
        "a.b.c = 1\n",
    ],
)
def test_line_numbers_hold_after(before):
    """Strings, comments and arrays before a row do not shift the lines told for it."""
    text = before + row()
    data, lines, found = _toml.parse(text.encode(), "f")
    assert ([], "target/f") == (found, data["shim"][0]["id"])
    expected = text.split("\n").index('action = "alias"') + 1
    assert expected == lines["shim", 0, "action"]


def test_lines_of_sub_tables():
    """A sub-table of a row belongs to the last row before it."""
    text = '[[shim]]\na = 1\n[[shim]]\n[shim.when]\npython = ">=3"\n[ "targets" . t ]\nd = 1\n'
    lines = _toml.line_map(text)
    assert (5, 7) == (lines["shim", 1, "when", "python"], lines["targets", "t", "d"])


def test_lines_of_windows_files():
    """A file with CRLF has the same line numbers."""
    assert 3 == _toml.line_map("a = 1\r\n\r\nb = 2\r\n")["b",]


# ---- any input


def outcome(content, folder):
    """Load, compile and plan a registry of these bytes; None for a RegistryError."""
    file = folder / "fuzz.toml"
    file.write_bytes(content)
    found = []
    try:
        table = compiled.load([(str(file), "named")])
    except RegistryError as error:
        found = list(error.problems)
        table = None
    assert (table is None) is bool(found)
    assert all(one.file and one.key and one.message for one in found)
    if table is None:
        return None
    registry = Registry.from_table(table)
    make_plan(registry, Selection(), Environment(registry.targets))
    return registry


FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_registry_error(cache, content):
    """No file content raises anything but RegistryError."""
    outcome(content, cache)


TOKENS = ["[[shim]]", "[targets.t]", "[packs.p]", "schema = 1", "id", "=", '"a"', "1", "[", "]"]
TOKENS += ["{", "}", ",", "\n", '"""', "'''", "#", ".", "attach", "action", "nan", "1979-05-27"]


@FUZZ
@given(tokens=st.lists(st.sampled_from(TOKENS), max_size=30))
def test_any_row_of_tokens_is_a_table_or_a_registry_error(cache, tokens):
    """No order of TOML's own tokens raises anything but RegistryError."""
    outcome(" ".join(tokens).encode(), cache)


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=6).filter(lambda text: text.isprintable()),
    st.sampled_from(["target/*", "target/f", "math:sqrt", "m", "pre", ">=1", "x.py:a", "python"]),
    st.dates(),
)
KEYS = st.sampled_from(["missing", "platform", "python", "X", "old", "alias", "keyword", "of"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
ROW_KEYS = [
    "id",
    "attach",
    "action",
    "why",
    "packs",
    "upstream",
    "when",
    "probe",
    "check",
    "retire",
    "retired",
    "source",
    "to",
    "message",
    "names",
    "drop",
    "rename",
    "default",
    "lossy",
    "needs",
    "conflicts",
    "before",
    "after",
    "group",
    "phase",
    "rebind",
    "export",
    "capability",
    "fidelity",
    "fingerprints",
    "version_of",
]


def toml(value):
    """Return the value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return str(value)


ACTIONS = st.sampled_from(["alias", "adapt", "placeholder", "module"])


@FUZZ
@given(changes=st.dictionaries(st.sampled_from(ROW_KEYS), VALUES, max_size=3), action=ACTIONS)
def test_any_value_at_any_key_is_a_table_or_a_registry_error(cache, changes, action):
    """Every TOML value at every key of a row loads, compiles and plans, or is a RegistryError."""
    values = {"action": f'"{action}"'} | {key: toml(value) for key, value in changes.items()}
    to = values.pop("to", None if action != "alias" else '"math:sqrt"')
    outcome(("schema = 1\n[targets.t]\n" + row(to=to, **values)).encode(), cache)


@FUZZ
@given(kind=st.sampled_from(["targets", "packs", "shim", "schema"]), value=VALUES)
def test_any_value_at_the_top_is_a_table_or_a_registry_error(cache, kind, value):
    """Every TOML value in place of a top table is told, not raised."""
    top = {"schema": "1", kind: toml(value)}
    outcome("".join(f"{key} = {one}\n" for key, one in top.items()).encode(), cache)


def test_the_fuzz_reaches_good_registries(cache):
    """The fuzz's own helper accepts a good row: its silence means something."""
    text = "schema = 1\n" + textwrap.dedent(row())
    assert ["target/f"] == list(outcome(text.encode(), cache).by_id)
