"""``torchtitan.experiments.compat``: shims of your own, and those of this hub, behind one import.

Origin: https://github.com/pytorch/torchtitan/pull/1862 (never merged).
The names that stable torch lacks are served by the hub's rows, on import of the module that lacks
them; this package is the place to add modules to them from Python.
"""

from __future__ import annotations

from torchtitan.experiments.compat.compat import install_shims, register_shim

__all__ = ["install_shims", "register_shim"]

install_shims()
