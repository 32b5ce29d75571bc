"""Directories of Hugging Face datasets: shimhub.data.sources._hf_dirs beside `datasets` itself."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="data needs pyarrow")
pytest.importorskip("datasets", reason="the oracle")

import datasets

from shimhub.data import DataError, FormatError
from shimhub.data.sources._hf_dirs import resolve_directory
from tests import data_binary as lab


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    datasets.disable_progress_bars()


def rows(count=10):
    """Return a Dataset of some columns."""
    chats = [[{"role": "user", "content": str(i)}] for i in range(count)]
    return datasets.Dataset.from_dict({"n": list(range(count)), "messages": chats})


def read(path, split=None):
    """Return the rows of a directory, and the split."""
    sources, found = resolve_directory(str(path), split)
    return [row for source in sources for row in lab.read(source).to_pylist()], found


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The cache of a builder with two splits, in which map, shuffle and others left files."""
    folder = tmp_path_factory.mktemp("cache")
    for name, count in {"train": 6, "test": 2}.items():
        lines = [json.dumps({"n": i}) + "\n" for i in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "test")}
    made = datasets.load_dataset("json", data_files=files, cache_dir=str(folder / "cache"))
    made["train"].map(lambda row: {"m": row["n"] + 1})
    made["train"].shuffle(seed=1)
    made["train"].filter(lambda row: row["n"] > 1)
    return Path(made["train"].cache_files[0]["filename"]).parent, made


@pytest.fixture(scope="module", params=["arrow", "parquet"])
def built(request, tmp_path_factory):
    """What a builder writes into a directory of the user's, in two shards."""
    folder = tmp_path_factory.mktemp("built")
    for i in range(2):
        (folder / f"{i}.jsonl").write_text(f'{{"n": {i}}}\n', encoding="utf-8")
    files = [str(folder / f"{i}.jsonl") for i in range(2)]
    builder = datasets.load_dataset_builder(
        "json", data_files={"train": files}, cache_dir=str(folder / "cache")
    )
    builder.download_and_prepare(str(folder / "out"), file_format=request.param, num_proc=2)
    return folder / "out", request.param


@pytest.mark.parametrize("shards", [1, 3])
def test_save_to_disk_is_read_as_load_from_disk_reads_it(tmp_path, shards):
    """All rows in order, from as many shards as there are."""
    rows().save_to_disk(tmp_path / "d", num_shards=shards)
    expected = datasets.load_from_disk(str(tmp_path / "d")).to_list()
    assert (expected, None) == read(tmp_path / "d")
    sources, _split = resolve_directory(str(tmp_path / "d"))
    assert ["arrow"] * shards == [source.format for source in sources]
    assert {str(tmp_path / "d")} == {source.found_in for source in sources}
    assert [os.path.getsize(source.path) for source in sources] == [s.size for s in sources]


