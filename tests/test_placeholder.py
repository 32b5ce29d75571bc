from __future__ import annotations

import abc
import copy
import inspect
import pickle
import sys
import types
import typing

import pytest

from shimhub.errors import PlaceholderAttributeError, PlaceholderError
from shimhub.model import Provenance
from shimhub.placeholder import is_placeholder, make_placeholder

STAMP = Provenance("target/x", "target:X", "registry.toml", placeholder=True)


def made(qualname="X"):
    """Return a placeholder."""
    return make_placeholder("target", qualname, "Install the real thing.", STAMP)


def test_it_looks_like_the_class_that_it_stands_for():
    """Name, module, doc and provenance are there."""
    found = made("Outer.X")
    assert ("target", "Outer.X", "X") == (
        found.__module__,
        found.__qualname__,
        found.__name__,
    )
    assert "Install the real thing." in found.__doc__
    assert STAMP is found.__shimhub__
    assert inspect.isclass(found)


@pytest.mark.parametrize("args", [(), (1, 2)])
def test_calling_it_raises_the_cure(args):
    """A call, with any arguments, is a NotImplementedError that says what to do."""
    with pytest.raises(PlaceholderError, match=r"target\.X.*: Install the real thing\.") as caught:
        made()(*args, key=1)
    assert isinstance(caught.value, NotImplementedError)


def test_an_attribute_raises_the_cure():
    """A name of the real class is an AttributeError with the cure, so hasattr is False."""
    found = made()
    with pytest.raises(PlaceholderAttributeError, match="Install the real thing"):
        _ = found.from_config
    assert not hasattr(found, "from_config")
    assert 1 == getattr(found, "from_config", 1)


@pytest.mark.parametrize("name", ["__wrapped__", "__fspath__", "__torch_function__"])
def test_protocol_names_are_plainly_absent(name):
    """Introspection by dunder names sees a class that lacks them."""
    with pytest.raises(AttributeError, match=name) as caught:
        getattr(made(), name)
    assert not isinstance(caught.value, PlaceholderAttributeError)


@pytest.mark.parametrize(
    "use", [list, tuple, reversed, lambda one: 3 in one, lambda one: [*one], iter]
)
def test_iteration_raises_the_cure_and_ends(use):
    """``Placeholder[int]`` does not make an endless iterator of the class."""
    with pytest.raises(PlaceholderError, match="Install the real thing"):
        use(made())


def test_keywords_of_a_subclass_reach_its_own_hook():
    """Class keywords are taken as the real class may take them, and handed to the user's hook."""
    seen = []

    class Mine(made(), real=True):
        def __init_subclass__(cls, *, size):
            seen.append(size)

    class Ours(Mine, size=3):
        pass

    assert [3] == seen


def test_subclasses_can_be_defined_and_raise_when_used():
    """`class Mine(X)` works, with methods; making one raises the cure."""

    class Mine(made()):
        size = 3

        def __init__(self, n):
            self.n = n

    assert 3 == Mine.size
    with pytest.raises(PlaceholderError, match="Install the real thing"):
        Mine(1)


def test_subclasses_may_be_abstract_generic_and_mixed():
    """Bases that come with abc or typing go together with a placeholder."""

    class Base:
        pass

    item = typing.TypeVar("item")
    found = made()

    class Mixed(found, Base):
        pass

    class Generic(found, typing.Generic[item]):
        pass

    class Abstract(found, abc.ABC):
        @abc.abstractmethod
        def f(self):
            """Do."""

    class Parametrized(found[int]):
        pass

    for one in (Mixed, Generic, Abstract, Parametrized):
        assert issubclass(one, found)


def test_annotations_work():
    """X, X | None, X[int], None | X and list[X] are types."""
    found = made()
    hints = {"a": found, "b": found | None, "c": found[int], "d": None | found}
    holder = types.SimpleNamespace(__annotations__=hints | {"e": list[found]})
    assert found is holder.__annotations__["a"]
    assert (found, (int,)) == (typing.get_origin(hints["c"]), typing.get_args(hints["c"]))
    assert hints["b"] == hints["d"]


def test_isinstance_and_except_work():
    """Asking whether something is one is False, and a registry of classes may hold it."""
    found = made()
    assert not isinstance(1, found)
    assert not issubclass(int, found)
    assert 1 == {found: 1}[found]
    assert found != made()


def test_it_is_pickled_and_copied_by_name(monkeypatch):
    """A reference to it survives pickle, copy and repr."""
    module = types.ModuleType("target")
    module.X = made()
    monkeypatch.setitem(sys.modules, "target", module)
    assert module.X is pickle.loads(pickle.dumps(module.X))
    assert module.X is copy.deepcopy(module.X)
    assert "target.X" in repr(module.X)


def test_is_placeholder_knows_its_own():
    """Placeholders of any hub are told from real classes, and subclasses of them are real."""
    found = made()
    assert is_placeholder(found)

    class Mine(found):
        pass

    real = type("Real", (), {"__shimhub__": Provenance("a", "b", "c")})
    for other in (Mine, real, int, 1, None, found[int]):
        assert not is_placeholder(other)
