"""What is read: paths, lists, globs, folders, links, URLs, and nothing that was not named."""

from __future__ import annotations

import glob as python_glob
import gzip
import json
import os
import pathlib
import socket
import zipfile
from urllib.parse import quote

import pytest

pytest.importorskip("pyarrow", reason="data needs pyarrow")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shimhub.data.errors import DataError, FormatError
from shimhub.data.sources._sources import path_of_file_url, resolve
from shimhub.data.sources._splits import split_of

LINE = b'{"a": 1}\n'


def make(root: pathlib.Path, *names: str) -> pathlib.Path:
    """Write a JSONL file, gzipped by name, at each of the paths below root."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(LINE) if name.endswith(".gz") else LINE)
    return root


def found(root: pathlib.Path, what: object, **options: object) -> list[str]:
    """Return the paths that were resolved, below root."""
    return [os.path.relpath(source.path, root) for source in resolve(what, **options)]


@pytest.fixture
def memory():
    """A file system in this process, empty again afterwards."""
    fsspec = pytest.importorskip("fsspec", reason="URLs need fsspec")
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def test_a_path_is_absolute_and_told(tmp_path, monkeypatch):
    """A relative str and a PathLike name the same file; its size is as stored."""
    make(tmp_path, "d/a.jsonl.gz")
    monkeypatch.chdir(tmp_path / "d")
    (source,) = resolve("a.jsonl.gz")
    assert resolve(pathlib.Path("a.jsonl.gz")) == [source]
    told = (source.path, source.format, source.compression, source.size, source.is_remote)
    size = (tmp_path / "d/a.jsonl.gz").stat().st_size
    assert (str(tmp_path / "d/a.jsonl.gz"), "jsonl", "gzip", size, False) == told


def test_a_list_keeps_its_order_and_repeats(tmp_path):
    """What is named twice is read twice; a glob in a list is one of its places."""
    make(tmp_path, "b.jsonl", "a.jsonl", "c/1.jsonl", "c/0.jsonl")
    paths = [tmp_path / "b.jsonl", str(tmp_path / "c" / "*.jsonl"), str(tmp_path / "b.jsonl")]
    assert ["b.jsonl", "c/0.jsonl", "c/1.jsonl", "b.jsonl"] == found(tmp_path, paths)
    assert ["a.jsonl"] == found(tmp_path, (path for path in [tmp_path / "a.jsonl"]))


@pytest.mark.parametrize(
    ("what", "error", "match"),
    [
        ([], DataError, "list of paths is empty"),
        (7, TypeError, "not int"),
        (b"a.jsonl", TypeError, "not bytes"),
        ({"train": "a.jsonl"}, TypeError, "not dict"),
        (["a.jsonl", 7], TypeError, "not int: 7"),
        ("", DataError, "empty"),
        ("a\0b", DataError, "NUL"),
    ],
)
def test_what_is_no_path_is_told(what, error, match):
    """Wrong types are TypeErrors, values that are no path DataErrors."""
    with pytest.raises(error, match=match):
        resolve(what)


def test_a_missing_file_has_its_nearest_name(tmp_path):
    """FileNotFoundError has the path, and a name that was perhaps meant."""
    make(tmp_path, "train.jsonl")
    with pytest.raises(FileNotFoundError, match=r"did you mean 'train\.jsonl'") as caught:
        resolve(tmp_path / "trian.jsonl")
    assert str(tmp_path / "trian.jsonl") == caught.value.filename
    with pytest.raises(FileNotFoundError, match="No such file"):
        resolve(tmp_path / "no" / "folder.jsonl")


GLOBS = [
    "*", "*.jsonl", "**/*.jsonl", "**", "**/b*", "d/*", "d/**/*.jsonl", "?.jsonl", "[ab].jsonl",
    "[!a].jsonl", "d*/[0-9].jsonl", "**/d/**/*", "**/**/*.jsonl", "d/", "*/*", "./*.jsonl",
    "d/../*.jsonl",
]  # fmt: skip
TREE = [
    "a.jsonl",
    "b.jsonl",
    "d/1.jsonl",
    "d/2.jsonl",
    "d/e/b.jsonl",
    "d/e/d/3.jsonl",
    "dd/4.jsonl",
]


@pytest.mark.parametrize("pattern", GLOBS)
def test_globs_match_what_glob_matches(tmp_path, pattern):
    """The oracle is glob.glob(recursive=True): its files, sorted by path."""
    make(tmp_path, *TREE)
    matches = python_glob.glob(str(tmp_path / pattern), recursive=True)
    expected = sorted({os.path.normpath(path) for path in matches if os.path.isfile(path)})
    if python_glob.has_magic(pattern):
        got = [source.path for source in resolve(f"{tmp_path}/{pattern}")]
        assert [os.path.normpath(path) for path in expected] == sorted(got)


def test_a_folder_is_read_to_any_depth_in_order(tmp_path):
    """All of the tree by code points, without hidden files, documents and descriptions."""
    make(tmp_path, *TREE, "Z.jsonl", "10.jsonl", "2.jsonl")
    make(tmp_path, ".hidden.jsonl", "_SUCCESS", ".git/x.jsonl", "__pycache__/y.jsonl", "d/_z.jsonl")
    make(tmp_path, "README.md", "LICENSE", "license.txt", "d/notes.md", "_manifest.json")
    got = found(tmp_path, tmp_path)
    assert sorted([*TREE, "Z.jsonl", "10.jsonl", "2.jsonl"]) == got
    assert ["10.jsonl", "2.jsonl", "Z.jsonl", "a.jsonl"] == got[:4]


def test_hidden_names_are_read_when_named(tmp_path):
    """A pattern that begins with the sign, or the name itself, matches."""
    make(tmp_path, "a.jsonl", ".b.jsonl", "_c.jsonl")
    assert ["a.jsonl"] == found(tmp_path, f"{tmp_path}/*.jsonl")
    assert [".b.jsonl"] == found(tmp_path, f"{tmp_path}/.*.jsonl")
    assert ["_c.jsonl"] == found(tmp_path, f"{tmp_path}/_*.jsonl")
    assert ["_c.jsonl"] == found(tmp_path, tmp_path / "_c.jsonl")


@pytest.mark.parametrize("name", ["a[1].jsonl", "what?.jsonl", "*.jsonl", "[ab].jsonl"])
def test_a_file_with_that_very_name_wins_over_a_glob(tmp_path, name):
    """A name with glob characters that is there is no pattern; so for folders."""
    make(tmp_path, name, "a.jsonl", "b.jsonl", "a1.jsonl", "dir[1]/x.jsonl")
    assert [name] == found(tmp_path, f"{tmp_path}/{name}")
    assert ["dir[1]/x.jsonl"] == found(tmp_path, f"{tmp_path}/dir[1]")


@pytest.mark.parametrize("pattern", ["*.parquet", "no/*.jsonl", "d/**/x*", "*/"])
def test_a_glob_without_a_file_is_an_error(tmp_path, pattern):
    """Nothing matches: the pattern is told."""
    make(tmp_path, "a.jsonl", "d/b.jsonl")
    with pytest.raises(DataError, match="no file matches"):
        resolve(f"{tmp_path}/{pattern}")


def test_a_folder_without_data_is_an_error(tmp_path):
    """Empty, or documents only."""
    with pytest.raises(DataError, match=r"no data in it \(0 other files\)"):
        resolve(tmp_path)
    make(tmp_path, "README.md")
    with pytest.raises(DataError, match=r"no data in it \(1 other files\)"):
        resolve(tmp_path)


def test_an_unknown_file_of_a_folder_is_an_error_with_the_cure(tmp_path):
    """It is not left out in silence: its name, the folder, and what to write instead."""
    make(tmp_path, "a.jsonl")
    (tmp_path / "weights.bin").write_bytes(b"\x01\x02")
    with pytest.raises(FormatError, match=r"weights\.bin: its format .*found in .*glob such as"):
        resolve(tmp_path)
    assert ["a.jsonl"] == found(tmp_path, f"{tmp_path}/*.jsonl")


def test_a_saved_dataset_below_a_folder_is_named_itself(tmp_path, memory):
    """It has files that are no data (cache-*.arrow), which its own state.json tells apart."""
    for name in ("d/state.json", "d/data-00000-of-00001.arrow", "d/cache-1.arrow"):
        make(tmp_path, name)
        memory.pipe(f"/{name}", LINE)
    for what in (tmp_path, f"{tmp_path}/**", "memory://d", "memory://d/*"):
        with pytest.raises(DataError, match=r"/d was saved by datasets.*data-\*\.arrow"):
            resolve(what)
    assert (
        1 == len(resolve(f"{tmp_path}/d/data-*.arrow")) == len(resolve("memory://d/data-*.arrow"))
    )


class TestManifests:
    """A folder of a job has a manifest, which somebody may have written to lead elsewhere."""

    @staticmethod
    def _manifest(folder, path):
        part = {"path": path, "bytes": len(LINE)}
        text = json.dumps({"manifest": 1, "plan": "", "parts": [part]})
        (folder / "_manifest.json").write_text(text)

    def test_its_parts_are_read(self, tmp_path):
        """And nothing else in the folder."""
        self._manifest(make(tmp_path, "part-00000.jsonl", "report.jsonl"), "part-00000.jsonl")
        assert ["part-00000.jsonl"] == found(tmp_path, tmp_path)

    @pytest.mark.parametrize(
        "path", ["../x.jsonl", "/x.jsonl", "..", "", None, 7, "d/../../x.jsonl"]
    )
    def test_a_part_elsewhere_is_refused(self, tmp_path, path):
        """Even where a file of that name and size is in the folder too."""
        self._manifest(make(tmp_path / "in", "x.jsonl"), path)
        make(tmp_path, "x.jsonl")
        with pytest.raises(DataError, match="which is no file in it"):
            resolve(tmp_path / "in")

    def test_a_part_that_is_a_link_out_is_refused(self, tmp_path):
        """As any link of a folder."""
        make(tmp_path, "x.jsonl", "in/a.jsonl")
        (tmp_path / "in/l.jsonl").symlink_to("../x.jsonl")
        self._manifest(tmp_path / "in", "l.jsonl")
        with pytest.raises(DataError, match="follow_symlinks=True"):
            resolve(tmp_path / "in")
        assert ["in/l.jsonl"] == found(tmp_path, tmp_path / "in", follow_symlinks=True)


def test_documents_of_a_glob_are_read_where_a_format_is_given(tmp_path):
    """Without format= they are left out as in a folder."""
    make(tmp_path, "a.jsonl", "README.md")
    assert ["a.jsonl"] == found(tmp_path, f"{tmp_path}/*")
    assert ["README.md"] == found(tmp_path, f"{tmp_path}/*.md", format="text")


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_would_block_is_refused(tmp_path, kind):
    """A FIFO or socket of a folder, a glob, or named: an error at once."""
    make(tmp_path, "a.jsonl")
    path = tmp_path / "b.jsonl"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as made:
            here = os.open(tmp_path, os.O_RDONLY)  # the path of a socket has 107 bytes at most
            try:
                made.bind(f"/proc/self/fd/{here}/b.jsonl")
            finally:
                os.close(here)
    for what in (tmp_path, f"{tmp_path}/*", path):
        with pytest.raises(DataError, match=rf"b\.jsonl is a {kind.replace('fifo', 'FIFO')}"):
            resolve(what)


def test_a_device_is_refused():
    """/dev/zero has no end."""
    with pytest.raises(DataError, match="is a device, not a regular file"):
        resolve("/dev/zero")


class TestLinks:
    """Links in folders and globs lead nowhere else."""

    @pytest.mark.parametrize("what", ["{0}", "{0}/*.jsonl", "{0}/**", "{0}/**/*.jsonl"])
    @pytest.mark.parametrize("is_folder", [False, True])
    def test_a_link_out_is_an_error_unless_asked_for(self, tmp_path, what, is_folder):
        """Neither a file nor a folder outside is read; with follow_symlinks both are."""
        outside = make(tmp_path / "out", "x.jsonl")
        root = make(tmp_path / "in", "a.jsonl")
        target = outside if is_folder else outside / "x.jsonl"
        (root / "l.jsonl").symlink_to(target)
        with pytest.raises(DataError, match=r"l\.jsonl is a link to .*follow_symlinks=True"):
            resolve(what.format(root))
        got = found(root, what.format(root), follow_symlinks=True)
        is_deep = "**" in what or what == "{0}"
        linked = (["l.jsonl/x.jsonl"] if is_deep else []) if is_folder else ["l.jsonl"]
        assert ["a.jsonl", *linked] == got

    def test_a_neighbour_with_the_same_beginning_is_outside(self, tmp_path):
        """/data2 is not in /data."""
        make(tmp_path, "data/a.jsonl", "data2/b.jsonl")
        (tmp_path / "data/l.jsonl").symlink_to("../data2/b.jsonl")
        with pytest.raises(DataError, match="outside of"):
            resolve(tmp_path / "data")

    def test_a_link_that_was_named_is_followed(self, tmp_path):
        """A file or folder that is a link itself is what the user named."""
        make(tmp_path, "out/x.jsonl")
        (tmp_path / "l.jsonl").symlink_to("out/x.jsonl")
        (tmp_path / "d").symlink_to("out")
        assert ["l.jsonl"] == found(tmp_path, tmp_path / "l.jsonl")
        assert ["d/x.jsonl"] == found(tmp_path, tmp_path / "d")
        assert ["d/x.jsonl"] == found(tmp_path, f"{tmp_path}/d/*.jsonl")

    def test_a_file_is_read_once_under_its_own_name(self, tmp_path):
        """A link to what is in the folder anyhow adds nothing; one to a hidden file is read."""
        make(tmp_path, "b.jsonl", "d/c.jsonl", ".store/9.jsonl")
        (tmp_path / "a.jsonl").symlink_to("b.jsonl")
        (tmp_path / "again").symlink_to("d")
        (tmp_path / "z.jsonl").symlink_to(".store/9.jsonl")
        assert ["b.jsonl", "d/c.jsonl", "z.jsonl"] == found(tmp_path, tmp_path)

    @pytest.mark.parametrize("what", ["{0}", "{0}/**", "{0}/**/*.jsonl", "{0}/*/*/*.jsonl"])
    def test_loops_end(self, tmp_path, what):
        """Links to the folder itself, and two that lead to each other."""
        make(tmp_path, "a/1.jsonl", "b/2.jsonl")
        (tmp_path / "loop").symlink_to(".")
        (tmp_path / "a/to_b").symlink_to("../b")
        (tmp_path / "b/to_a").symlink_to("../a")
        real = {os.path.realpath(source.path) for source in resolve(what.format(tmp_path))}
        assert {str(tmp_path / "a/1.jsonl"), str(tmp_path / "b/2.jsonl")} == real

    def test_a_link_to_nothing_is_told(self, tmp_path):
        """In a folder, a glob, or named: where it leads."""
        make(tmp_path, "a.jsonl")
        (tmp_path / "l.jsonl").symlink_to("gone.jsonl")
        for what in (tmp_path, f"{tmp_path}/*.jsonl", tmp_path / "l.jsonl"):
            with pytest.raises(DataError, match=r"link to 'gone\.jsonl', which is not there"):
                resolve(what)


class TestFileUrls:
    """file:// is a local path (RFC 8089)."""

    @pytest.mark.parametrize("name", ["a b.jsonl", "ä%.jsonl", "a#b.jsonl", "a?b.jsonl"])
    @pytest.mark.parametrize("host", ["", "localhost"])
    def test_percent_encoding(self, tmp_path, name, host):
        """What pathlib writes as a URL is read."""
        make(tmp_path, name)
        assert [name] == found(tmp_path, f"file://{host}{quote(str(tmp_path / name))}")
        assert str(tmp_path / name) == path_of_file_url((tmp_path / name).as_uri())

    @pytest.mark.parametrize("url", ["file://host/a.jsonl", "file://a.jsonl", "file:///a%00b"])
    def test_a_host_or_half_a_path_is_an_error(self, url):
        """Only this machine's absolute paths."""
        with pytest.raises(DataError, match="file://"):
            resolve(url)

    def test_missing(self, tmp_path):
        """As for a path."""
        with pytest.raises(FileNotFoundError):
            resolve((tmp_path / "a.jsonl").as_uri())


