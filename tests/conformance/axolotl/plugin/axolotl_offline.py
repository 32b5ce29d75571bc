"""A pytest plugin in place of axolotl's conftest, whose fixtures download from the hub.

Tokenizers that a test asks for by a hub's name are one that is made here; the fixtures that tests
name are stand-ins of the same shape. What needs real weights or datasets fails with the pack as
without it.
"""

from __future__ import annotations

import importlib
import os
import random
import shutil
import tempfile
from typing import Any

import datasets
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

_SPECIAL = ["<unk>", "<s>", "</s>"]
_WORDS = """the a an of to and in is was for on that with as it be at by this have from or which
one you were all there would their we him been has when who will more no if out so what up said
about into than them can only other new some could time these two may then do first any my now
such like our over man me even most made after also did many before must through back years where
much your way well down should because each just those people how too little state good very make
world still own see men work long get here between both life being under never day same another
know while last might us great old year off come since against go came right used take three
below instruction input response write request appropriately completes"""
#: Little more than the bytes: texts become as many tokens as with a vocabulary of real size.
_SIZE = 420


def _text(count: int, seed: int = 0) -> str:
    chosen = random.Random(seed)
    words = _WORDS.split()
    return " ".join(chosen.choice(words) for _ in range(count))


def _tokenizer() -> Any:
    """Return a byte-level BPE tokenizer that begins each text as Llama's does, by ``<s>``."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=_SIZE,
        special_tokens=_SPECIAL,
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    made.train_from_iterator([_text(5000)], trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
    )


_FOUND = transformers.AutoTokenizer.from_pretrained


def _from_pretrained(name: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what lies in a folder; for a hub's name the one that is made here."""
    if os.path.isdir(str(name)):
        return _FOUND(name, *args, **kwargs)
    return _tokenizer()


for _name in ("AutoTokenizer", "LlamaTokenizer", "LlamaTokenizerFast"):
    if hasattr(transformers, _name):
        getattr(transformers, _name).from_pretrained = staticmethod(_from_pretrained)


def _alpaca(count: int) -> datasets.Dataset:
    rows = [
        {
            "instruction": _text(12 + row % 9, row),
            "input": _text(row % 7, row + 1),
            "output": _text(30 + row % 60, row + 2),
            "text": _text(50, row + 3),
        }
        for row in range(count)
    ]
    return datasets.Dataset.from_list(rows)


def _preferences(count: int) -> datasets.Dataset:
    def said(role: str, row: int) -> dict[str, str]:
        return {"role": role, "content": _text(10 + row % 5, row)}

    rows = [
        {
            "conversation": [said("user", row)],
            "chosen": said("assistant", row + 1),
            "rejected": said("assistant", row + 2),
        }
        for row in range(count)
    ]
    return datasets.Dataset.from_list(rows)


def _shakespeare() -> datasets.DatasetDict:
    sizes = {"train": 40, "validation": 8, "test": 8}
    texts = {
        name: [_text(400 + 37 * row % 300, row) for row in range(size)]
        for name, size in sizes.items()
    }
    made = {name: datasets.Dataset.from_dict({"Text": rows}) for name, rows in texts.items()}
    return datasets.DatasetDict(made)


def _crawl() -> datasets.DatasetDict:
    return datasets.DatasetDict({"train": _shakespeare()["train"].rename_column("Text", "text")})


#: Stand-ins for datasets of the hub that tests load by these names.
_HUB = {
    "Trelis/tiny-shakespeare": _shakespeare,
    "winglian/tiny-shakespeare": _shakespeare,
    "allenai/c4": _crawl,
    "mhenrichsen/alpaca_2k_test": lambda: datasets.DatasetDict(train=_alpaca(2000)),
    "tatsu-lab/alpaca": lambda: datasets.DatasetDict(train=_alpaca(500)),
    "fozziethebeat/alpaca_messages_2k_dpo_test": lambda: datasets.DatasetDict(
        train=_preferences(1800)
    ),
}
_LOADED = datasets.load_dataset


