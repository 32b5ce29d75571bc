"""Start-up file of ``shimhub run``: activate, then run the user's own sitecustomize.

Its folder stands on PYTHONPATH so that child processes start here too. It leaves ``sys.path``
as the user's program would see it without shimhub, and it never aborts the start-up.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _activate() -> None:
    try:
        from shimhub.activation.boot import start
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whoever is called shimhub there
        if sys.stderr is not None:
            told = f"not importable by {sys.executable} ({error}); this process runs unpatched"
            sys.stderr.write(f"shimhub: {told}\n")
    else:
        start()


def _leave_path() -> None:
    sys.path[:] = [entry for entry in sys.path if not entry or os.path.abspath(entry) != _HERE]


def _chain() -> None:
    """Become the sitecustomize that Python would have found without us.

    Where there is none, the import fails as it would have, which ``site`` takes for a no.
    """
    del sys.modules["sitecustomize"]
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401  # found anew


_leave_path()
if os.environ.get("SHIMHUB") != "0":
    _activate()
_chain()
