"""``DataCollatorForSeq2Seq.__call__``: rows are read once, into the matrices that torch is given.

The original pads labels and positions as lists, has ``tokenizer.pad`` pad the rest, and lets torch
read lists of lists. What is not simply integers, padded to the longest row by a tokenizer that pads
as transformers' own, is left to it: by Decline, before the features are changed, which comes last.

https://github.com/axolotl-ai-cloud/axolotl/blob/main/src/axolotl/utils/collators/batching.py
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from transformers import BatchEncoding, PreTrainedTokenizerBase
from transformers.utils import to_py_obj

from shimhub import Decline
from shimhub.kernels import Field, collate

IDS, MASK, LABELS, POSITIONS = "input_ids", "attention_mask", "labels", "position_ids"
#: What ``tokenizer.pad`` pads beside the ids, where features have it.
_BESIDE = (MASK, "token_type_ids", "special_tokens_mask")
_ARRAYS = (np.ndarray, torch.Tensor)
#: From here on a float64, which ``numpy.concatenate`` makes of an empty list, has gaps.
_EXACT = 2**53
_ADVICE = "Asking-to-pad-a-fast-tokenizer"

_METHODS = ("pad", "_pad", "_get_padding_truncation_strategies")
#: Those of transformers' own file: what somebody has patched them with is none.
_STOCK = {
    name: found
    for name in _METHODS
    for found in [getattr(PreTrainedTokenizerBase, name)]
    if found.__code__.co_filename == inspect.getfile(PreTrainedTokenizerBase)
}
#: Whether ``tokenizer.pad`` advises against itself, once for each fast tokenizer: transformers 4.
_ADVISES = _ADVICE in PreTrainedTokenizerBase.pad.__code__.co_consts


def build(original: Any, ctx: Any) -> Any:
    """Return the replacement; parameters tell what differs between versions of axolotl."""
    mask, positions = ctx.parameters["mask"], ctx.parameters["positions"]

    def __call__(self: Any, features: Any, return_tensors: Any = None) -> Any:
        try:
            _check_call(self, return_tensors)
            _check_tokenizer(self.tokenizer)
            values = _values(self, mask, positions, features)
            kinds = _kinds_of(features, [name for name in features[0] if name in values])
            planes = _planes(self, features, _padded(kinds, values, mask), values)
            _check_planes(planes, kinds)
            answer = _answer(features, planes, kinds[IDS] is not list)
            if self.model is not None and LABELS in planes:  # a model may write to its labels
                planes[LABELS] = planes[LABELS].copy()
            _add_decoder_ids(self.model, answer)
        except Decline:
            raise
        except Exception as error:  # a model's, or an odd object's: nothing is written yet
            raise Decline(f"raised {type(error).__name__}") from error
        for name in {LABELS, POSITIONS} & kinds.keys():
            leave = _leave_lists if kinds[name] is list else _leave_arrays
            leave(features, name, planes[name], values[name], self.tokenizer.padding_side)
        return answer

    return __call__


def _check_call(self: Any, return_tensors: Any) -> None:
    """Decline what asks for more than torch's tensors, padded to the longest row."""
    if (self.return_tensors if return_tensors is None else return_tensors) != "pt":
        raise Decline("no tensors of torch's are asked for")
    if not (self.padding is True and self.max_length is None) and self.padding != "longest":
        raise Decline("padding other than to the longest row")
    multiple = self.pad_to_multiple_of
    if multiple is not None and (type(multiple) is not int or multiple < 1):
        raise Decline("an odd pad_to_multiple_of")
    if getattr(self, "sequence_parallel_degree", 1) > 1:
        raise Decline("sequence parallelism")
    if torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack():
        raise Decline("a mode or a default device of torch's")


def _check_tokenizer(tokenizer: Any) -> None:
    """Decline what does not pad as transformers' own."""
    kind = type(tokenizer)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise Decline("a tokenizer that is none of transformers'")
    own = vars(tokenizer)
    if any(getattr(kind, name) is not _STOCK.get(name) or name in own for name in _METHODS):
        raise Decline("a tokenizer with a pad() of its own")
    is_fast = kind.__name__.endswith("Fast")
    if _ADVISES and is_fast and not tokenizer.deprecation_warnings.get(_ADVICE):
        raise Decline("the tokenizer has its advice to give first")
    if tokenizer.padding_side not in ("right", "left") or tokenizer.model_input_names[0] != IDS:
        raise Decline("an odd tokenizer")
    if own.get("_special_tokens_map", {"pad_token": ""}).get("pad_token") is None:
        raise Decline("no token to pad with")  # transformers logs it where its id is asked for


def _values(self: Any, mask: str, positions: str, features: Any) -> dict[str, Any]:
    """Return what pads each field, those that the tokenizer leaves alone left out."""
    if type(features) is not list or {*map(type, features)} != {dict} or IDS not in features[0]:
        raise Decline("features that are no dicts with input_ids")
    values = {
        IDS: self.tokenizer.pad_token_id,
        MASK: 0,
        "token_type_ids": self.tokenizer.pad_token_type_id,
        "special_tokens_mask": 1,
        LABELS: self.label_pad_token_id,
        POSITIONS: "range" if positions == "range" else self.position_pad_token_id,
    }
    if MASK not in self.tokenizer.model_input_names:
        del values[MASK]
        if mask == "required" and MASK not in features[0]:
            raise Decline("the original fails without a mask")
    return values


