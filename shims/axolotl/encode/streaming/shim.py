"""axolotl's encoder of streamed text: rows packed in C instead of by concatenating tensors.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/data/streaming.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shimhub import Decline


def build(original: Any, ctx: Any) -> Any:
    """Return ``encode_streaming``; what is not concatenated is the original's."""
    packed = ctx.load("shims/axolotl/encode/_packing.py").packer(original)

    def encode_streaming(
        examples: Any,
        tokenizer: Any,
        max_tokens: Any,
        text_column: Any = "text",
        concatenate: Any = True,
    ) -> Any:
        if not concatenate:
            raise Decline("not concatenated")

        def again(asked: Any) -> Any:
            return original(examples, asked, max_tokens, text_column, concatenate)

        return packed(examples[text_column], tokenizer, max_tokens, True, again)

    return encode_streaming


def cases(ctx: Any) -> Iterator[Any]:
    """Yield texts and row lengths, from a column of each name."""
    for tokenizer, texts, length in ctx.load("shims/axolotl/encode/_packing.py").samples(ctx):
        given = {"text": texts}
        yield lambda function, a=(given, tokenizer, length): (function(*a), a[0])
    yield lambda function: function({"body": texts}, tokenizer, length, "body", True)