def names(what: object, **options: object) -> list[str]:
    """Return the URLs that were resolved."""
    return [source.path for source in resolve(what, **options)]


class TestUrls:
    """Everything that fsspec opens."""

    def test_a_file(self, memory):
        """Its format is told, its size known."""
        memory.pipe("/d/a.jsonl.gz", gzip.compress(LINE))
        (source,) = resolve("memory://d/a.jsonl.gz")
        size = len(gzip.compress(LINE))
        told = (source.path, source.format, source.compression, source.size, source.is_remote)
        assert ("memory://d/a.jsonl.gz", "jsonl", "gzip", size, True) == told

    def test_globs_and_folders(self, memory):
        """As local ones: sorted, without hidden files and documents."""
        for name in ("b.jsonl", "a.jsonl", "e/c.jsonl", ".x.jsonl", "_y.jsonl", "README.md"):
            memory.pipe(f"/d/{name}", LINE)
        assert ["memory:///d/a.jsonl", "memory:///d/b.jsonl"] == names("memory://d/*.jsonl")
        every = [f"memory:///d/{name}" for name in ("a.jsonl", "b.jsonl", "e/c.jsonl")]
        assert every == names("memory://d") == names("memory://d/**")

    def test_missing(self, memory):
        """The nearest name is told; a glob without a match is an error."""
        memory.pipe("/d/train.jsonl", LINE)
        with pytest.raises(FileNotFoundError, match=r"did you mean 'train\.jsonl'"):
            resolve("memory://d/trian.jsonl")
        with pytest.raises(DataError, match="no file matches"):
            resolve("memory://d/*.csv")
        with pytest.raises(FileNotFoundError, match="No such file"):
            resolve("memory://nowhere/a.csv")

    def test_chained(self, tmp_path, memory):
        """A file, and a glob, in a zip archive that lies elsewhere."""
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as file:
            for name in ("x/b.jsonl", "x/a.jsonl", "c.txt"):
                file.writestr(name, LINE)
        memory.pipe("/z.zip", (tmp_path / "z.zip").read_bytes())
        for rest in (f"file://{tmp_path}/z.zip", "memory://z.zip"):
            assert [f"zip://c.txt::{rest}"] == names(f"zip://c.txt::{rest}")
            expected = [f"zip://x/a.jsonl::{rest}", f"zip://x/b.jsonl::{rest}"]
            assert expected == names(f"zip://x/*.jsonl::{rest}")

    def test_an_unknown_protocol(self):
        """The URL and fsspec's reason."""
        pytest.importorskip("fsspec", reason="URLs need fsspec")
        with pytest.raises(DataError, match=r"nope://a: fsspec cannot open it"):
            resolve("nope://a")

    def test_storage_options_reach_fsspec(self, tmp_path):
        """dir:// has its folder from them alone."""
        pytest.importorskip("fsspec", reason="URLs need fsspec")
        make(tmp_path, "d/a.jsonl")
        storage = {"path": str(tmp_path), "target_protocol": "file"}
        assert ["dir://d/a.jsonl"] == names("dir://d/a.jsonl", storage=storage)
        assert ["dir://d/a.jsonl"] == names("dir://d/*.jsonl", storage=storage)

    def test_a_local_file_of_that_name_wins(self, tmp_path, monkeypatch):
        """What is there is read."""
        make(tmp_path, "s3:/b.jsonl")
        monkeypatch.chdir(tmp_path)
        assert ["s3:/b.jsonl"] == found(tmp_path, "s3://b.jsonl")