def _kinds_of(features: Any, names: list[str]) -> dict[str, type]:
    """Return the type of the rows of each field; decline what the original does not simply pad."""
    try:
        found = {name: {type(feature[name]) for feature in features} for name in names}
    except KeyError:
        raise Decline("a feature without a field of the first one") from None
    kinds = {name: types.pop() for name, types in found.items() if len(types) == 1}
    if len(kinds) != len(found) or not {*kinds.values()} <= {list, *_ARRAYS}:
        raise Decline("rows that are neither lists, arrays nor tensors")
    if kinds[IDS] is list and any(kinds.get(name, list) is not list for name in _BESIDE):
        raise Decline("lists of ids beside arrays")
    return kinds


def _padded(kinds: dict[str, type], values: dict[str, Any], mask: str) -> list[str]:
    """Return the names of the fields to pad, with a mask that is to be made."""
    is_made = mask == "added" and MASK in values and MASK not in kinds
    return [*kinds, MASK] if is_made else [*kinds]


def _planes(self: Any, features: Any, names: list[str], values: dict[str, Any]) -> dict[str, Any]:
    """Return padded matrices by name."""
    told = [values[name] for name in names if values[name] != "range"]
    if any(type(value) is not int for value in told) or values[IDS] < 0:
        raise Decline("padding that is no int, or no token")
    fields = [Field(IDS, values[IDS], strict=True)]
    fields += [
        Field(name, values[name], ones_for=IDS if name in _BESIDE else None, strict=True)
        for name in names
        if name != IDS
    ]
    side = self.tokenizer.padding_side
    try:
        return collate(features, tuple(fields), multiple_of=self.pad_to_multiple_of, side=side)
    except (TypeError, ValueError, OverflowError):
        raise Decline("rows that are no rows of integers, or of odd lengths") from None


def _check_planes(planes: dict[str, Any], kinds: dict[str, type]) -> None:
    for name, plane in planes.items():
        if not plane.shape[1]:
            raise Decline("rows without items")  # torch makes float32 of them, or int64
        is_joined = name in (LABELS, POSITIONS) and kinds[name] is not list
        if is_joined and (plane.max() > _EXACT or plane.min() < -_EXACT):
            raise Decline("labels that the original rounds")


def _answer(features: Any, planes: dict[str, Any], is_array: bool) -> Any:
    """Return the batch; fields that nothing pads become tensors as the original's do."""
    names = list(features[0])
    others = {name: _column(features, name, is_array) for name in names if name not in planes}
    answer = BatchEncoding(dict.fromkeys(names))
    if others:
        try:
            answer.data.update(BatchEncoding(others, tensor_type="pt").data)
        except ValueError:
            raise Decline("a field that makes no tensor") from None
    for name, plane in planes.items():
        answer.data[name] = torch.from_numpy(plane)
    return answer


def _column(features: Any, name: str, is_array: bool) -> Any:
    try:
        column = [feature[name] for feature in features]
    except KeyError:
        raise Decline("a feature without a field of the first one") from None
    return to_py_obj(column) if is_array else column


def _add_decoder_ids(model: Any, answer: Any) -> None:
    if LABELS not in answer or model is None:
        return
    if hasattr(model, "prepare_decoder_input_ids_from_labels"):
        found = model.prepare_decoder_input_ids_from_labels(labels=answer[LABELS])
        answer["decoder_input_ids"] = found


def _leave_lists(features: Any, name: str, plane: Any, value: Any, side: str) -> None:
    """Leave features padded, as the original does."""
    width = plane.shape[1]
    padding = list(range(width)) if value == "range" else [value] * width
    for feature in features:
        row = feature[name]
        rest = padding[: width - len(row)]
        feature[name] = row + rest if side == "right" else rest + row


def _leave_arrays(features: Any, name: str, plane: Any, value: Any, side: str) -> None:
    """Leave features padded: arrays, and what was none, are arrays of int64."""
    for feature, row in zip(features, plane, strict=True):
        feature[name] = row.copy()


def cases(ctx: Any) -> Any:
    """Yield batches as data sets give them, and what collators are asked for."""
    shared = ctx.load("shims/axolotl/_cases.py")
    case, batch = shared.collated, shared.batch
    for features in _batches(batch):
        for side, multiple in (("right", None), ("left", 8)):
            yield case(ctx.owner, features, side, pad_to_multiple_of=multiple)
    yield case(ctx.owner, batch(4, 6), padding="longest", max_length=5, label_pad_token_id=-1)
    yield case(ctx.owner, batch(4, 6), model=_Decoder())
    yield case(ctx.owner, batch(4, 6), position_pad_token_id=3)


def _batches(batch: Any) -> Any:
    yield batch(5)
    for without in ((), (MASK,), (POSITIONS,), (LABELS,)):
        yield batch(5, 2, 9, without=without)
    full = batch(3, 7)
    for kind in (np.array, torch.tensor, lambda row: np.array(row, np.int32)):
        yield [{name: kind(row) for name, row in feature.items()} for feature in full]
    yield [{**feature, "length": len(feature[IDS]), "weight": [0.5, 1]} for feature in full]
    yield [{**feature, "token_type_ids": feature[MASK]} for feature in full]
    yield [{**feature, LABELS: feature[LABELS][1:]} for feature in full]
    yield [{**feature, LABELS: np.array(feature[LABELS])} for feature in full]


class _Decoder:
    """A model that wants labels shifted, as those with encoder and decoder do."""

    def prepare_decoder_input_ids_from_labels(self, labels: Any) -> Any:
        return labels.roll(1)
