"""Run blocks of Python as printed, each in a fork, with a small model and data to train.

A script for ``shimhub run``: ``served_blocks.py BLOCKS.json ANSWERS.json``. BLOCKS.json has
``{name: code}``; the answers are ``{name: [exit code, what it printed]}``. The working directory
gets the files that substitutions.toml tells.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

#: One step on a CPU; the tokenizer has a token for each letter.
CONFIG = """
base_model: ./model
datasets:
  - {path: ./data.jsonl, ds_type: json, type: completion, field: text}
dataset_prepared_path: ./prepared
output_dir: ./out
sequence_len: 128
micro_batch_size: 1
gradient_accumulation_steps: 1
max_steps: 1
num_epochs: 1
learning_rate: 0.001
optimizer: adamw_torch
lr_scheduler: constant
bf16: false
fp16: false
tf32: false
flash_attention: false
use_cpu: true
save_strategy: "no"
dataset_processes: 1
val_set_size: 0
special_tokens: {pad_token: "<pad>"}
"""


def write_files() -> None:
    """Write data, configuration and the command into the working directory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1, 2, 3, 4], "b": list("wxyz")}), "data.parquet")
    rows = [{"text": f"say {number} times that it is {number}"} for number in range(12)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("config.yaml").write_text(CONFIG)
    command = Path("bin/axolotl")
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\necho \"$@\" > '{os.getcwd()}/command'\n")
    command.chmod(0o755)
    write_model()


def write_model() -> None:
    """Write a model of one layer and its tokenizer, as the libraries that are here write them."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    marks = ["<unk>", "<s>", "</s>", "<pad>"]
    words = {word: place for place, word in enumerate([*marks, *map(chr, range(32, 127))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    names = dict(zip(("unk_token", "bos_token", "eos_token", "pad_token"), marks, strict=True))
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    made.save_pretrained("model")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 128}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **sizes, **heads)).save_pretrained("model")


def in_a_fork(name: str, code: str) -> tuple[int, str]:
    """Run ``code`` as a script's; return its exit code and what it wrote to stdout and stderr."""
    path = f"{name}.log"
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), Path(path).read_text(errors="replace")
    log = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ["train.py", "config.yaml"]
    try:
        exec(compile(code, f"<{name}>", "exec"), {"__name__": "__main__"})
    except BaseException:  # noqa: BLE001  # whatever the block raises is shown
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Run all blocks; libraries are imported once, axolotl by each block itself."""
    blocks, answers = sys.argv[1:]
    in_a_fork("files", "import served_blocks; served_blocks.write_files()")
    for name in ("torch", "transformers", "datasets", "accelerate", "trl", "peft"):
        importlib.import_module(name)
    for name in ("transformers.trainer", "transformers.models.llama.modeling_llama"):
        importlib.import_module(name)
    found = {
        name: in_a_fork(name, code) for name, code in json.loads(Path(blocks).read_text()).items()
    }
    Path(answers).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
