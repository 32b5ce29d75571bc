"""What is kept in the cache: a JSON file for each question, whole or not at all.

A file is used only if it is this user's own. Timings of settings are kept so, and crossovers of
operations.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

from shimhub import paths


def folder(name: str) -> str:
    """Return the folder of one kind of files."""
    return os.path.join(paths.cache_dir(), name)


def path_of(folder: str, question: Mapping[str, Any]) -> str:
    """Return the file of a question, which is what JSON has."""
    text = json.dumps(question, sort_keys=True)
    return os.path.join(folder, hashlib.sha256(text.encode()).hexdigest()[:32] + ".json")


def read(file: str, most: int, new: str) -> tuple[bytes, str]:
    """Return what is in a file, and why it is not used; ``new`` where there is none.

    Of one that is longer than ``most`` bytes there is one byte more.
    """
    try:
        with open(file, "rb") as stream:
            if not paths.is_ours(os.fstat(stream.fileno())):
                return b"", "others may write its file, so it is not trusted"
            return stream.read(most + 1), ""
    except FileNotFoundError:
        return b"", new
    except OSError as error:
        return b"", f"its file cannot be read: {error.strerror}"


def write(file: str, content: str) -> str:
    """Keep a file. Return why it was not kept; empty where it was."""
    folder, name = os.path.split(file)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=folder, prefix=f"{name}.")
        _put(handle, scratch, file, content)
    except OSError as error:
        return f"{error.filename or file}: {error.strerror}"
    return ""


def _put(handle: int, scratch: str, file: str, content: str) -> None:
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
        os.replace(scratch, file)
    finally:
        if os.path.lexists(scratch):
            os.unlink(scratch)
