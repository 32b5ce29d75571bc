"""Print, as JSON, how many tensors a folder's safetensors hold, and which are not finite.

python hf_tensors.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from safetensors.torch import load_file


def main() -> None:
    """Read every file directly in the folder."""
    files = sorted(Path(sys.argv[1]).glob("*.safetensors"))
    tensors = [item for file in files for item in load_file(file).items()]
    strange = [name for name, tensor in tensors if not tensor.isfinite().all()]
    names = len({name for name, _ in tensors})
    print(json.dumps({"files": len(files), "tensors": names, "not finite": strange}))


if __name__ == "__main__":
    main()
