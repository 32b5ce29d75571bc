"""axolotl's encoder of text for pretraining, before 0.13: rows packed in C.

https://github.com/axolotl-ai-cloud/axolotl/blob/v0.12.2/src/axolotl/utils/data/pretraining.py
Before 0.7 labels were the tokens, padding included, and there was no choice of column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub import Decline


def build(original: Any, ctx: Any) -> Any:
    """Return ``encode_pretraining`` of the installed version."""
    packed = ctx.load("shims/axolotl/encode/_packing.py").packer(original)

    def without_labels(tokenizer: Any, max_tokens: Any, examples: Any) -> Any:

        def again(asked: Any) -> Any:
            return original(asked, max_tokens, examples)

        return packed(examples["text"], tokenizer, max_tokens, False, again)

    def encode_pretraining(
        tokenizer: Any,
        max_tokens: Any,
        examples: Any,
        text_column: Any = "text",
        concatenate: Any = True,
    ) -> Any:
        if not concatenate:
            raise Decline("not concatenated")

        def again(asked: Any) -> Any:
            return original(asked, max_tokens, examples, text_column, concatenate)

        return packed(examples[text_column], tokenizer, max_tokens, True, again)

    return encode_pretraining if ctx.parameters["has_labels"] else without_labels


def cases(ctx: Any) -> Iterator[Any]:
    """Yield texts and row lengths."""
    for tokenizer, texts, length in ctx.load("shims/axolotl/encode/_packing.py").samples(ctx):
        given = {"text": texts}
        yield lambda function, a=(tokenizer, length, given): (function(*a), a[2])