def test_the_order_is_that_of_state_json(tmp_path):
    """Not that of the names."""
    rows().save_to_disk(tmp_path / "d", num_shards=2)
    state = json.loads((tmp_path / "d" / "state.json").read_text(encoding="utf-8"))
    state["_data_files"].reverse()
    (tmp_path / "d" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    expected = datasets.load_from_disk(str(tmp_path / "d"))["n"][:]
    assert (
        [5, 6, 7, 8, 9, 0, 1, 2, 3, 4] == expected == [row["n"] for row in read(tmp_path / "d")[0]]
    )


def test_a_dataset_dict_needs_a_split(tmp_path):
    """The error lists them; where there is one, it is taken."""
    datasets.DatasetDict(train=rows(4), test=rows(2)).save_to_disk(tmp_path / "dd")
    assert (rows(2).to_list(), "test") == read(tmp_path / "dd", "test")
    with pytest.raises(DataError, match=r"pass split=, one of \['train', 'test'\]"):
        read(tmp_path / "dd")
    with pytest.raises(DataError, match=r"no split 'dev'; it has \['train', 'test'\]"):
        read(tmp_path / "dd", "dev")
    datasets.DatasetDict(only=rows(3)).save_to_disk(tmp_path / "one")
    assert (rows(3).to_list(), "only") == read(tmp_path / "one")


def test_the_split_of_a_dataset_is_the_one_it_was_saved_as(tmp_path, cache):
    """Another one is not in it."""
    cache[1]["train"].save_to_disk(tmp_path / "d")
    assert "train" == read(tmp_path / "d")[1] == read(tmp_path / "d", "train")[1]
    with pytest.raises(DataError, match="no split 'test'; it was saved as 'train'"):
        read(tmp_path / "d", "test")


def test_a_missing_shard_is_an_error(tmp_path):
    """Never fewer rows."""
    rows().save_to_disk(tmp_path / "d", num_shards=3)
    (tmp_path / "d" / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(FormatError, match=r"incomplete: data-00001-of-00003\.arrow is missing"):
        read(tmp_path / "d")


def test_a_cache_is_read_without_what_map_left(cache):
    """Files named cache-* are results of map, and orders of shuffle and filter."""
    folder, made = cache
    assert 3 <= len(list(folder.glob("cache-*.arrow")))
    assert (made["train"].to_list(), "train") == read(folder, "train")
    assert (made["test"].to_list(), "test") == read(folder, "test")
    with pytest.raises(DataError, match=r"one of \['train', 'test'\]"):
        read(folder)


def test_a_builders_shards_are_all_read_or_none(tmp_path, built):
    """Of Arrow and of Parquet."""
    folder, kind = built
    found, split = read(folder)
    assert ([{"n": 0}, {"n": 1}], "train") == (found, split)
    assert {kind} == {source.format for source in resolve_directory(str(folder))[0]}
    shutil.copytree(folder, tmp_path / "less")
    (tmp_path / "less" / f"json-train-00000-of-00002.{kind}").unlink()
    with pytest.raises(FormatError, match="incomplete: shard 0 of 2 is missing"):
        read(tmp_path / "less")


def test_two_sets_of_shards_of_one_split_are_an_error(tmp_path, built):
    """Rows would come twice; files can be named."""
    shutil.copytree(built[0], tmp_path / "both")
    for shard in range(2):
        name = f"json-train-0000{shard}-of-00002"
        for kind in ("arrow", "parquet"):
            (tmp_path / "both" / f"{name}.{kind}").touch()
    with pytest.raises(FormatError, match="there more than once"):
        read(tmp_path / "both")


def test_a_builders_split_without_files_is_an_error(cache, tmp_path):
    """The JSON tells of it."""
    shutil.copytree(cache[0], tmp_path / "c")
    (tmp_path / "c" / "json-test.arrow").unlink()
    with pytest.raises(FormatError, match="split 'test' is incomplete"):
        read(tmp_path / "c", "test")
    (tmp_path / "c" / "json-train.arrow").unlink()
    with pytest.raises(FormatError, match=r"tells of splits \['test', 'train'\], but has no files"):
        read(tmp_path / "c", "train")


def test_a_repository_of_parquet_with_dataset_infos_is_known(tmp_path):
    """Its files are named by split alone, in the directory data."""
    infos = {"default": {"features": {}, "splits": {"train": {"name": "train"}}}}
    (tmp_path / "dataset_infos.json").write_text(json.dumps(infos), encoding="utf-8")
    (tmp_path / "data").mkdir()
    for shard in range(2):
        name = f"train-0000{shard}-of-00002-0a1b2c.parquet"
        rows(4).select([shard]).to_parquet(str(tmp_path / "data" / name))
    assert [0, 1] == [row["n"] for row in read(tmp_path)[0]]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.jsonl": "{}"},
        {"dataset_info.json": '{"alpaca": {"file_name": "a.json"}}', "a.arrow": ""},
        {"dataset_infos.json": '{"default": {"splits": {"train": {}}}}', "train.jsonl": "{}"},
    ],
)
def test_other_directories_are_not_ours(tmp_path, files):
    """Other programs have files of these names, too."""
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert resolve_directory(str(tmp_path)) is None


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "..", "", "a/b.arrow"])
def test_only_files_in_the_directory_are_read(tmp_path, name):
    """A name in the JSON leads nowhere else."""
    rows().save_to_disk(tmp_path / "d")
    rows().save_to_disk(tmp_path)
    state = {"_data_files": [{"filename": name}], "_split": None}
    (tmp_path / "d" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(FormatError, match="which is no name of a file in it"):
        read(tmp_path / "d")
    names = {"splits": [name]}
    (tmp_path / "d" / "dataset_dict.json").write_text(json.dumps(names), encoding="utf-8")
    with pytest.raises(FormatError, match="which is no name of a file in it"):
        read(tmp_path / "d")


def test_links_are_followed_where_asked(tmp_path):
    """As in the hub's own cache, in which all files are links."""
    rows().save_to_disk(tmp_path / "d")
    file = tmp_path / "d" / "data-00000-of-00001.arrow"
    file.rename(tmp_path / "blob")
    file.symlink_to(tmp_path / "blob")
    with pytest.raises(FormatError, match="follow_symlinks=True"):
        resolve_directory(str(tmp_path / "d"))
    found = resolve_directory(str(tmp_path / "d"), follow_symlinks=True)
    assert rows().to_list() == lab.read(found[0][0]).to_pylist()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"_data_files": 1}', "{}", "[" * 100000])
def test_json_that_datasets_did_not_write_is_an_error(tmp_path, text):
    """It names the file, and says what to do."""
    (tmp_path / "state.json").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=r"state\.json: .*again"):
        resolve_directory(str(tmp_path))


@pytest.mark.parametrize("text", ["{}", '{"splits": "train"}', '{"splits": [1]}'])
def test_a_dict_without_a_list_of_splits_is_an_error(tmp_path, text):
    """The same."""
    (tmp_path / "dataset_dict.json").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="no list of splits"):
        resolve_directory(str(tmp_path))


def test_a_dict_without_splits_or_files_is_an_error(tmp_path):
    """There are no rows to read."""
    (tmp_path / "dataset_dict.json").write_text('{"splits": []}', encoding="utf-8")
    with pytest.raises(DataError, match="no splits"):
        resolve_directory(str(tmp_path))
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}', encoding="utf-8")
    with pytest.raises(FormatError, match=r"split 'train' has no state\.json"):
        resolve_directory(str(tmp_path))


def test_an_order_of_rows_saved_by_old_versions_is_not_ignored(tmp_path):
    """They wrote the rows unordered, and the order beside them."""
    rows().save_to_disk(tmp_path / "d")
    state = json.loads((tmp_path / "d" / "state.json").read_text(encoding="utf-8"))
    state["_indices_data_files"] = [{"filename": "indices.arrow"}]
    (tmp_path / "d" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(FormatError, match="save_to_disk"):
        resolve_directory(str(tmp_path / "d"))
