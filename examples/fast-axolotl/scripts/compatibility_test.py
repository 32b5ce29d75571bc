"""Write COMPATIBILITY.md: what the documentation of fast-axolotl runs by this name.

Each feature is tested for real in this environment, and each function of an installed axolotl that
is replaced is called beside its original. Exit code: 0, 1 where something failed, 4 where something
could not be tested.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """Run the checks of both packs."""
    command = [sys.executable, "-m", "shimhub", "compat", "fast-axolotl", "axolotl"]
    return subprocess.run([*command, *sys.argv[1:]], check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
