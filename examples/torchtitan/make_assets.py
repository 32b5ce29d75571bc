"""Make what TorchTitan's debug model needs: a tokenizer, text to train on, and config files.

    python make_assets.py DIR

Everything is made from the Python standard library's own sources, so nothing is downloaded and two
runs on one machine give the same files. The text is made of the sources' most common lines, which a
model learns something about within five steps. Start the training with DIR as working directory.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

VOCABULARY = 2000
SPECIAL = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
SOURCES = 400
COMMON_LINES = 100
TEXTS, LINES_PER_TEXT = 2000, 60
#: TorchTitan moved the seed from one section to another in 0.2.1.
SEED_SECTION = {"0.2.0": "training", "0.2.2": "debug"}

CONFIG = """\
[job]
dump_folder = "./outputs"
description = "Llama 3 debug model on CPU"

[profiling]
enable_profiling = false

[metrics]
log_freq = 1
enable_tensorboard = false

[model]
name = "llama3"
flavor = "debugmodel"
hf_assets_path = "./tests/assets/tokenizer"

[optimizer]
name = "AdamW"
lr = 8e-4
eps = 1e-8

[lr_scheduler]
warmup_steps = 2
decay_ratio = 0.8
decay_type = "linear"
min_lr_factor = 0.0

[training]
local_batch_size = 2
seq_len = 128
max_norm = 1.0
steps = 5
dataset = "c4_test"

[parallelism]
data_parallel_replicate_degree = 1
data_parallel_shard_degree = -1
tensor_parallel_degree = 1
pipeline_parallel_degree = 1
context_parallel_degree = 1

[checkpoint]
enable = false
folder = "checkpoint"
interval = 10
last_save_model_only = false
export_dtype = "float32"
async_mode = "disabled"

[activation_checkpoint]
mode = "none"

[compile]
enable = false
"""


def main() -> int:
    """Write the assets into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to write; made if missing")
    folder: Path = parser.parse_args().folder
    try:
        write_assets(folder)
    except (OSError, RuntimeError) as error:
        print(f"make_assets: {error}", file=sys.stderr)
        return 1
    print(f"made {folder}: cd there and start the training")
    return 0


def write_assets(folder: Path) -> None:
    """Write the tokenizer, the data and one config file per version of TorchTitan."""
    sources = list(standard_library_sources())
    write_data(folder / "tests/assets/c4_test/data.json", texts_of(sources))
    write_tokenizer(folder / "tests/assets/tokenizer", sources)
    for version in SEED_SECTION:
        (folder / f"debug-{version}.toml").write_text(config_of(version), encoding="utf-8")


def standard_library_sources() -> Iterator[str]:
    """Yield the sources of the standard library's top-level modules in a fixed order."""
    library = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(library.glob("*.py"))[:SOURCES]
    if not files:
        raise RuntimeError(f"no Python sources in {library}: the standard library is not readable")
    for file in files:
        yield file.read_text(encoding="utf-8", errors="replace")


def texts_of(sources: list[str]) -> list[str]:
    """Return texts made of the most common lines, drawn with a fixed seed."""
    lines = Counter(line for text in sources for line in text.splitlines() if line.strip())
    ranked = sorted(lines, key=lambda line: (-lines[line], line))[:COMMON_LINES]
    draw = random.Random(0)  # noqa: S311 - text to train on, no secret
    return ["\n".join(draw.choices(ranked, k=LINES_PER_TEXT)) for _ in range(TEXTS)]


def write_data(path: Path, texts: list[str]) -> None:
    """Write one JSON object a line with the key that TorchTitan's ``c4_test`` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": text}) for text in texts]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_tokenizer(folder: Path, texts: list[str]) -> None:
    """Train a byte-level BPE tokenizer and write it in the format of Hugging Face."""
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as error:
        raise RuntimeError("needs `tokenizers`, which torchtitan brings: pip install it") from error
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {**SPECIAL, "add_bos_token": True, "add_eos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def config_of(version: str) -> str:
    """Return the debug model's config for one version of TorchTitan."""
    section = f"[{SEED_SECTION[version]}]"
    if section in CONFIG:
        return CONFIG.replace(f"{section}\n", f"{section}\nseed = 0\n")
    return f"{CONFIG}\n{section}\nseed = 0\n"


if __name__ == "__main__":
    sys.exit(main())
