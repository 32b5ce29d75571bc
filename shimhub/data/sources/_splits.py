"""Which split a file of a folder belongs to, by its name, as ``datasets`` tells it.

``train-00000-of-00002.parquet``, ``data/test.jsonl`` and ``validation/a.csv`` are of a split.
Source: the patterns in https://huggingface.co/docs/hub/datasets-file-names-and-splits
"""

from __future__ import annotations

import re
from typing import Final

from shimhub.data.errors import DataError
from shimhub.errors import nearest

#: Other words for a split; ``datasets`` reads them as that split too.
_WORDS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_WORD: Final = re.compile(r"(?:^|[ ._/\-0-9])(" + "|".join(_WORDS) + r")(?=$|[ ._/\-0-9])")
_SHARD: Final = re.compile(r"(?:^|/)([^/]*?)-\d{5}-of-\d{5}[^/]*$")


def split_of(name: str) -> str | None:
    """Return the split of a path below its folder; None if its name tells none."""
    numbered = _SHARD.search(name)
    words = _WORD.findall(name.lower())
    if numbered and re.fullmatch(r"\w+", numbered[1]):
        return _WORDS.get(numbered[1], numbered[1])
    return _WORDS[words[-1]] if words else None


def files_of_split(paths: list[str], folder: str, split: str | None) -> list[str]:
    """Return the files of the split; all if none is asked for and the names tell of one at most.

    Raises:
        DataError: names tell of several splits and none is asked for, or not of that one.
    """
    told = {path: split_of(path.removeprefix(folder).strip("/")) for path in paths}
    splits = sorted({one for one in told.values() if one is not None})
    if split is None and len(splits) > 1:
        raise DataError(
            f"{folder}: its files are of several splits, {', '.join(splits)}: pass split=, or a "
            f"list or glob of the files that are wanted"
        )
    if split is None:
        return paths
    if split not in splits:
        there = ", ".join(splits) or "none: its files are not named by split"
        raise DataError(f"{folder}: no split {split!r}{nearest(split, splits)}; there is {there}")
    return [path for path in paths if told[path] == split]
