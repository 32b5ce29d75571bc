"""The jobs take the same words for reading and working; what is none of them is told."""

from __future__ import annotations

import dataclasses
import inspect
import json

import pytest

pytest.importorskip("pyarrow")
tokenizers = pytest.importorskip("tokenizers")

from shimhub import data  # noqa: E402
from shimhub.data.jobs._options import FINDING, Work  # noqa: E402
from shimhub.data.sources._sources import resolve  # noqa: E402

FACES = [data.convert, data.dedup, data.tokenize, data.pack, data.stats]
PLAIN = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "[U]": 1}, "[U]"))
NEEDED = {"tokenize": {"tokenizer": PLAIN}, "pack": {"length": 8}}
#: What a reader has beside how it reads: what it gives, and of what.
GIVES = {"format", "columns", "batch_size", "output", "shard"}


def call(face, what, out, **asked):
    """Call a job with what it cannot be called without."""
    return face(what, out, **NEEDED.get(face.__name__, {}), **asked)


def names_of(function):
    """Return the names of the arguments that are given by name."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}


@pytest.fixture
def rows(tmp_path):
    """A file of two rows."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("a", "b")))
    return path


def test_words_of_reading_are_those_of_the_reader():
    """None is missing, and ``input_format`` is its ``format``."""
    reader = names_of(data.streaming_dataset_reader)
    assert (reader - GIVES) | {"input_format"} == set(data.ReadingOptions.__annotations__)
    assert names_of(resolve) == set(FINDING.values())
    working = {one.name for one in dataclasses.fields(Work)}
    assert working == set(data.JobOptions.__annotations__) - set(
        data.ReadingOptions.__annotations__
    )


def test_own_words_of_jobs_are_none_of_those():
    """Each option has one meaning."""
    for face in FACES:
        assert not names_of(face) & set(data.JobOptions.__annotations__)


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_a_wrong_word_is_told_with_the_nearest(face, rows, tmp_path):
    """Of reading, of working, and what only the reader has; before anything is read."""
    name = face.__name__
    for wrong, right in (("delimeter", "delimiter"), ("worker", "workers")):
        with pytest.raises(TypeError, match=rf"{name}\(\) has no argument '{wrong}'.*'{right}'"):
            call(face, tmp_path / "none", tmp_path / "out", **{wrong: 1})
    with pytest.raises(TypeError, match=rf"{name}\(\) has no argument 'batch_size'"):
        call(face, tmp_path / "none", tmp_path / "out", batch_size=1)
    assert [rows] == list(tmp_path.iterdir())


@pytest.mark.parametrize("face", [data.dedup, data.stats], ids=lambda face: face.__name__)
def test_jobs_without_a_choice_of_format_have_no_such_word(face, rows, tmp_path):
    """The format of the input has the name that it has everywhere."""
    with pytest.raises(TypeError, match=r"no argument 'format' \(did you mean 'input_format'\?\)"):
        face(rows, tmp_path / "out", format="jsonl")


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_words_of_reading_reach_the_reader(face, rows, tmp_path):
    """Each is heeded or refused: a limit, a format, an encoding, and values that are wrong."""
    for asked, message in (
        ({"max_line": 5}, "max_line"),
        ({"input_format": "parquet"}, "a.jsonl"),
        ({"encoding": "utf-7x"}, "encoding='utf-7x' is not known"),
        ({"on_drift": "unifi"}, "did you mean 'unify'"),
        ({"split": "train"}, "split"),
    ):
        with pytest.raises((data.DataError, FileNotFoundError), match=message):
            call(face, rows, tmp_path / "out", **asked)
    assert [rows] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "asked", [{"on_drift": "unify"}, {"infer": True}, {"schema": "any"}], ids=lambda asked: [*asked]
)
def test_dedup_refuses_to_read_other_values_than_it_copies(asked, rows, tmp_path):
    """They would be ignored, or change what is written; the cure is told."""
    import pyarrow as pa

    asked = {"schema": pa.schema([("text", "string")])} if "schema" in asked else asked
    with pytest.raises(data.DataError, match=r"copies rows as they are.* leave .* or convert"):
        data.dedup(rows, tmp_path / "out", by="text", **asked)
    assert [rows] == list(tmp_path.iterdir())


def test_reports_have_the_same_words(rows, tmp_path):
    """``out``, ``skipped``, ``parts`` and the manifest, whatever the job."""
    kinds = (data.ConvertReport, data.DedupReport, data.TokenizeReport, data.PackReport)
    for kind in kinds:
        assert {"out", "skipped", "parts", "manifest"} <= set(kind.__dataclass_fields__)
    made = data.convert(rows, tmp_path / "out", on_error="skip", workers=1)
    assert made == data.ConvertReport(
        str(tmp_path / "out"), 2, made.manifest["parts"][0]["bytes"], 0, 1, made.manifest
    )
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert manifest == made.manifest
