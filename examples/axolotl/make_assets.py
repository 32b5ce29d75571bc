"""Make what a small Axolotl run needs: a tiny Llama, its tokenizer, instructions, and a config.

    python make_assets.py DIR [--rows N]

Everything is made from Python's own documentation strings, so nothing is downloaded, and two runs
on one machine give the same files. Start the training with DIR as working directory.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

VOCABULARY = 4000
LONGEST = 4000
SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
MODEL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
}
CONFIG = """\
base_model: ./model
tokenizer_type: PreTrainedTokenizerFast
datasets:
  - path: data.jsonl
    ds_type: json
    type: alpaca
dataset_prepared_path: prepared
dataset_exact_deduplication: true
dataset_processes: 1
val_set_size: 0.02
sequence_len: 512
sample_packing: true
pad_to_sequence_len: true
eval_sample_packing: false
output_dir: out
micro_batch_size: 2
gradient_accumulation_steps: 1
max_steps: 3
num_epochs: 1
seed: 42
optimizer: adamw_torch
learning_rate: 0.002
logging_steps: 1
bf16: false
fp16: false
tf32: false
flash_attention: false
sdp_attention: true
"""


def main() -> int:
    """Write the assets into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to write; made if missing")
    parser.add_argument("--rows", type=int, default=1000, help="instructions to write")
    options = parser.parse_args()
    try:
        write_assets(options.folder, options.rows)
    except (OSError, ImportError, RuntimeError) as error:
        print(f"make_assets: {error}", file=sys.stderr)
        return 1
    print(f"made {options.folder}: cd there and start the training")
    return 0


def write_assets(folder: Path, rows: int) -> None:
    """Write data, tokenizer, model and config."""
    told = list(documented())
    if not told:
        raise RuntimeError("the standard library's sources are not readable")
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder / "data.jsonl", told, rows)
    write_model(folder / "model", [text for pair in told for text in pair])
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")


def documented() -> Iterator[tuple[str, str]]:
    """Yield the names of the standard library's functions and classes with what they are for."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(library.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8", errors="replace"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                text = ast.get_docstring(node)
                if text and len(text) < LONGEST:
                    yield f"{file.stem}.{node.name}", text


def write_data(path: Path, told: list[tuple[str, str]], rows: int) -> None:
    """Write instructions as Axolotl's ``alpaca`` reads them; beyond what there is, with numbers."""
    with path.open("w", encoding="utf-8") as stream:
        for index in range(rows):
            turn, place = divmod(index, len(told))
            name, text = told[place]
            asked = f"What is {name} for?" + (f" Answer {turn}." if turn else "")
            row = {"instruction": asked, "input": "", "output": text}
            stream.write(json.dumps(row) + "\n")


def write_model(folder: Path, texts: list[str]) -> None:
    """Write a byte-level BPE tokenizer and a model of random weights, as Hugging Face's."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    names = ["input_ids", "attention_mask"]
    kept = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=names, model_max_length=2048, **SPECIAL
    )
    kept.save_pretrained(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**MODEL)).save_pretrained(folder)


if __name__ == "__main__":
    sys.exit(main())
