"""What the oracle, shimhub and fast-axolotl read of each file.

``python -m tests.bench.data_matrix`` prints the table; ``--write`` puts it into
docs/data-formats.md. Each reader runs in processes of its own, so that one that crashes is one
more result.
"""

from __future__ import annotations

import argparse
import collections
import importlib.metadata
import json
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.data_cases import CASES

if TYPE_CHECKING:
    from tests.bench.data_files import Case, Rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-formats.md"
MARKS = "<!-- matrix -->", "<!-- end of matrix -->"
BATCH = 3
WIDTH = 80


class WrongRowsError(Exception):
    """Rows came, and are none: columns of different lengths, or batches of a wrong size."""


def by_oracle(case: Case, path: Path) -> Rows:
    """Return the rows by the oracle; raise where there must be an error."""
    if case.oracle is None:
        raise LookupError("an error that names the place")
    return case.oracle(path)


def by_shimhub(case: Case, path: Path) -> Rows:
    """Return the rows by ``streaming_dataset_reader``; batches are exactly of the size."""
    from shimhub.data import streaming_dataset_reader

    with streaming_dataset_reader(path, batch_size=BATCH, **case.asked) as reader:
        return _joined(list(reader), is_exact=True)


def by_fast_axolotl(_case: Case, path: Path) -> Rows:
    """Return the rows by its ``streaming_dataset_reader``."""
    import fast_axolotl

    kind, packed = fast_axolotl.detect_format(str(path))
    kind = "hf_dataset" if path.is_dir() else f"{kind}.{packed}" if packed else kind
    return _joined(list(fast_axolotl.streaming_dataset_reader(str(path), kind, BATCH)), False)


def _joined(batches: list[dict[str, list[Any]]], is_exact: bool) -> Rows:
    rows: Rows = []
    for at, batch in enumerate(batches):
        lengths = {name: len(column) for name, column in batch.items()}
        if len(set(lengths.values())) > 1:
            raise WrongRowsError(f"columns of different lengths: {batch}")
        count = next(iter(lengths.values()), 0)
        if is_exact and (count > BATCH or (count < BATCH and at + 1 < len(batches))):
            raise WrongRowsError(f"a batch of {count} rows")
        rows += [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
    return rows


READERS = {"oracle": by_oracle, "shimhub": by_shimhub, "fast-axolotl": by_fast_axolotl}


def outcome(reader: str, case: Case, folder: Path) -> dict[str, str]:
    """Return ``rows`` or ``error``, as text that is equal where types and values are."""
    path = folder / case.file
    try:
        return {"rows": shown(READERS[reader](case, path))}
    except WrongRowsError as wrong:
        return {"wrong": str(wrong)}
    except Exception as error:  # noqa: BLE001 - any error is a result
        return {"error": f"{type(error).__name__}: {error}".replace(f"{folder}/", "")}


def shown(rows: Rows) -> str:
    """Return rows as text: by type, too."""
    return repr([dict(sorted(row.items())) for row in rows])


def main() -> None:
    """Print or write the table; or, as a child, the outcomes of one reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.reader:
        _child(asked.reader, asked.folder, asked.first)
        return
    text = matrix()
    if asked.write:
        write(PAGE, text)
    print(text)


def _child(reader: str, folder: Path, first: int) -> None:
    for at, case in enumerate(CASES[first:], first):
        print(json.dumps([at, outcome(reader, case, folder / str(at))]), flush=True)


def matrix() -> str:
    """Return the table of all cases, and a line of counts."""
    with tempfile.TemporaryDirectory() as folder:
        for at, case in enumerate(CASES):
            (Path(folder) / str(at)).mkdir()
            case.make(Path(folder) / str(at) / case.file)
        results = {reader: _outcomes(reader, folder) for reader in READERS}
    rows = [_row(at, case, results) for at, case in enumerate(CASES)]
    return "\n".join([*_heading(rows), *("| " + " | ".join(row) + " |" for row in rows)])


def _outcomes(reader: str, folder: str) -> list[dict[str, str]]:
    """Run the reader over all cases; one that kills it is told, and the next process goes on."""
    found: list[dict[str, str]] = []
    while len(found) < len(CASES):
        command = [sys.executable, "-m", "tests.bench.data_matrix", "--reader", reader]
        command += ["--folder", folder, "--first", str(len(found))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found += [json.loads(line)[1] for line in done.stdout.splitlines() if line[:1] == "["]
        if len(found) < len(CASES):
            killer = signal.Signals(-done.returncode).name if done.returncode < 0 else "an exit"
            found.append({"crash": f"the process ended by {killer}"})
    return found


def verdict(case: Case, found: dict[str, str], wanted: dict[str, str]) -> str:
    """Return "same" or "error" for what is right, and what is wrong in bold."""
    if case.oracle is not None and found == wanted:
        return "same"
    if "error" in found:
        return _of_error(case, found["error"])
    return "**crash**" if "crash" in found else "**wrong**"


def _of_error(case: Case, error: str) -> str:
    if case.oracle is not None:
        return "**not read**"
    return "error" if re.search(case.error, error) else "error that does not say where"


def _row(at: int, case: Case, results: dict[str, list[dict[str, str]]]) -> list[str]:
    wanted = results["oracle"][at]
    oracle = f"{case.by}: {_cell(wanted)}" if case.oracle else "must be an error"
    told = [case.name, oracle]
    for reader in ("shimhub", "fast-axolotl"):
        found = results[reader][at]
        word = verdict(case, found, wanted)
        told.append(word if word == "same" else f"{word}: {_cell(found)}")
    return told


def _cell(found: dict[str, str]) -> str:
    ((_, text),) = found.items()
    text = " ".join(text.split())
    short = text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."
    return "`" + short.replace("`", "'").replace("|", "\\|") + "`"


def _heading(rows: list[list[str]]) -> list[str]:
    versions = {name: importlib.metadata.version(name) for name in ("pyarrow", "fast-axolotl")}
    told = " and ".join(f"{name} {version}" for name, version in versions.items())
    return [
        f"{len(rows)} cases, with {told}.",
        f"shimhub: {_counted(rows, 2)}. fast-axolotl: {_counted(rows, 3)}.",
        "",
        "| case | oracle | shimhub | fast-axolotl |",
        "|---|---|---|---|",
    ]


def _counted(rows: list[list[str]], at: int) -> str:
    words = collections.Counter(row[at].partition(":")[0].strip("*") for row in rows)
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items()))


def write(page: Path, text: str) -> None:
    """Replace what stands between the marks of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    page.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
