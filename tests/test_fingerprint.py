from __future__ import annotations

import functools
import importlib.util
import linecache
import sys

import pytest

from shimhub.fingerprint import fingerprint

ALL = '''\
"""A module."""
import functools


def plain(a, b=2, *args, c: int = 3, **rest) -> str:
    """Doc."""
    # A comment.
    return f"{a!r:>{b}} {c}" + 'x' + "é" + b"y".decode() + str(1_000 + 0x10 + 1e3 + 2j)


async def loops(items, /):
    async with items as (x, *y):
        async for one in x:
            yield [n for n in one if n async for m in n]
    await y[1:2, ...]


def control(x):
    global total
    try:
        while x := x - 1:
            if not x:
                break
            elif x == 3:
                continue
        else:
            pass
    except (KeyError, ValueError) as error:
        raise RuntimeError from error
    finally:
        del x
    assert x == 1, "said"
    match x:
        case {"a": 1, **more} if more:
            return more
        case {"b": 1.5} | [-1, *_] | None:
            return lambda y=1, *z, w: (yield)
        case str() as s if s:
            return None


class Meta(list, metaclass=type):
    """Doc."""

    size: int = 0

    @functools.lru_cache(maxsize=None)
    def method(self):
        """Doc."""

    @property
    def prop(self):
        return self.size

    @staticmethod
    def static(x): return x

    @classmethod
    def klass(cls): return cls
'''

#: Computed once on CPython 3.11; equal on every supported version.
DIGESTS = {
    "plain": "sha256:1ee6a51242d56bf2",
    "loops": "sha256:3c083738339183a0",
    "control": "sha256:c3fc4a12c5e4ae4d",
    "Meta": "sha256:bc551d660c6bec0b",
    "Meta.method": "sha256:f6207a6549b4457d",
    "Meta.prop": "sha256:6709b8b50bfbef53",
    "Meta.static": "sha256:a36ff7248c49deed",
    "Meta.klass": "sha256:f3db24025dba92da",
}


@pytest.fixture(autouse=True)
def _no_module_left():
    """Take fixture modules out of sys.modules, where classes look for their source."""
    yield
    for name in ("fixture", "changed", "gone"):
        sys.modules.pop(name, None)


def load(folder, text, name="fixture"):
    """Return a module of this text, from a file."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of(folder, text, name="f"):
    """Return the fingerprint of one function of a text."""
    return fingerprint(vars(load(folder, text))[name])


@pytest.mark.parametrize("name", DIGESTS)
def test_the_digest_is_the_same_on_every_python(tmp_path, name):
    """A body has one digest on all supported Pythons: a row proved on one holds on the others."""
    owner, _, member = name.partition(".")
    found = vars(load(tmp_path, ALL))[owner]
    assert DIGESTS[name] == fingerprint(vars(found)[member] if member else found)


def test_a_fingerprint_has_the_form_that_rows_take(tmp_path):
    """sha256: and 16 hex digits."""
    found = of(tmp_path, "def f(): return 1\n")
    assert (7 + 16, "sha256:") == (len(found), found[:7])
    int(found[7:], 16)


BASE = "def f(a, b=2):\n    x = a + b\n    return x * 2\n"


@pytest.mark.parametrize(
    "text",
    [
        'def f(a, b=2):\n    """Doc."""\n    x = a + b\n    return x * 2\n',
        "def f(a, b=2):  # said\n    # more\n    x = a + b\n\n    return x * 2\n",
        "def f(\n    a,\n    b = 2,\n):\n    x = (a\n      + b)\n    return (x) * 2\n",
        "if True:\n  def f(a, b=2):\n    x = a + b; return x * 2\n",
    ],
)
def test_docstring_comments_and_format_do_not_count(tmp_path, text):
    """What does not change behaviour does not change the fingerprint."""
    assert of(tmp_path, BASE) == of(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace("a + b", "a - b"),
        BASE.replace("a + b", "b + a"),
        BASE.replace("* 2", "* 3"),
        BASE.replace("* 2", "* 2.0"),
        BASE.replace("* 2", "* True"),
        BASE.replace("* 2", "* '2'"),
        BASE.replace("* 2", "* b'2'"),
        BASE.replace("b=2", "b=3"),
        BASE.replace("b=2", "b"),
        BASE.replace("(a, b=2)", "(a, /, b=2)"),
        BASE.replace("(a, b=2)", "(a, *, b=2)"),
        BASE.replace("(a, b=2)", "(a: int, b=2)"),
        BASE.replace("b=2)", "b=2, **c)"),
        BASE.replace("x", "y"),
        BASE.replace("def f", "async def f"),
        "deco = lambda f: f\n@deco\n" + BASE,
        BASE + "    return 1\n",
        BASE.replace("return x * 2", "yield x * 2"),
        BASE.replace("return", "pass; return"),
        BASE.replace("    x = a", "    'text'.strip()\n    x = a"),
        BASE.replace("return x", "'no docstring'\n    return x"),
    ],
)
def test_everything_else_counts(tmp_path, text):
    """Each change of operator, order, value, type, name, signature, kind or decorator is seen."""
    base = fingerprint(load(tmp_path, BASE).f)
    changed = load(tmp_path, text, "changed")
    assert base != fingerprint(vars(changed)["f"])


def test_where_values_are_absent_or_none_they_differ(tmp_path):
    """`return` and `return None`, and `f(x=None)` and `f(x)`, are different texts."""
    assert of(tmp_path, "def f(x): return\n") != of(tmp_path, "def f(x): return None\n")
    assert of(tmp_path, "def f(x=None): 0\n") != of(tmp_path, "def f(x): 0\n")
    assert of(tmp_path, "def f(x, *, y): 0\n") != of(tmp_path, "def f(x, *, y=None): 0\n")


def test_positions_of_keyword_defaults_count(tmp_path):
    """`*, a, b=1` and `*, a=1, b` are different: a default's place counts, not just its value."""
    assert of(tmp_path, "def f(*, a, b=1): 0\n") != of(tmp_path, "def f(*, a=1, b): 0\n")


