"""Module: what has parameters, by name, and saves and loads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shimhub.pure import _files
from shimhub.pure._making import unmasked
from shimhub.pure.errors import DataError
from shimhub.pure.tensor import PureTensor

if TYPE_CHECKING:
    from shimhub.pure._making import Array


class Module:
    """A layer or a model: a subclass says what ``forward`` computes.

    Its parameters are the tensors in its attributes, and those of the modules, lists, tuples and
    dicts there; attributes whose name begins with "_" are its own business.
    """

    def forward(self, x: Any) -> PureTensor:
        """Return the output for an input."""
        raise NotImplementedError(f"{type(self).__name__} has no method forward(x)")

    def __call__(self, x: Any) -> PureTensor:
        return self.forward(x)

    def named_parts(self) -> dict[str, Any]:
        """Return what may be or hold parameters: the attributes, by name."""
        return {name: one for name, one in vars(self).items() if not name.startswith("_")}

    def named_parameters(self) -> Iterator[tuple[str, PureTensor]]:
        """Yield each parameter once, by the first name that leads to it, as in "0.weight"."""
        seen: set[int] = set()
        for name, tensor in _tensors(self, "", ()):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, tensor

    def parameters(self) -> list[PureTensor]:
        """Return the parameters."""
        return [tensor for _, tensor in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for tensor in self.parameters():
            tensor.gradient = None

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the parameters' values, by name; torch's names for the same layers."""
        return {name: tensor.data.copy() for name, tensor in _by_name(self).items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Write values into the parameters; all of them, or none and ``DataError`` says why."""
        wanted = _by_name(self)
        values = {n: np.asarray(unmasked(n, state[n])) for n in wanted if n in state}
        if problems := list(_problems(wanted, values, state)):
            raise DataError("state: " + "; ".join(problems))
        # Converting may raise (np.errstate, warnings as errors); what follows does not.
        fit = {name: np.asarray(values[name], one.dtype) for name, one in wanted.items()}
        for name, tensor in wanted.items():
            tensor.data[...] = fit[name]
            tensor.wrote()

    def save(self, path: Any) -> None:
        """Write the parameters to a file of numpy's, .npz; it is whole or not there."""
        _files.write(path, self.state_dict())

    def load(self, path: Any) -> None:
        """Read the parameters from a file that ``save`` wrote. Nothing in it is run."""
        self.load_state_dict(_files.read(path))


def _by_name(module: Module) -> dict[str, PureTensor]:
    """Return the parameters by name; ``DataError`` where a name leads to two."""
    found: dict[str, PureTensor] = {}
    for name, tensor in module.named_parameters():
        if name in found:
            raise DataError(
                f"{name}: is the name of two parameters, so that one would be lost; keys of dicts "
                "make names, in which a dot begins the next part"
            )
        found[name] = tensor
    return found


def _tensors(holder: Any, prefix: str, above: tuple[int, ...]) -> Iterator[tuple[str, PureTensor]]:
    """Yield the tensors in a holder; ``above`` are those that hold it, which it may lead to."""
    if id(holder) in above:
        return
    for key, value in _items(holder):
        if isinstance(value, PureTensor):
            if value.node is None:
                yield f"{prefix}{key}", value
        elif isinstance(value, Module | list | tuple | dict):
            yield from _tensors(value, f"{prefix}{key}.", (*above, id(holder)))


def _items(holder: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(holder, Module):
        return iter(holder.named_parts().items())
    return iter(holder.items() if isinstance(holder, dict) else enumerate(holder))


def _problems(
    wanted: Mapping[str, PureTensor], values: Mapping[str, Array], state: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what keeps values from being the model's."""
    for name, tensor in wanted.items():
        if name not in values:
            yield f"{name} is missing"
        elif values[name].shape != tensor.shape:
            yield f"{name} has the shape {values[name].shape}, and the model {tensor.shape}"
        elif values[name].dtype.kind not in "iuf":
            yield f"{name} has {values[name].dtype} values"
        elif not tensor.data.flags.writeable:
            yield f"{name} is read-only in the model; give its tensor a copy"
    yield from (f"{name} is not in the model" for name in state if name not in wanted)
