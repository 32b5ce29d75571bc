"""What ``fast_axolotl`` computes: the subjects of its own tests, its signatures, and its bugs."""

from __future__ import annotations

import hashlib
import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.axolotl.served import run, served

#: What 0.2.0 exports, by the parameters of each; ``streaming_dataset_reader`` and the data set ask
#: for the type there, which the documentation leaves out.
SIGNATURES = {
    "is_available": "()",
    "get_version": "()",
    "install": "()",
    "uninstall": "()",
    "list_supported_formats": "()",
    "detect_format": "(file_path)",
    "streaming_dataset_reader": "(file_path, dataset_type='auto', batch_size=1000, num_threads=4)",
    "RustStreamingDataset": "(file_path, dataset_type='auto', batch_size=1000, num_threads=4, "
    "dataset_keep_in_memory=False)",
    "create_rust_streaming_dataset": "(file_path, dataset_type='auto', batch_size=1000, "
    "num_threads=4, dataset_keep_in_memory=False)",
    "should_use_rust_streaming": "(file_path, dataset_config, cfg)",
    "pack_sequences": "(sequences, max_length, pad_token_id, eos_token_id, label_pad_id=-100)",
    "concatenate_and_pack": "(input_ids, labels, attention_masks, max_length, pad_token_id, "
    "label_pad_id=-100)",
    "parallel_hash_rows": "(rows, num_threads=0)",
    "deduplicate_indices": "(rows, existing_hashes=None, num_threads=0)",
    "pad_sequences": "(sequences, target_length=None, pad_value=0, padding_side='right', "
    "pad_to_multiple_of=None)",
    "create_padding_mask": "(current_length, target_length)",
}


@pytest.fixture(scope="module")
def fa():
    """The served package."""
    with served() as module:
        yield module


def _sha256(row):
    return hashlib.sha256(row.encode()).hexdigest()


# -- the package ----------------------------------------------------------------------------------


def test_the_version_is_the_one_whose_names_are_served(fa):
    """`get_version` contains `__version__`, and says who serves the rest."""
    assert "0.2.0" == fa.__version__
    assert fa.get_version().startswith("0.2.0 (rust: shimhub ")


def test_it_is_available(fa):
    """By the name that 0.2.0 has, and by the one that the documentation has."""
    assert fa.is_available() is True
    assert fa.rust_available() is True
    assert fa.RUST_AVAILABLE is True


@pytest.mark.parametrize("name", SIGNATURES)
def test_each_export_has_its_signature(fa, name):
    """Names, order and defaults of parameters are those of 0.2.0."""
    assert name in fa.__all__
    found = inspect.signature(getattr(fa, name))
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in found.parameters.values()]
    assert SIGNATURES[name] == str(inspect.Signature(bare))


def test_all_exports_are_there(fa):
    """`__all__` names nothing that is missing, and has the names of the documentation."""
    assert all(hasattr(fa, name) for name in fa.__all__)
    documented = {"rust_available", "install_streaming_shim", "install_hashing_shim"}
    assert {*SIGNATURES, *documented, "install_collator_shim", "RUST_AVAILABLE"} <= {*fa.__all__}


# -- formats --------------------------------------------------------------------------------------


def test_the_formats_are_twenty(fa):
    """Base formats, compressed ones, and folders of Hugging Face."""
    formats = fa.list_supported_formats()
    assert 20 == len(formats) == len(set(formats))
    assert ["hf_dataset", "parquet.gz", "parquet.zst"] == formats[-1:] + formats[8:6:-1]
    base = {"parquet", "arrow", "feather", "csv", "json", "jsonl", "text", "hf_dataset"}
    assert base | {"parquet.zst", "json.gz", "jsonl.zst", "text.gz"} <= {*formats}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/path/to/data.parquet", ("parquet", None)),
        ("/path/to/data.jsonl.zst", ("jsonl", "zstd")),
        ("/path/to/data.parquet.zst", ("parquet", "zstd")),
        ("/path/to/data.json.gz", ("json", "gzip")),
        ("/path/to/data.csv.gz", ("csv", "gzip")),
        ("/path/to/DATA.CSV.GZIP", ("csv", "gzip")),
        ("/path/to/data.ndjson.zstd", ("jsonl", "zstd")),
        ("/path/to/data.arrow", ("arrow", None)),
        ("/path/to/data.ipc", ("arrow", None)),
        ("/path/to/data.feather", ("feather", None)),
        ("/path/to/data.tsv", ("csv", None)),
        ("/path/to/data.txt", ("text", None)),
        ("/path/to/data.txt.gz", ("text", "gzip")),
        ("/path/to/Makefile", ("json", None)),
        ("/path/to/datazst", ("json", None)),
        ("/path/to/csv", ("json", None)),
        ("/path/to/data.gz", ("json", "gzip")),
        ("csv.gz", ("json", "gzip")),
        (".parquet", ("parquet", None)),
        ("", ("json", None)),
        (".", ("json", None)),
        (".gz", ("json", "gzip")),
    ],
)
def test_a_format_is_told_by_the_path(fa, path, expected):
    """Extensions decide, whatever their case; without a known one it is json, as in 0.2.0."""
    assert expected == fa.detect_format(path)


