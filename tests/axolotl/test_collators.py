"""The pack's collators against axolotl's own file, executed under another name."""

from __future__ import annotations

import copy
import functools
import importlib.util
import logging
import pickle
import random
import sys
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shimhub
from shimhub._compare import first_finding
from tests.axolotl import support

support.require()

import torch  # noqa: E402  # axolotl is here, and with it torch
from transformers import PreTrainedTokenizerFast  # noqa: E402

BATCHING = "axolotl.utils.collators.batching"
IDS = "axolotl/collators/*"
DIFFERENTIAL = settings(
    max_examples=support.examples(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def sides():
    """Return axolotl's module twice: as it is, and with the pack on."""
    torch.set_warn_always(True)  # else only the first of the two is warned
    with support.packed(IDS):
        patched = support.load(BATCHING)
        yield _as_it_is(patched), patched
    torch.set_warn_always(False)


def _as_it_is(patched):
    name = BATCHING + "_as_it_is"
    spec = importlib.util.spec_from_file_location(name, patched.__file__)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


# ---- what is drawn -------------------------------------------------------------------------------


class OddTokenizerFast(PreTrainedTokenizerFast):
    """One that pads in its own way, as those of some models do."""

    def _pad(self, encoded_inputs, *args, **kwargs):
        padded = super()._pad(encoded_inputs, *args, **kwargs)
        return {**padded, "odd": [1]}


class Shifting:
    """A model with encoder and decoder."""

    def prepare_decoder_input_ids_from_labels(self, labels):
        return labels.roll(1)


class Failing:
    """A model that cannot shift its labels."""

    def prepare_decoder_input_ids_from_labels(self, labels):
        raise KeyError("labels")


@functools.cache
def backend():
    """Return the Rust part of the tokenizers."""
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordLevel({"[UNK]": 0, "[PAD]": 7}, unk_token="[UNK]")
    return tokenizers.Tokenizer(model)


def tokenizer_of(kind, side, names, pads, advised):
    """Return a new tokenizer, as it is told."""
    special = {"unk_token": "[UNK]", **({"pad_token": "[PAD]"} if pads else {})}
    found = kind(tokenizer_object=backend(), **special)
    found.padding_side, found.model_input_names = side, list(names)
    found.deprecation_warnings = {"Asking-to-pad-a-fast-tokenizer": True} if advised else {}
    return found


def mostly(usual, *others, once_in=16):
    """Return a strategy of one value, and now and then of others."""
    rare = st.sampled_from(others)
    return st.integers(1, once_in).flatmap(lambda at: rare if at == 7 else st.just(usual))


TOKENIZERS = st.tuples(
    mostly(PreTrainedTokenizerFast, OddTokenizerFast),
    st.sampled_from(["right", "left"]),
    mostly(("input_ids", "attention_mask"), ("input_ids",), ("attention_mask", "input_ids")),
    mostly(True, False),
    mostly(True, False),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "pad_to_multiple_of": st.sampled_from([None, 1, 3, 8]) | mostly(4, 0, -4, True),
        "padding": mostly(True, "longest", "max_length", False, "odd"),
        "max_length": mostly(None, 4, 11),
        "label_pad_token_id": st.sampled_from([-100, 0, 2**40]) | mostly(1, True, 1.5, None, 2**64),
        "position_pad_token_id": st.sampled_from([0, 5]),
        "return_tensors": mostly("pt", "np", None, "odd"),
        "model": st.sampled_from([None, Shifting(), object()]) | st.just(Failing()),
    },
)
#: Makers of rows out of lists.
KINDS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "int32": lambda row: np.array(row, np.int32),
    "uint8": lambda row: np.array([item % 256 for item in row], np.uint8),
    "int64": lambda row: np.array(row, np.int64),
    "float": lambda row: np.array(row, np.float64),
    "tensor": torch.tensor,
    "int tensor": lambda row: torch.tensor(row, dtype=torch.int64),
    "bools": lambda row: [bool(item) for item in row],
    "floats": lambda row: [float(item) for item in row],
    "scalars": lambda row: [np.int64(item) for item in row],
    "matrix": lambda row: np.array([row, row]),
    "nested": lambda row: [row],
    "none": lambda row: None,
}
USUAL = ["list"] * 3 + ["array", "int64", "int32", "int tensor"]
ODD_ITEMS = [2**31, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, True, 1.5, None, "a"]
#: Fields that are no rows of numbers.
FIXED = {
    "length": lambda length: length,
    "weights": lambda length: [0.5, 2],
    "text": lambda length: "text",
    "grid": lambda length: [[1, 2], [3, length]],
}
LENGTHS = st.integers(1, 12) | mostly(3, 0)
SEEDS = st.integers(0, 2**32)
NAMES = ("attention_mask", "position_ids", "labels")
MORE = ("token_type_ids", "special_tokens_mask", "length", "weights", "text", "grid", "extra")


