"""Runs at the start of every Python process of a run with ``--children``, from a ``.pth`` file.

It stands behind the one of shimhub and notes whether that was reached: a line for the process
itself, one for each test that it runs, one for each process that it starts. What was started and
never came here ran under flags that no start-up file gets past. Builtins only, so that no test
finds a module loaded that it expects to load.
"""

import os
import sys


def watch(folder):
    """Write what this process is and does to a file of its own in ``folder``.

    Once: ``site`` runs the lines of a virtual environment twice.
    """
    if hasattr(sys, "_conformance_watched"):
        return
    sys._conformance_watched = True
    file = os.path.join(folder, f"{os.getpid()}.txt")
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.set_inheritable(out, False)
    hooked = any(type(one).__module__ == "shimhub.finder" for one in sys.meta_path)

    def note(*what):
        try:
            os.write(out, ascii(what).encode() + b"\n")
        except OSError:  # a test, or a daemon, closes all that is open
            return

    def hook(event, args):
        if event == "conformance.test":
            note("test", args[0])
        elif event == "subprocess.Popen":
            note("started", str(args[0]), [os.fsdecode(one) for one in _listed(args[1])])

    note("process", os.getppid(), sys.orig_argv, hooked)
    sys.addaudithook(hook)


def _listed(command):
    return [command] if isinstance(command, (str, bytes, os.PathLike)) else command