def test_a_folder_of_hugging_face_is_told_by_its_file(fa, tmp_path):
    """`dataset_info.json` makes a folder a data set; any other folder is json."""
    assert ("json", None) == fa.detect_format(str(tmp_path))
    (tmp_path / "dataset_info.json").write_text("{}")
    assert ("hf_dataset", None) == fa.detect_format(str(tmp_path))


# -- packing --------------------------------------------------------------------------------------


def test_sequences_are_packed(fa):
    """Each is closed by eos and pad; what does not fit begins a row; rows have one length."""
    found = fa.pack_sequences([[1, 2, 3], [4, 5], [6, 7, 8, 9]], 10, pad_token_id=0, eos_token_id=2)
    assert found == {
        "input_ids": [[1, 2, 3, 2, 0, 4, 5, 2, 0, 0], [6, 7, 8, 9, 2, 0, 0, 0, 0, 0]],
        "labels": [
            [1, 2, 3, 2, -100, 4, 5, 2, -100, -100],
            [6, 7, 8, 9, 2, -100, -100, -100, -100, -100],
        ],
        "attention_mask": [[1, 1, 1, 1, 0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]],
    }
    assert 10 == len(fa.pack_sequences([[1, 2, 3], [4, 5, 6, 7]], 10, 0, 2)["input_ids"][0])


def test_nothing_packs_to_nothing(fa):
    """No sequences, no rows; the three names are there."""
    nothing = {"input_ids": [], "labels": [], "attention_mask": []}
    assert nothing == fa.pack_sequences([], max_length=10, pad_token_id=0, eos_token_id=2)
    assert nothing == fa.concatenate_and_pack([], [], [], 10, pad_token_id=0, label_pad_id=-100)


def test_tokens_with_labels_are_concatenated(fa):
    """Nothing is put between them; the rest of a row is padding."""
    found = fa.concatenate_and_pack([[1, 2], [3]], [[1, -100], [3]], [[1, 1], [1]], 4, 0)
    assert {
        "input_ids": [[1, 2, 3, 0]],
        "labels": [[1, -100, 3, -100]],
        "attention_mask": [[1, 1, 1, 0]],
    } == found


@pytest.mark.parametrize("length", [0, 1, 4])
def test_a_sequence_that_fits_no_row_is_a_value_error(fa, length):
    """0.2.0 panics: a BaseException that `except Exception` does not catch."""
    with pytest.raises(ValueError, match=r"max_length|sequences\[1\]"):
        fa.pack_sequences([[1], [1, 2, 3]], length, 0, 2)
    with pytest.raises(ValueError, match=r"max_length|input_ids\[0\]"):
        fa.concatenate_and_pack([[1] * 5], [[1] * 5], [[1] * 5], length, 0)


def test_labels_of_another_length_are_a_value_error(fa):
    """0.2.0 pads them in silence, and drops sequences that have no labels."""
    for labels, masks in (([[1]], [[1, 1]]), ([[1, 2]], [[1]]), ([], [[1, 1]])):
        with pytest.raises(ValueError, match=r"labels|attention_masks"):
            fa.concatenate_and_pack([[1, 2]], labels, masks, 4, 0)


# -- hashing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_hashes_are_those_of_hashlib(fa, threads):
    """In order, in hexadecimal digits, for any number of threads."""
    rows = ["row1", "row2", "", "row1", "zażółć", "x" * 10_000]
    assert list(map(_sha256, rows)) == fa.parallel_hash_rows(rows, num_threads=threads)
    assert [] == fa.parallel_hash_rows([])
    assert 64 == len(fa.parallel_hash_rows(["single row"])[0])


def test_bytes_are_hashed_too(fa):
    """0.2.0 raises a TypeError for them."""
    assert [_sha256("a")] == fa.parallel_hash_rows([b"a"])


def test_what_has_no_bytes_is_an_error(fa):
    """A lone surrogate is a ValueError, as there; what is no text a TypeError."""
    with pytest.raises(ValueError, match="surrogate"):
        fa.parallel_hash_rows(["\ud800"])
    with pytest.raises(TypeError):
        fa.parallel_hash_rows([1])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda fa: fa.parallel_hash_rows(["a", 1]), r"^rows\[1\]: int, want str"),
        (lambda fa: fa.parallel_hash_rows(["\ud800"]), r"^rows\[0\]: a lone surrogate"),
        (lambda fa: fa.parallel_hash_rows(["a"], -1), "^num_threads: -1"),
        (lambda fa: fa.deduplicate_indices(["a"], None, "2"), "^num_threads: str"),
        (lambda fa: fa.pad_sequences([[1], ["a"]]), r"^sequences\[1\]\[0\]: expected an int"),
        (lambda fa: fa.pad_sequences([[2**70]]), r"^sequences\[0\]\[0\]: \d+ does not fit"),
        (lambda fa: fa.pad_sequences([[1]], "3"), "^target_length: expected an int"),
        (lambda fa: fa.pad_sequences([[1]], pad_value="a"), "^pad_value: expected an int"),
        (lambda fa: fa.pad_sequences([[1]], pad_to_multiple_of=-1), "^pad_to_multiple_of: "),
    ],
)
def test_errors_name_the_arguments_of_these_functions(fa, call, told):
    """Not those of the kernels below, and the place in them."""
    with pytest.raises((TypeError, ValueError, OverflowError), match=told) as caught:
        call(fa)
    assert caught.value.__cause__ is None