def test_dict_displays_with_unpacking_differ_from_keys(tmp_path):
    """`{**a, b: c}` and `{b: c, **a}` and the positions of `**` count."""
    first = of(tmp_path, "def f(a, b, c): return {**a, b: c}\n")
    assert first != of(tmp_path, "def f(a, b, c): return {b: a, **c}\n")


def test_a_foreign_wrapper_does_not_pass_for_the_original(tmp_path):
    """functools.wraps copies name, doc and __wrapped__, and is another body all the same."""
    original = load(tmp_path, BASE).f

    @functools.wraps(original)
    def wrapper(*args, **kwargs):
        return original(*args, **kwargs)

    assert "" != fingerprint(wrapper) != fingerprint(original)
    assert "" == fingerprint(functools.partial(original))


def test_a_wrapped_class_does_not_pass_for_the_original(tmp_path):
    """A class made elsewhere under the original's name has another body, or none to show."""
    module = load(tmp_path, "class C:\n    def f(self): return 1\n")
    other = type("C", (module.C,), {"f": lambda self: 2, "__module__": "fixture"})
    assert fingerprint(module.C.__dict__["f"]) != fingerprint(other.__dict__["f"])


def test_descriptors_are_looked_into(tmp_path):
    """A staticmethod, classmethod or property has the fingerprint of its function."""
    module = load(tmp_path, BASE)
    plain = fingerprint(module.f)
    for kind in (staticmethod, classmethod, property):
        assert plain == fingerprint(kind(module.f))


@pytest.mark.parametrize("subject", [len, 1, None, "text", print, int, object(), property()])
def test_without_source_there_is_no_fingerprint(subject):
    """Builtins and plain objects have none; nothing is raised."""
    assert "" == fingerprint(subject)


def test_a_function_made_by_exec_has_none():
    """Code without a file has no source to hash."""
    space = {}
    exec("def f(): return 1\n", space)
    assert "" == fingerprint(space["f"])
    known = "def f():\n    return 2\n"
    linecache.cache["<string>"] = (len(known), None, known.splitlines(keepends=True), "<string>")
    try:
        assert "" == fingerprint(space["f"])
    finally:
        del linecache.cache["<string>"]


def test_source_that_is_no_statement_has_none(tmp_path):
    """A lambda inside of an expression has lines that do not parse alone."""
    module = load(tmp_path, "f = dict(a=1, b=\n    lambda x: x)['b']\n")
    assert "" == fingerprint(module.f)


def test_a_file_that_is_gone_has_none(tmp_path):
    """Without the source file there is nothing to compare."""
    module = load(tmp_path, BASE, "gone")
    (tmp_path / "gone.py").unlink()
    linecache.clearcache()
    assert "" == fingerprint(module.f)


def test_a_decorated_function_is_all_of_its_layers():
    """Two bodies under one decorator differ; so does one body under another decorator."""

    def logged(function):
        @functools.wraps(function)
        def shell(*args):
            return function(*args)

        return shell

    def timed(function):
        @functools.wraps(function)
        def shell(*args):
            return [function(*args)]

        return shell

    @logged
    def one(x):
        return x

    @logged
    def two(x):
        return x + 1

    marks = {fingerprint(made) for made in (one, two, timed(one.__wrapped__), logged(one))}
    assert 4 == len(marks)
    assert "" not in marks


def test_a_loop_of_wrappers_ends_and_a_layer_without_source_is_unknown():
    """A function that says it wraps itself has its own mark; one around a builtin has none."""

    def loop():
        pass

    loop.__wrapped__ = loop
    assert fingerprint(loop)
    loop.__wrapped__ = len
    assert "" == fingerprint(loop)
