"""docs/speed.md: its blocks run, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
PAGE = Path(__file__).parent.parent / "docs/speed.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_blocks_run_as_printed():
    """All of them in a row, under shimhub."""
    command = [sys.executable, "-m", "shimhub", "run", "-c", "\n".join(BLOCKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (2, 0) == (len(BLOCKS), done.returncode), done.stderr
    assert "precision: leave" in done.stdout


def test_links_lead_to_files():
    """Each relative link names a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert [] == [one for one in links if not (PAGE.parent / one).is_file()]