def test_first_occurrences_are_kept(fa):
    """Indices of the new rows, and their hashes."""
    rows = ["a", "b", "a", "c", "b"]
    assert ([0, 1, 3], [_sha256(one) for one in "abc"]) == fa.deduplicate_indices(rows, None, 2)
    assert ([], []) == fa.deduplicate_indices([])


def test_known_hashes_are_filtered_out(fa):
    """What `existing_hashes` has is not new; 0.2.0's own test of this passes no hash at all."""
    _, known = fa.deduplicate_indices(["a", "b"])
    found = fa.deduplicate_indices(["b", "c", "a", "d", "c"], existing_hashes=known)
    assert ([1, 3], [_sha256("c"), _sha256("d")]) == found
    assert [0, 1] == fa.deduplicate_indices(["a", "b", "a"], existing_hashes=["a"])[0]
    assert [0] == fa.deduplicate_indices(["a"], existing_hashes=[_sha256("a").upper()])[0]


# -- padding --------------------------------------------------------------------------------------


def test_rows_are_padded(fa):
    """To the right or left, to the longest, a length, or a multiple; plain lists come back."""
    assert [[1, 2, 3], [4, 5, 0]] == fa.pad_sequences([[1, 2, 3], [4, 5]])
    assert [[1, 2, 3], [9, 4, 5]] == fa.pad_sequences([[1, 2, 3], [4, 5]], None, 9, "left")
    assert [[1, 2, 3, 0, 0]] == fa.pad_sequences([[1, 2, 3]], target_length=5)
    assert [8] == list(map(len, fa.pad_sequences([[1, 2, 3]], pad_to_multiple_of=8)))
    assert [[1, 2, 3]] == fa.pad_sequences([[1, 2, 3]], pad_to_multiple_of=0)
    assert [] == fa.pad_sequences([])


def test_another_side_is_a_value_error(fa):
    """With the message that 0.2.0 has, also where there is nothing to pad."""
    for rows in ([[1, 2, 3]], []):
        with pytest.raises(ValueError, match="padding_side must be 'right' or 'left'"):
            fa.pad_sequences(rows, padding_side="invalid")


def test_the_mask_counts_the_padding(fa):
    """Position ids of what is missing; none where nothing is."""
    assert [0, 1, 2, 3, 4] == fa.create_padding_mask(3, 8)
    assert [] == fa.create_padding_mask(8, 8) == fa.create_padding_mask(10, 5)


_ROWS = st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9), max_size=6)


@settings(max_examples=100, deadline=None)
@given(
    rows=_ROWS,
    target=st.none() | st.integers(0, 12),
    value=st.integers(-100, 100),
    side=st.sampled_from(["right", "left"]),
    multiple=st.none() | st.integers(0, 5),
)
def test_padding_is_what_was_measured_of_it(fa, rows, target, value, side, multiple):
    """Any rows: the target is rounded up, longer rows are cut at it, shorter ones are filled."""
    length = max(map(len, rows), default=0) if target is None else target
    length += -length % multiple if multiple else 0
    cut = [row[:length] for row in rows]
    fill = [[value] * (length - len(row)) for row in cut]
    pairs = zip(cut, fill, strict=True)
    expected = [row + more if side == "right" else more + row for row, more in pairs]
    assert expected == fa.pad_sequences(rows, target, value, side, multiple)


# -- when it wins ---------------------------------------------------------------------------------


def test_an_installed_fast_axolotl_wins(tmp_path):
    """The real package is imported, and nothing of ours beneath it."""
    (tmp_path / "fast_axolotl").mkdir()
    (tmp_path / "fast_axolotl/__init__.py").write_text("REAL = True\n")
    (tmp_path / "fast_axolotl/streaming.py").write_text("REAL = True\n")
    code = "import fast_axolotl, fast_axolotl.streaming as s; print(fast_axolotl.REAL, s.REAL)"
    assert "True True\n" == run(code, path=(tmp_path,), hide=()).stdout


def test_without_the_hub_it_is_not_there():
    """`find_spec` finds it under `shimhub run` alone, and not where its pack is off."""
    code = "import importlib.util as u; print(u.find_spec('fast_axolotl') is not None)"
    assert "True\n" == run(code).stdout
    assert "False\n" == run(code, hub=("--disable", "fast-axolotl")).stdout


def test_its_import_brings_no_heavy_library():
    """No torch, datasets, pyarrow or axolotl: they come when they are used."""
    code = (
        "import fast_axolotl, sys\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules}"
        " & {'torch', 'datasets', 'pyarrow', 'transformers', 'pandas'}))"
    )
    assert "[]\n" == run(code).stdout
