"""Placeholders: names that import, subclass and annotate fine, and raise the cure when used."""

from __future__ import annotations

from abc import ABCMeta
from types import GenericAlias
from typing import Any, NoReturn

from shimhub.environment import is_class
from shimhub.errors import PlaceholderAttributeError, PlaceholderError
from shimhub.model import Provenance


class PlaceholderMeta(ABCMeta):
    """Class of placeholders; calling one, or asking it for an attribute, raises the cure."""

    __shimhub_cure__: str

    def __new__(
        cls, name: str, bases: tuple[type, ...], names: dict[str, Any], **keywords: object
    ) -> PlaceholderMeta:
        """Make a class; a subclass may carry the keywords that the real one's takes."""
        return super().__new__(cls, name, bases, names, **keywords)

    def __init__(
        cls, name: str, bases: tuple[type, ...], names: dict[str, Any], **_: object
    ) -> None:
        super().__init__(name, bases, names)

    def __call__(cls, *args: object, **kwargs: object) -> NoReturn:
        """Raise PlaceholderError with the cure."""
        raise PlaceholderError(cls.__shimhub_cure__)

    def __getattr__(cls, name: str) -> NoReturn:
        """Raise PlaceholderAttributeError; dunder look-ups get a plain AttributeError."""
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise PlaceholderAttributeError(cls.__shimhub_cure__)

    def __iter__(cls) -> NoReturn:
        """Raise the cure; without this, ``__getitem__`` would make an endless iterator of it."""
        raise PlaceholderError(cls.__shimhub_cure__)

    __reversed__ = __iter__

    def __contains__(cls, item: object) -> NoReturn:
        """Raise PlaceholderError with the cure."""
        raise PlaceholderError(cls.__shimhub_cure__)

    def __getitem__(cls, item: Any) -> GenericAlias:
        """Return an alias, so that ``Placeholder[int]`` works as an annotation."""
        return GenericAlias(cls, item)


def make_placeholder(
    module: str, qualname: str, cure: str, provenance: Provenance, version: str = ""
) -> type:
    """Return a class that stands for ``module:qualname`` and tells ``cure`` when it is used.

    ``version`` is that of the distribution which lacks the name; empty where it is not known.
    """
    lacks = f" ({module.partition('.')[0]} {version} lacks it)" if version else ""
    namespace = {
        "__module__": module,
        "__qualname__": qualname,
        "__doc__": f"Placeholder: {cure}",
        "__init_subclass__": classmethod(lambda cls, **_: None),
        "__shimhub__": provenance,
        "__shimhub_cure__": f"{module}.{qualname}: {cure}{lacks}",
    }
    return PlaceholderMeta(qualname.rpartition(".")[2], (), namespace)


def is_placeholder(found: object) -> bool:
    """Whether ``found`` stands in for something that is not there, here or in another hub."""
    if not is_class(found):
        return False
    own = type.__dict__["__dict__"].__get__(found)
    return getattr(own.get("__shimhub__"), "placeholder", False) is True