def _load_dataset(path: str, *args: Any, **kwargs: Any) -> Any:
    """Return the stand-in for a dataset of the hub; all else is loaded from where it is."""
    if path not in _HUB:
        return _LOADED(path, *args, **kwargs)
    found = _HUB[path]()
    split = kwargs.get("split")
    if kwargs.get("streaming"):
        streams = {name: rows.to_iterable_dataset() for name, rows in found.items()}
        found = datasets.IterableDatasetDict(streams)
    return found[split] if split else found


datasets.load_dataset = _load_dataset


@pytest.fixture(autouse=True)
def torch_manual_seed():
    """Each test begins with the same random numbers."""
    torch.manual_seed(42)


@pytest.fixture(autouse=True)
def reset_plugin_manager():
    """Plugins of one test are none of the next one's."""
    _forget_plugins()
    yield
    _forget_plugins()


def _forget_plugins() -> None:
    try:
        manager = importlib.import_module("axolotl.integrations.base").PluginManager
    except ImportError:
        return
    manager._cfg = None
    if manager._instance is not None:
        manager._instance.plugins.clear()


@pytest.fixture
def temp_dir():
    """A folder that is gone after the test."""
    folder = tempfile.mkdtemp()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tokenizer_huggyllama():
    """A tokenizer with a token to pad with."""
    made = _tokenizer()
    made.pad_token = "</s>"
    return made


@pytest.fixture
def tokenizer_huggyllama_w_special_tokens(tokenizer_huggyllama):
    """The same; it has the special tokens of its own already."""
    return tokenizer_huggyllama


@pytest.fixture
def tokenizer_llama2_7b():
    """A tokenizer."""
    return _tokenizer()


@pytest.fixture
def tokenizer_mistral_7b_instruct():
    """A tokenizer."""
    return _tokenizer()


@pytest.fixture
def tokenizer_mistral_7b_instruct_chatml(tokenizer_mistral_7b_instruct):
    """A tokenizer that knows ChatML's marks."""
    tokenizer_mistral_7b_instruct.add_special_tokens({"eos_token": "<|im_end|>"})
    tokenizer_mistral_7b_instruct.add_tokens(["<|im_start|>"])
    return tokenizer_mistral_7b_instruct


@pytest.fixture
def dataset_winglian_tiny_shakespeare():
    """Three splits of long texts."""
    return _shakespeare().rename_column("Text", "text")


@pytest.fixture
def dataset_tatsu_lab_alpaca():
    """Rows as Alpaca's."""
    return _alpaca(500)


@pytest.fixture
def dataset_mhenrichsen_alpaca_2k_test():
    """Two thousand rows as Alpaca's."""
    return _alpaca(2000)


@pytest.fixture
def dataset_fozziethebeat_alpaca_messages_2k_dpo_test():
    """Rows of preferences."""
    return _preferences(1800)


@pytest.fixture
def dataset_fozziethebeat_alpaca_messages_2k_dpo_test_rev_ea82cff():
    """Rows of preferences."""
    return _preferences(1800)


@pytest.fixture(name="min_base_cfg")
def fixture_min_base_cfg():
    """A config that names a model and a dataset."""
    return importlib.import_module("axolotl.utils.dict").DictDefault(
        base_model="HuggingFaceTB/SmolLM2-135M",
        learning_rate=1e-3,
        datasets=[{"path": "mhenrichsen/alpaca_2k_test", "type": "alpaca"}],
        micro_batch_size=1,
        gradient_accumulation_steps=1,
    )


def _stand_in(name: str) -> Any:
    @pytest.fixture(name=name)
    def downloaded():
        return None

    return downloaded


#: What tests name only so that it is there.
_DOWNLOADS = """deepseek_model huggyllama_model llama_1b_model llama3_8b_model
llama3_8b_instruct_model phi_35_mini_model phi_3_medium_model mistral_7b_model gemma_2b_model
gemma2_9b_model mlx_mistral_7b_model llama2_model phi_4_reasoning_model gemma3_4b_model"""
for _name in _DOWNLOADS.split():
    globals()[f"download_{_name}_fixture"] = _stand_in(f"download_{_name}_fixture")
