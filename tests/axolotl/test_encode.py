"""axolotl's encoders of streamed text and their replacements: the same rows."""

from __future__ import annotations

import copy
import functools

from hypothesis import given, settings
from hypothesis import strategies as st

import shimhub
from tests.axolotl import support

support.require()

STREAMING = "axolotl.utils.data.streaming:encode_streaming"
PRETRAINING = "axolotl.utils.data.pretraining:encode_pretraining"
IDS = st.integers(0, 40000) | st.integers(-(2**63), 2**63 - 1)
MANY = settings(max_examples=support.examples(), deadline=None)


class Tokens:
    """A tokenizer whose texts are their tokens, cut where it is told to."""

    def __init__(self, pad, eos, mask):
        self.pad_token_id, self.eos_token_id, self._mask = pad, eos, mask
        self.asked = []

    def __call__(self, texts, **options):
        """Return copies of the tokens, with a mask of ones, or of what is told."""
        self.asked.append(options)
        size = max(options["max_length"], 0)
        found = [text[:size] for text in texts]
        masks = [[1] * len(text) for text in found]
        if self._mask is not None and masks and masks[-1]:
            masks[-1][-1] = self._mask
        return {"input_ids": found, "attention_mask": masks}


@st.composite
def calls(draw):
    """Draw a tokenizer, texts of tokens, and the length of a row."""
    empty = draw(st.sampled_from([0, 1, 1, 1]))
    texts = draw(st.lists(st.lists(IDS, min_size=empty, max_size=12), max_size=12))
    pad, eos = draw(st.tuples(*[st.sampled_from([0, 1, 2, 77, None])] * 2))
    pad, eos = draw(st.sampled_from([(pad, eos), (1, 2), (1, 2), (0, 0)]))
    mask = draw(st.sampled_from([None, None, None, 0, 2, 1.0, True]))
    return Tokens(pad, eos, mask), texts, draw(st.integers(-1, 20))


def outcome(function, *args, **named):
    """Return what a call comes to: a value with the types in it, or the type of what it raised."""
    try:
        found = function(*args, **named)
    except Exception as error:  # noqa: BLE001  # whatever the original raises is the oracle
        return type(error)
    kinds = {name: [[type(one) for one in row] for row in rows] for name, rows in found.items()}
    return list(found), found, kinds


def asking(function, tokenizer, *args):
    """Return what a call comes to, and what the tokenizer was asked on it."""
    tokenizer.asked.clear()
    return outcome(function, tokenizer, *args), list(tokenizer.asked)


@functools.cache
def functions():
    """Return original and replacement as functions of tokenizer, length, examples, and options."""
    if support.is_version(">=0.13"):
        return [
            lambda tokenizer, size, examples, *more, one=one: one(examples, tokenizer, size, *more)
            for one in support.pair(STREAMING)
        ]
    return support.pair(PRETRAINING)


@MANY
@given(calls(), st.booleans())
def test_rows_are_the_originals(call, concatenate):
    """Whatever the tokens, their lengths, masks and special tokens; errors by their type."""
    original, replacement = functions()
    tokenizer, texts, size = call
    more = ("column", concatenate) if support.is_version(">=0.7") else ()
    for column in ("text", "column"):
        given = {column: texts}
        expected = asking(original, tokenizer, size, copy.deepcopy(given), *more)
        assert expected == asking(replacement, tokenizer, size, given, *more)
        assert {column: texts} == given
    expected = asking(original, tokenizer, size, {"text": copy.deepcopy(texts)})
    assert expected == asking(replacement, tokenizer, size, {"text": texts})


def test_rows_do_not_share_lists():
    """A caller that writes to labels writes to labels alone."""
    _, replacement = functions()
    found = replacement(Tokens(1, 2, None), 8, {"text": [[5, 6, 7], [8]]})
    found["labels"][0][0] = 99
    assert 99 not in found["input_ids"][0]
    assert 99 not in found["attention_mask"][0]


def test_a_tokenizer_is_asked_once():
    """To cut what does not fit beside the two tokens that are added; and where it raises."""
    original, replacement = functions()
    for texts, mask in (([[5, 6, 7], [8]], None), ([[5], []], None), ([[5]], 0), ([None], 1)):
        tokenizer = Tokens(1, 2, mask)
        expected = asking(original, tokenizer, 8, {"text": texts})
        assert expected == asking(replacement, tokenizer, 8, {"text": texts})
        assert 1 == len(tokenizer.asked)


def test_what_is_left_to_the_original_is_counted():
    """Texts without tokens are declined after the tokenizer was asked."""
    functions()
    is_new, asked = support.is_version(">=0.13"), (Tokens(1, 2, None), 8)
    attach = STREAMING if is_new else PRETRAINING
    texts = {"text": [[5], []]}
    with support.packed():
        support.get(attach)(*((texts, *asked) if is_new else (*asked, texts)))
        found = shimhub.stats()[f"axolotl/encode/{'streaming' if is_new else 'pretraining'}"]
    assert found.fallbacks.get("a sequence without tokens, or no list")
    assert not found.errors
