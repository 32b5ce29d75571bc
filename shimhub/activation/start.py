"""What start-up files call: activate this process, and never keep a program from starting.

On the start-up path: builtins only.
"""

import os
import sys

from shimhub.activation.boot import boot


def start() -> None:
    """Activate this process, once; what hinders it is said on stderr and the process goes on.

    Called by the ``.pth`` or ``.start`` file of ``shimhub activate`` and by the sitecustomize of
    ``shimhub run``; the second call of a process does nothing. With SHIMHUB_STRICT=1 an error
    ends the process with code 1.
    """
    try:
        if os.environ.get("SHIMHUB") != "0":
            boot(os.environ)
    except Exception as error:  # noqa: BLE001  # nothing of ours keeps a program from starting
        if sys.stderr is not None:
            sys.stderr.write(f"shimhub: this process runs unpatched: {error}\n")
            sys.stderr.flush()
        if os.environ.get("SHIMHUB_STRICT", "0") not in ("", "0"):
            os._exit(1)  # an exit by exception would be a fatal error of ``site``
