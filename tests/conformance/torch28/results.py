"""What steps found, kept as one JSON file each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.conformance.torch28.place import ROOT

#: The names of steps without shimhub end so.
WITHOUT = ("-bare", "-native")


def sources() -> str:
    """Return a digest of what is measured: the registry, the package and the shims."""
    digest = hashlib.sha256()
    for path in _measured():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _measured() -> Iterator[Path]:
    yield ROOT / "registry.toml"
    for folder in ("shimhub", "shims"):
        files = sorted((ROOT / folder).rglob("*.py"))
        yield from (path for path in files if not path.name.startswith("test_"))


@dataclass(frozen=True)
class Results:
    """A folder of results; each knows the sources that it was measured with."""

    folder: Path

    @cached_property
    def sources(self) -> str:
        """The digest of the sources as they are now."""
        return sources()

    def save(self, name: str, facts: Mapping[str, Any]) -> None:
        """Keep what the step found."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {"sources": self._of(name), "facts": facts}
        text = json.dumps(kept, indent=1, ensure_ascii=False)
        (self.folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def load(self, name: str) -> tuple[dict[str, Any], bool] | None:
        """Return the step's facts and whether the sources are still the same; None if unknown."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept["facts"], kept["sources"] == self._of(name)

    def _of(self, name: str) -> str:
        """Return the digest of what the step measures: of nothing here, without shimhub."""
        return "none" if name.endswith(WITHOUT) else self.sources
