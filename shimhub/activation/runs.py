"""The folder of a run, where its processes leave their records.

On the start-up path of ``shimhub.auto``: builtins only.
"""

import os
import sys
from time import localtime, strftime

from shimhub import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Runs that are kept; older ones go when a new one begins.
KEPT = 20


def folder_for(environ: "Mapping[str, str]") -> str:
    """Return SHIMHUB_RUN_DIR, absolute, or the new folder of this run; empty if there can be none.

    The folder is this user's alone. Where it cannot be made, that is said on stderr, and nothing
    is recorded.
    """
    told = environ.get("SHIMHUB_RUN_DIR")
    runs = paths.runs_dir()
    name = f"{strftime('%Y%m%d-%H%M%S', localtime())}-{os.getpid()}"
    folder = os.path.abspath(told or os.path.join(runs, name))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        if sys.stderr is not None:
            sys.stderr.write(f"shimhub: no records: {folder}: {error.strerror}\n")
        return ""
    if not told:
        _drop_old(runs)
    return folder


def _drop_old(runs: str) -> None:
    """Remove the oldest runs: folders of ours, with files of ours and nothing else.

    What cannot be removed stays; the run that begins does not depend on it.
    """
    names = sorted(one.name for one in os.scandir(runs) if one.is_dir(follow_symlinks=False))
    for name in names[:-KEPT]:
        folder = os.path.join(runs, name)
        try:
            for file in os.listdir(folder):
                if file.endswith(".jsonl"):
                    os.unlink(os.path.join(folder, file))
            if not os.listdir(folder):
                os.rmdir(folder)
        except OSError:  # another run was faster, or it is not ours
            continue
