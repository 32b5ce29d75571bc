"""``import shimhub.auto``: activate this process and the children that it starts from here on."""

from __future__ import annotations

import os

from shimhub.activation import runs
from shimhub.activation.boot import boot, with_site_dir

if os.environ.get("SHIMHUB") != "0":
    os.environ["SHIMHUB_RUN_DIR"] = runs.folder_for(os.environ)
if boot(os.environ) is not None:
    os.environ.setdefault("SHIMHUB", "1")
    os.environ["PYTHONPATH"] = with_site_dir(os.environ.get("PYTHONPATH", ""))