class Rows:
    """Rows by a seed: drawn number by number they would take hypothesis most of the time."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def once_in(self, count):
        """Whether something rare happens."""
        return self.random.randrange(count) == 0

    def row(self, length, kind):
        """Return a row; one that is too long, or has an odd item, now and then."""
        if self.once_in(150):
            length = max(0, length + self.random.choice([-1, 1]))
        row = [self.random.randint(-200, 60000) for _ in range(length)]
        if row and self.once_in(100):
            row[self.random.randrange(length)] = self.random.choice(ODD_ITEMS)
        try:
            return KINDS[kind](row)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            return row

    def feature(self, kinds, length):
        """Return a feature of these fields; with another kind of row, or less, now and then."""
        feature = {}
        for name, kind in kinds.items():
            if name in FIXED:
                feature[name] = FIXED[name](length)
            else:
                other = self.random.choice(list(KINDS)) if self.once_in(100) else kind
                feature[name] = self.row(4 if name == "extra" else length, other)
        if self.once_in(80):
            feature.pop(self.random.choice(list(feature)))
        return feature


@st.composite
def batch_kinds(draw):
    """Draw the fields of a batch and what rows of each are; in any order."""
    without = draw(st.lists(st.sampled_from(NAMES), max_size=1) | st.just([]))
    names = ["input_ids", *(name for name in NAMES if name not in without)]
    names += draw(st.lists(st.sampled_from(MORE), max_size=2, unique=True) | st.just([]))
    usual = draw(st.sampled_from(USUAL))
    kinds = dict.fromkeys(names, usual)
    kinds[draw(st.sampled_from(names))] = draw(st.just(usual) | st.sampled_from(list(KINDS)))
    return {name: kinds[name] for name in draw(st.permutations(names))}


@st.composite
def batches(draw):
    """Draw the features of a batch."""
    kinds, make = draw(batch_kinds()), Rows(draw(SEEDS))
    lengths = draw(st.lists(LENGTHS, min_size=draw(mostly(1, 0)), max_size=4))
    found = [make.feature(kinds, length) for length in lengths]
    return found * draw(mostly(1, 2))  # the same dicts twice


@st.composite
def packs(draw):
    """Draw bins of features, or features as one bin."""
    kinds, make = draw(batch_kinds()), Rows(draw(SEEDS))
    lengths = st.lists(LENGTHS, min_size=draw(mostly(1, 0)), max_size=4)
    found = draw(st.lists(lengths, min_size=draw(mostly(1, 0)), max_size=3))
    bins = [[make.feature(kinds, length) for length in one] for one in found]
    if bins and draw(st.booleans()):
        return bins[0]
    return bins


# ---- what is compared ----------------------------------------------------------------------------


class Told(logging.Handler):
    """What is logged meanwhile."""

    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        self.said.append((record.name, record.levelname, record.getMessage()))


def outcome(module, kind, drawn, tokenizer, options, **more):
    """Return all that can be seen of a call: answer or error, features, warnings, logs."""
    given = copy.deepcopy(drawn)
    tokenizer, told = tokenizer_of(*tokenizer), Told()
    logger = logging.getLogger("transformers")
    logger.addHandler(told)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            collator = getattr(module, kind)(tokenizer, **options)
            answer = collator(given, **more)
        except Exception as error:  # noqa: BLE001  # whatever it is, both must raise it
            answer = type(error)
        finally:
            logger.removeHandler(told)
    # What the original is asked after the replacement may be said twice.
    words = sorted({(one.category.__name__, str(one.message)) for one in warned})
    return {
        "answer": answer.__name__ if isinstance(answer, type) else answer,
        "features": given,
        "warned": words,
        "logged": told.said,
        "advised": tokenizer.deprecation_warnings,
    }


def check(sides, *arguments, **more):
    """Compare the two, and that nothing went wrong behind the guards."""
    expected, found = (outcome(side, *arguments, **more) for side in sides)
    difference = first_finding("outcome", found, expected)
    assert difference is None, difference
    for one in shimhub.stats().values():
        assert (one.errors, one.breaker) == ({}, ""), one
    return found


# ---- tests ---------------------------------------------------------------------------------------


@DIFFERENTIAL
@given(batches(), TOKENIZERS, OPTIONS, mostly(None, "pt", "np"))
def test_any_batch(sides, drawn, tokenizer, options, wanted):
    """Answers, types, errors, changed features, warnings and logs are the original's."""
    check(sides, "DataCollatorForSeq2Seq", drawn, tokenizer, options, return_tensors=wanted)