class TestSplits:
    """Files that are named by split, as on the Hugging Face hub."""

    @pytest.mark.parametrize(
        ("name", "split"),
        [
            ("train-00000-of-00002.parquet", "train"),
            ("data/test-00000-of-00001.parquet", "test"),
            ("my_train_file.csv", "train"),
            ("train.jsonl.gz", "train"),
            ("dev/0.jsonl", "validation"),
            ("validation_1.csv", "validation"),
            ("eval.json", "test"),
            ("random-00000-of-00001.csv", "random"),
            ("latest.json", None),
            ("trained.json", None),
            ("contest/a.json", None),
            ("part-00000.jsonl", None),
        ],
    )
    def test_the_name_tells(self, name, split):
        """Whole words only; shards have any name."""
        assert split == split_of(name)

    def test_two_splits_are_not_mixed(self, tmp_path):
        """Test rows must not be trained on by accident: one is chosen, or it is an error."""
        make(tmp_path, "train-00000-of-00001.jsonl", "data/test.jsonl", "other.jsonl")
        with pytest.raises(DataError, match="several splits, test, train: pass split="):
            resolve(tmp_path)
        assert ["data/test.jsonl"] == found(tmp_path, tmp_path, split="test")
        with pytest.raises(DataError, match=r"no split 'trian' \(did you mean 'train'\?\)"):
            resolve(tmp_path, split="trian")
        assert 3 == len(resolve(f"{tmp_path}/**"))

    def test_split_is_for_folders(self, tmp_path):
        """For a file it says nothing."""
        make(tmp_path, "a.jsonl")
        with pytest.raises(DataError, match="split='train' is for folders"):
            resolve(tmp_path / "a.jsonl", split="train")
        with pytest.raises(DataError, match="no split 'train'; there is none"):
            resolve(tmp_path, split="train")

    def test_datasets_tells_the_same(self, tmp_path):
        """The oracle: the files that load_dataset would take for each split."""
        files = pytest.importorskip("datasets.data_files", reason="the oracle is datasets")
        make(tmp_path, "train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl", "val_a.jsonl")
        make(tmp_path, "test-00000-of-00001.jsonl")
        patterns = files.get_data_patterns(str(tmp_path))
        for split, wanted in patterns.items():
            theirs = files.DataFilesList.from_patterns(wanted, str(tmp_path))
            if str(split) in {"train", "test"}:
                assert sorted(theirs) == [
                    source.path for source in resolve(tmp_path, split=str(split))
                ]


PARTS = st.sampled_from(["a", "b.jsonl", "c.jsonl", "[", "*", "..", ".x"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4))
def test_nothing_outside_of_what_was_named_is_read(tmp_path, parts):
    """Any glob: files, or one of our errors; all below the folder before its first wildcard."""
    make(tmp_path, "in/a/b.jsonl", "in/a/c.jsonl", "in/b.jsonl", "in/.x/b.jsonl", "out.jsonl")
    pattern = f"{tmp_path}/in/" + "/".join(parts)
    try:
        got = resolve(pattern)
    except (DataError, OSError):
        return
    fixed = []
    for part in parts:
        if python_glob.has_magic(part):
            break
        fixed.append(part)
    root = os.path.realpath("/".join([str(tmp_path), "in", *fixed]))
    assert all((source.path + "/").startswith(root + "/") for source in got)


def test_an_error_of_the_network_names_the_url():
    """A server that is not there: the system's words, and which URL it was."""
    pytest.importorskip("aiohttp")
    with pytest.raises(OSError, match=r"connect.*http://127\.0\.0\.1:1/a\.jsonl") as told:
        resolve("http://127.0.0.1:1/a.jsonl")
    assert "http://127.0.0.1:1/a.jsonl" == told.value.filename
