"""What the ``.start`` file of ``shimhub activate`` names, which CPython 3.15 imports at any rate.

On the start-up path: builtins only.
"""

import os


def start() -> None:
    """Activate this process as ``boot.start`` does; with SHIMHUB=0 nothing more is imported."""
    if os.environ.get("SHIMHUB") != "0":
        from shimhub.activation import boot

        boot.start()