@DIFFERENTIAL
@given(
    packs(),
    TOKENIZERS,
    OPTIONS,
    st.sampled_from(["BatchSampler", "V2BatchSampler"]),
    st.booleans(),
)
def test_any_bins(sides, drawn, tokenizer, options, version, squashes):
    """The same of both collators of packed rows; where there is one, with squashed positions."""
    if version == "V2BatchSampler" and support.is_version(">=0.12"):
        options = {**options, "squash_position_ids": squashes}
    check(sides, f"{version}DataCollatorForSeq2Seq", drawn, tokenizer, options)


@DIFFERENTIAL
@given(batches(), TOKENIZERS, OPTIONS, st.booleans(), mostly(False, True))
def test_any_columns(sides, drawn, tokenizer, options, numbered, empty):
    """The same of the collator for pretraining, which is given columns."""
    names = {name for feature in drawn for name in feature}
    columns = {name: [one[name] for one in drawn if name in one] for name in sorted(names)}
    columns |= {"empty": []} if empty else {}
    options = {**options, "multipack_attn": numbered}
    kind = "PretrainingBatchSamplerDataCollatorForSeq2Seq"
    check(sides, kind, columns, tokenizer, options)


USUAL_TOKENIZER = (PreTrainedTokenizerFast, "right", ("input_ids", "attention_mask"), True, True)


def usual(*lengths, kind=list, without=()):
    """Return features as most data sets have them."""
    fields = {
        "input_ids": range,
        "attention_mask": lambda n: [1] * n,
        "position_ids": range,
        "labels": lambda n: [-100, *range(n - 1)],
    }
    kept = {name: make for name, make in fields.items() if name not in without}
    return [{name: kind(list(make(n))) for name, make in kept.items()} for n in lengths]


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
@pytest.mark.parametrize("without", [(), ("labels",), ("attention_mask", "position_ids")])
def test_usual_batches_are_served(sides, kind, without):
    """Lists, arrays and tensors, bins and columns: none of these goes back to the original."""
    before = {name: dict(one.fallbacks) for name, one in shimhub.stats().items()}
    drawn = usual(5, 3, 8, kind=kind, without=without)
    if drawn[0].keys() > {"length"}:
        more = [{**one, "length": len(one["input_ids"])} for one in drawn]
        check(sides, "DataCollatorForSeq2Seq", more, USUAL_TOKENIZER, {"model": Shifting()})
    for version in ("BatchSampler", "V2BatchSampler"):
        bins = [drawn, drawn[:1]]
        check(sides, f"{version}DataCollatorForSeq2Seq", bins, USUAL_TOKENIZER, {})
    columns = {name: [one[name] for one in drawn] for name in drawn[0]}
    check(sides, "PretrainingBatchSamplerDataCollatorForSeq2Seq", columns, USUAL_TOKENIZER, {})
    assert before == {name: one.fallbacks for name, one in shimhub.stats().items()}


