"""From texts to packed tokens, offline: the docstrings of Python's standard library.

python pipeline.py FOLDER
"""

from __future__ import annotations

import ast
import json
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from shimhub.data import dedup, pack, streaming_dataset_reader, tokenize

LENGTH = 512


def docstrings() -> Iterator[dict[str, str]]:
    """Yield the docstrings of some packages, and the places that they are from."""
    library = Path(sysconfig.get_path("stdlib"))
    for package in ("asyncio", "concurrent", "email", "http", "json", "logging", "unittest"):
        for path in sorted(library.glob(f"{package}/**/*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    text = ast.get_docstring(node)
                    if text:
                        yield {"path": str(path.relative_to(library)), "text": text}


def write_corpus(path: Path) -> None:
    """Write a line of JSON for each docstring."""
    with path.open("w", encoding="utf-8") as file:
        for row in docstrings():
            file.write(json.dumps(row) + "\n")


def train_tokenizer(corpus: Path, path: Path) -> None:
    """Train a small byte-level BPE on the corpus: batches of a column are what it takes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<pad>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=special, show_progress=False)
    with streaming_dataset_reader(corpus, columns=["text"]) as reader:
        tokenizer.train_from_iterator((batch["text"] for batch in reader), trainer)
    tokenizer.save(str(path))


def main(folder: Path) -> None:
    """Write each step into the folder, and print what came of it."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus, tokenizer = folder / "corpus.jsonl", folder / "tokenizer.json"
    if not corpus.exists():  # an input that was written to since is another one
        write_corpus(corpus)
    unique = dedup(corpus, folder / "unique", by="text")
    print(f"dedup: {unique.exact} of {unique.rows_in} rows are repetitions")
    train_tokenizer(corpus, tokenizer)
    ids = tokenize(folder / "unique", folder / "ids", tokenizer=tokenizer, eos="</s>")
    print(f"tokenize: {ids.tokens} tokens in {ids.written} rows")
    found = pack(folder / "ids", folder / "packed", length=LENGTH, overlong="split")
    print(f"pack: {found.packed} rows of {LENGTH} tokens, {found.fill:.2%} full")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
