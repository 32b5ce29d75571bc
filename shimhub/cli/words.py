"""The words that completion scripts ask for at every key: ids and packs, from the warm table."""

from __future__ import annotations

import os
import re

from shimhub import compiled, trust

#: Shells expand what a script lists: a word that is anything but a name is left out.
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")


def words() -> list[str]:
    """Return the ids of all live shims, then the packs; raises RegistryError as ``list`` does."""
    sources = compiled.sources_of(os.environ, trusted=trust.granted(os.environ).sources)
    table = compiled.load(sources)
    ids = (row["id"] for row in table["shims"] if "retired" not in row)
    return [word for word in (*ids, *table["packs"]) if _SAFE.fullmatch(word)]