def test_a_tokenizer_says_first_what_it_has_to_say(sides):
    """In transformers 4 the first call of a fast tokenizer is the original's; no later one is."""
    fresh = (*USUAL_TOKENIZER[:-1], False)
    for _ in range(2):
        check(sides, "DataCollatorForSeq2Seq", usual(3, 2), fresh, {})
    tokenizer = tokenizer_of(*fresh)
    collator = sides[1].DataCollatorForSeq2Seq(tokenizer)
    collator(usual(2, 3))
    before = shimhub.stats()["axolotl/collators/seq2seq"].fallbacks
    collator(usual(2, 3))
    assert before == shimhub.stats()["axolotl/collators/seq2seq"].fallbacks


def test_modes_of_torch(sides):
    """Inference tensors under inference mode; a default device is the original's business."""
    for module in sides:
        collator = module.DataCollatorForSeq2Seq(tokenizer_of(*USUAL_TOKENIZER))
        with torch.inference_mode():
            assert collator(usual(2, 3))["labels"].is_inference()
        with torch.device("meta"):
            assert collator(usual(2, 3))["labels"].is_meta
        assert collator(usual(2, 3))["labels"].is_contiguous()


def test_subclasses_and_overrides(sides):
    """A subclass's super().__call__, and a base class that somebody else has patched."""
    answers = []
    for module in sides:

        class Mine(module.V2BatchSamplerDataCollatorForSeq2Seq):
            def __call__(self, features, return_tensors=None):
                return {**super().__call__(features, return_tensors), "mine": 1}

        class Between(module.DataCollatorForSeq2Seq):
            def __call__(self, features, return_tensors=None):
                return len(features)

        class Both(module.V2BatchSamplerDataCollatorForSeq2Seq, Between):
            pass

        tokenizer = tokenizer_of(*USUAL_TOKENIZER)
        assert isinstance(Mine(tokenizer), module.DataCollatorForSeq2Seq)
        answers.append([Mine(tokenizer)([usual(2, 3)]), Both(tokenizer)([usual(2), usual(3)])])
    assert first_finding("answers", *answers) is None
    assert answers[0][1] == 2


def test_workers_of_a_data_loader(sides):
    """Batches come through shared memory from forked workers, and are the same."""
    data = [row for number in range(2, 10) for row in usual(number)]
    found = []
    for module in sides:
        collator = module.DataCollatorForSeq2Seq(tokenizer_of(*USUAL_TOKENIZER))
        loader = torch.utils.data.DataLoader(
            copy.deepcopy(data), 3, collate_fn=collator, num_workers=2
        )
        found.append([dict(batch) for batch in loader])
    assert first_finding("batches", found[1], found[0]) is None


def test_collators_are_pickled_by_reference(sides):
    """A collator goes to spawned workers as it does without the pack."""
    collator = sides[1].V2BatchSamplerDataCollatorForSeq2Seq(None, pad_to_multiple_of=8)
    assert collator == pickle.loads(pickle.dumps(collator))
    assert BATCHING.encode() in pickle.dumps(type(collator).__call__)
    assert b"shimhub" not in pickle.dumps(type(collator).__call__)


@pytest.mark.parametrize("native", ["0", "1"])
def test_without_the_library(sides, monkeypatch, native):
    """The same answers by NumPy alone."""
    from shimhub.kernels import _loading

    if native == "0":
        monkeypatch.setattr(_loading, "load", lambda: "turned off by the test")
    for side in ("right", "left"):
        tokenizer = (PreTrainedTokenizerFast, side, *USUAL_TOKENIZER[2:])
        options = {"pad_to_multiple_of": 4}
        check(sides, "DataCollatorForSeq2Seq", usual(3, 6), tokenizer, options)
        check(sides, "V2BatchSamplerDataCollatorForSeq2Seq", [usual(3, 6)], tokenizer, options)
