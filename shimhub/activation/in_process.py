"""Run a program in this very process: under ``-I``, ``-E`` and ``-S`` start-up files do not run.

As the interpreter's own start does it (Modules/main.c), and unlike ``runpy.run_path``: ``__main__``
stays the program's until the end, ``sys.path[0]`` is the script's folder, and tracebacks begin in
the program.
"""

from __future__ import annotations

import atexit
import os
import pkgutil
import runpy
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any, NoReturn

from shimhub.activation.boot import boot

_run_module: Callable[[str, bool], object] = vars(runpy)["_run_module_as_main"]

#: What ``__main__`` has while it is a file.
_GIVEN = ("__file__", "__cached__")
#: The module that was ``__main__`` so far: it must outlive the program, as we run in its name.
_KEPT: list[ModuleType | None] = []


def become(program: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Activate this process and run ``program`` in it, then end as the interpreter would.

    ``program`` is what may follow ``python``: a script, folder or zip file, ``-m``, ``-c`` or
    ``-``, with arguments.
    """
    os.environ.update(environ)
    start, arguments = _start_of(list(program))
    _KEPT.append(sys.modules.get("__main__"))
    sys.argv[:] = arguments
    boot(os.environ)
    _run(start)


def _start_of(program: list[str]) -> tuple[Callable[[], object], list[str]]:
    """Return what to call and ``sys.argv``, after ``sys.path[0]`` is the program's."""
    first = program[0]
    option, glued = (first[:2], first[2:]) if first[:2] in ("-m", "-c") else (first, "")
    if option in ("-m", "-c"):
        value, rest = (glued, program[1:]) if glued else (program[1], program[2:])
        _set_path(os.getcwd() if option == "-m" else "")
        main = _new_main(BuiltinImporter)
        if option == "-m":
            return lambda: _run_module(value, True), ["-m", *rest]  # runpy's own
        return lambda: _exec(compile(value, "<string>", "exec", dont_inherit=True), main), [
            "-c",
            *rest,
        ]
    if option == "-":
        _set_path("")
        main = _new_main(BuiltinImporter, "<stdin>")
        return lambda: _exec(_compiled(sys.stdin.buffer.read(), "<stdin>"), main, *_GIVEN), program
    return _start_of_file(first), program


def _start_of_file(path: str) -> Callable[[], object]:
    # As it was typed: the interpreter leaves ``./`` and ``..`` in; only Windows normalizes.
    full = os.path.join(os.getcwd(), path) if os.name == "posix" else os.path.abspath(path)
    if os.path.isdir(path) or _is_archive(path):
        if not _is_safe():
            del sys.path[0]
        sys.path.insert(0, full)
        _new_main(BuiltinImporter)
        return lambda: _run_module("__main__", False)  # runpy's own
    _set_path(os.path.dirname(os.path.realpath(path)))
    main = _new_main(SourceFileLoader("__main__", full), full)
    return lambda: _exec(_code_of(path, full), main, *_GIVEN)


def _set_path(first: str) -> None:
    """Put the program's folder where that of ``-m shimhub`` or of our script stands."""
    if not _is_safe():
        sys.path[0] = first


def _is_safe() -> bool:
    return bool(getattr(sys.flags, "safe_path", sys.flags.isolated))


def _is_archive(path: str) -> bool:
    return os.path.isfile(path) and pkgutil.get_importer(path) is not None


def _new_main(loader: Any, file: str = "") -> ModuleType:
    main = ModuleType("__main__")
    vars(main).update(dict.fromkeys(_GIVEN) | {"__file__": file} if file else {})
    vars(main).update(__builtins__=sys.modules["builtins"], __loader__=loader)
    if sys.version_info < (3, 14):
        vars(main).update(__annotations__={})
    sys.modules["__main__"] = main
    return main


def _code_of(path: str, full: str) -> CodeType:
    try:
        with open(path, "rb") as stream:
            code: CodeType | None = pkgutil.read_code(stream)
            stream.seek(0)
            return code or _compiled(stream.read(), full)
    except OSError as error:
        told = f"can't open file {full!r}: [Errno {error.errno}] {error.strerror}"
        sys.stderr.write(f"{sys.executable}: {told}\n")
        raise SystemExit(2) from None


def _compiled(source: bytes, name: str) -> CodeType:
    code: CodeType = compile(source, name, "exec", dont_inherit=True)
    return code


def _exec(code: CodeType, main: ModuleType, *given: str) -> None:
    """Run it; names that were given to a file are gone at exit (Python/pythonrun.c)."""
    exec(code, vars(main))  # noqa: S102  # the user's program: that is the job
    for name in given:
        vars(main).pop(name, None)


def _run(start: Callable[[], object]) -> NoReturn:
    """Run it; an exception that ends it is shown as the interpreter shows it."""
    interrupted: list[bool] = []
    atexit.register(_die_of_interrupt, interrupted)  # the first to come runs last
    code = 0
    try:
        start()
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever ends a program
        code = 1
        interrupted += [True] * isinstance(error, KeyboardInterrupt)
        _show(error)
    raise SystemExit(code)


def _show(error: BaseException) -> None:
    sys.stdout.flush()  # as the interpreter does before a traceback
    found = _without_ours(error.__traceback__)
    error.__traceback__ = found
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, found
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    sys.excepthook(type(error), error, found)


def _without_ours(found: TracebackType | None) -> TracebackType | None:
    while found is not None and found.tb_frame.f_code.co_filename == __file__:
        found = found.tb_next
    return found


def _die_of_interrupt(interrupted: list[bool]) -> None:
    """End by SIGINT after everything else, as a shell expects of an interrupted program."""
    if interrupted and os.name == "posix":
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
