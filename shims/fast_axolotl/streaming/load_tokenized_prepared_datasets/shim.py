"""``load_tokenized_prepared_datasets`` of axolotl 0.5 to 0.9, by what it is in later releases.

Origin: https://github.com/axolotl-ai-cloud/axolotl/blob/v0.9.2/src/axolotl/utils/data/sft.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shimhub import Context


def build(original: None, ctx: Context) -> Callable[..., Any]:
    """Return the function with the signature of 0.9.2."""

    def load_tokenized_prepared_datasets(
        tokenizer: Any,
        cfg: Any,
        default_dataset_prepared_path: Any,
        split: str = "train",
        processor: Any = None,
        preprocess_iterable: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Return the tokenized data set that ``cfg`` names, and its prompters."""
        from axolotl.utils.data import sft  # late: it may be patched, too

        said = cfg.dataset_prepared_path
        cfg.dataset_prepared_path = said or str(default_dataset_prepared_path)
        try:
            found: tuple[Any, list[Any]] = sft._load_tokenized_prepared_datasets(
                tokenizer, cfg, split, processor, bool(preprocess_iterable)
            )
        finally:
            cfg.dataset_prepared_path = said
        return found

    return load_tokenized_prepared_datasets
