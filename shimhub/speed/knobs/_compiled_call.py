"""What a compiled model's call runs: compiled code, or the model itself once that has failed."""

from __future__ import annotations

import difflib
import logging
import types
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch

from shimhub.speed.knobs._forward_state import ForwardState

_log = logging.getLogger("shimhub.speed")


class Settings(NamedTuple):
    """Arguments of torch.compile."""

    backend: str | Callable[..., Any] = "inductor"
    mode: str | None = None
    fullgraph: bool = False
    dynamic: bool | None = None
    options: Mapping[str, Any] = {}


def unknown_settings(settings: Settings) -> str:
    """Return what torch would refuse of the settings, at the first forward or not at all."""
    if callable(settings.backend):
        return ""
    # torch._dynamo is loaded here and not with this module: it takes seconds.
    if settings.backend not in (known := torch._dynamo.list_backends(exclude_tags=())):
        return f"no backend {settings.backend!r}{_hint(settings.backend, known)}"
    if settings.backend != "inductor":
        return ""
    return _unknown_inductor(settings)


def _unknown_inductor(settings: Settings) -> str:
    """Return the mode or option that inductor does not have."""
    import torch._inductor as inductor

    modes = ["default", *inductor.list_mode_options()]
    if settings.mode is not None and settings.mode not in modes:
        return f"no mode {settings.mode!r}{_hint(settings.mode, modes)}"
    options = inductor.list_options()
    for name in settings.options:
        if name.replace("-", "_") not in options:
            return f"no option {name!r} of inductor{_hint(name, options)}"
    return ""


def _hint(name: str, known: Any) -> str:
    """Return a suggestion, ready to be appended."""
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


class CompiledCall:
    """The call of one model; ``reason`` tells why it is eager again, where it is.

    It does not keep the model alive.
    """

    def __init__(self, model: Any, settings: Settings) -> None:
        """Prepare the compilation; torch compiles at the first call."""
        self.settings = settings
        self.reason = ""
        self._ran = False
        self._model = weakref.ref(model)
        self._compiled = torch.compile(
            _own_function(),
            backend=_Backend(settings, self.give_up),
            fullgraph=settings.fullgraph,
            dynamic=settings.dynamic,
        )

    def __repr__(self) -> str:
        state = f", eager: {self.reason}" if self.reason else ""
        return f"<compiled by shimhub.speed with {self.settings.backend}{state}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled model, or the model itself after a failure."""
        model: Any = self._model()
        if self.reason:
            return model._call_impl(*args, **kwargs)
        before = None if self._ran else ForwardState.of(model)
        try:
            result = self._compiled(model, *args, **kwargs)
        except _dynamo_errors() as error:
            failure = error
        else:
            self._ran = True
            return result
        if before is not None:
            before.bring_back()
        result = model._call_impl(*args, **kwargs)  # a mistake of the model's own is raised here
        self.give_up(failure)
        return result

    def give_up(self, error: Exception) -> None:
        """Stay eager from the next call on, and tell why; once."""
        if not self.reason:
            self.reason = _first_line(error)
            name = type(self._model()).__name__
            _log.warning("%s runs eagerly, as without compile: %s", name, self.reason)


def _forward(model: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call a model; torch inlines what it calls."""
    return model._call_impl(*args, **kwargs)


def _own_function() -> Callable[..., Any]:
    """Return ``_forward`` with a code object of its own.

    torch keeps compiled variants by code object, and at most eight of them.
    """
    code = _forward.__code__.replace(co_name="forward")
    return types.FunctionType(code, _forward.__globals__, "forward")


def _dynamo_errors() -> tuple[type[Exception], ...]:
    """Return what torch raises where it cannot compile a call."""
    errors = torch._dynamo.exc
    limit = getattr(errors, "FailOnRecompileLimitHit", errors.TorchDynamoException)
    return errors.TorchDynamoException, limit


def _first_line(error: Exception) -> str:
    """Return an error in one line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = " ".join(lines[:2])
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


class _Backend:
    """A backend whose failure leaves the graph eager: nothing that ran before it runs twice."""

    def __init__(self, settings: Settings, failed: Callable[[Exception], None]) -> None:
        self.__name__ = getattr(settings.backend, "__name__", str(settings.backend))
        self._settings = settings
        self._failed = failed

    def __call__(self, graph: Any, inputs: Any) -> Any:
        """Compile a graph, or return it as it is."""
        try:
            with _backward_too():
                return _compile(graph, inputs, self._settings)
        except Exception as error:  # noqa: BLE001  # compilers raise whatever they like
            self._failed(error)
            return graph.forward


def _backward_too() -> AbstractContextManager[Any]:
    """Compile the backward with the forward, so that its failure comes where it can be caught."""
    config = getattr(torch._functorch, "config", None)
    patch: Callable[..., AbstractContextManager[Any]] | None = getattr(config, "patch", None)
    if patch is None or not hasattr(config, "force_non_lazy_backward_lowering"):
        return nullcontext()
    return patch(force_non_lazy_backward_lowering=True)


def _compile(graph: Any, inputs: Any, settings: Settings) -> Any:
    """Compile a graph by the backend, as torch.compile hands it over."""
    if settings.backend == "inductor":
        import torch._inductor as inductor

        return inductor.compile(graph, inputs, options=_inductor_options(settings))
    backend = torch._dynamo.lookup_backend(settings.backend)
    given = {"mode": settings.mode, "options": dict(settings.options)}
    return backend(graph, inputs, **{name: one for name, one in given.items() if one})


def _inductor_options(settings: Settings) -> dict[str, Any]:
    """Return a mode's options and the user's own; random numbers are those of eager torch.

    Left to itself inductor draws dropout masks of its own, which is another training run.
    """
    import torch._inductor as inductor

    mode = settings.mode if settings.mode != "default" else ""
    of_mode = dict(inductor.list_mode_options(mode, settings.dynamic)) if mode else {}
    own = {name.replace("-", "_"): one for name, one in settings.options.items()}
    return {"fallback_random": True, **of_mode, **own}
