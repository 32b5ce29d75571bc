"""What attackers tried on jobs and the commands: each test is the best attempt of one finding."""

from __future__ import annotations

import gzip
import math
import os
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from shimhub import data  # noqa: E402
from shimhub.cli import main  # noqa: E402
from shimhub.data.jobs import _estimates  # noqa: E402
from shimhub.data.measuring._summaries import Summary  # noqa: E402


def test_every_public_name_can_be_had():
    """Each name of ``__all__`` is where ``_MODULES`` says."""
    assert [] == [name for name in data.__all__ if getattr(data, name, None) is None]
    with pytest.raises(AttributeError, match="no attribute 'dedupe'"):
        _ = data.dedupe


# ---- stats

floats = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)  # the first example imports the kernels
@given(st.lists(floats, min_size=1), st.integers(0, 50))
def test_means_of_floats_are_rounded_once(values, cut):
    """Whatever the split: no overflow, no order, subnormals too."""
    whole, left = Summary(pa.float64()), Summary(pa.float64())
    whole.add(pa.array(values[cut:], pa.float64()))
    left.add(pa.array(values[:cut], pa.float64()))
    whole.merge(Summary.read(left.told(), pa.float64()))
    assert float(sum(map(Fraction, values)) / len(values)) == whole.mean


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1e308] * 3, 1e308),
        ([math.inf, 1.0], math.inf),
        ([-math.inf, None], -math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan], None),
        ([5e-324, 5e-324], 5e-324),
    ],
)
def test_means_with_infinities_are_floats_and_told(values, mean, tmp_path, capsys):
    """Sums over the greatest float, infinities and NaN: in Python, and as text."""
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": pa.array(values, pa.float64())}), file)
    (found,) = data.stats(file, workers=1).columns
    assert repr(mean) == repr(found.mean)
    assert 0 == main(["data", "stats", str(file), "--workers", "1"])
    assert (mean is not None) == ("mean" in capsys.readouterr().out)


def test_means_of_integers_do_not_overflow(tmp_path):
    """Nor do they of dictionaries of integers, whose lengths have no unit of lists."""
    file = tmp_path / "a.arrow"
    big = [2**63 - 1] * 3
    words = pa.array(["a", "bcd", None]).dictionary_encode()
    table = pa.table({"n": big, "d": pa.array(big).dictionary_encode(), "w": words})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    one, two, three = data.stats(file, workers=1).columns
    assert (float(2**63 - 1), one.mean) == (one.mean, two.mean)
    assert ("letters", 3) == (three.unit, three.lengths["most"])


# ---- pictures


@pytest.fixture
def ids(tmp_path):
    """A file of token ids in a folder of its own."""
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "ids.jsonl"
    file.write_text("".join(f'{{"input_ids": {list(range(n))}}}\n' for n in range(9)))
    return file


def refused(tmp_path, ids, plot, match, **more):
    """Packing with that picture is refused before anything is written."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(data.DataError, match=match):
        data.pack(ids, tmp_path / "out", length=20, workers=1, plot=plot, **more)
    assert before == sorted(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("link.png", "is the input"),
        ("hard.png", "is the input"),
        ("out/a.png", "is in the output"),
        ("folder.png", "is no regular file"),
        ("nodir/a.png", "nodir is no folder that"),
        ("pipe.png", "is no regular file"),
        ("there.png", "there already"),
        ("a.xyz", r"ends in .png, .svg, .pdf"),
        ("a", "ends in .png"),
        ("s3://x/a.png", "local folders"),
    ],
)
def test_pictures_are_refused_where_outputs_are(name, match, ids, tmp_path):
    """Over an input (links seen through), in the output, special files; nothing has run before."""
    pytest.importorskip("matplotlib")
    (tmp_path / "link.png").symlink_to(ids)
    (tmp_path / "hard.png").hardlink_to(ids)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "there.png").touch()
    refused(tmp_path, ids, name if "//" in name else tmp_path / name, match)


def test_pictures_are_not_drawn_into_what_is_read(ids, tmp_path):
    """A folder that is an input stays as it is, and overwriting does not change that."""
    pytest.importorskip("matplotlib")
    plot = ids.parent / "a.png"
    refused(tmp_path, ids.parent, plot, "it would be read the next time", overwrite=True)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_picture_of_a_finished_job_is_drawn_once(kind, ids, tmp_path):
    """The same command again is done, has the same bytes, and writes over no other picture."""
    pytest.importorskip("matplotlib")
    plot, how = tmp_path / f"a.{kind}", {"length": 20, "workers": 1}
    data.pack(ids, tmp_path / "out", plot=plot, **how)
    drawn = plot.read_bytes()
    data.pack(ids, tmp_path / "out", plot=plot, **how)
    plot.write_text("mine")
    with pytest.raises(data.JobError, match="there already"):
        data.pack(ids, tmp_path / "out", plot=plot, **how)
    assert "mine" == plot.read_text()
    data.pack(ids, tmp_path / "out", plot=plot, overwrite=True, **how)
    assert drawn == plot.read_bytes()


# ---- usage


@pytest.fixture
def rows(tmp_path):
    """A file with a few rows."""
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f'{{"id": {n % 5}, "text": "text {n}"}}\n' for n in range(9)))
    return file


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"normalize": "bogus"}, "normalize='bogus'.*nfc, nfkc"),
        ({"by": ["id", "id"]}, "by= names 'id' more than once"),
        ({"by": []}, r"by=\[\] chooses nothing"),
        ({"by": "none"}, "no column 'none'"),
    ],
)
def test_arguments_of_dedup_that_do_not_fit_are_told(how, match, rows, tmp_path):
    """They are no mistake of ours: ``DataError``, nothing is written."""
    with pytest.raises(data.DataError, match=match):
        data.dedup(rows, tmp_path / "out", workers=1, **how)
    assert [rows] == list(tmp_path.iterdir())


# ---- the same command again


def convert(file, out, **how):
    """Convert in this process."""
    return data.convert(file, out, workers=1, **how)


@pytest.mark.parametrize("name", ["out", "out.csv"])
def test_the_same_command_again_finds_its_work_done(name, rows, tmp_path):
    """One file or a folder: the same answer, and no byte is written anew."""
    out = tmp_path / name
    first = convert(rows, out, format="csv")
    made = out if out.is_file() else out / "part-00000.csv"
    before = made.stat()
    assert first.manifest == convert(rows, out, format="csv").manifest
    assert (before.st_mtime_ns, before.st_ino) == (made.stat().st_mtime_ns, made.stat().st_ino)
    with pytest.raises(data.JobError, match="overwrite=True"):
        convert(rows, out, format="csv", columns=["id"])


@pytest.mark.parametrize("name", ["out", "out.csv"])
def test_an_input_that_has_changed_in_its_middle_is_seen(name, tmp_path):
    """Same size, same beginning: a finished job is not told to be done."""
    file, out = tmp_path / "a.txt", tmp_path / name
    file.write_text("row\n" * 50_000)
    convert(file, out, format="csv")
    with open(file, "r+b") as opened:
        opened.seek(160_000)
        opened.write(b"w")
    with pytest.raises(data.JobError, match=r"has changed since.*overwrite=True"):
        convert(file, out, format="csv")
    convert(file, out, format="csv", overwrite=True)
    assert b"wow" in (out if out.is_file() else out / "part-00000.csv").read_bytes()


def test_an_input_that_has_changed_is_seen_when_a_job_goes_on(tmp_path, monkeypatch):
    """Old and new parts are not mixed."""
    file, out = tmp_path / "a.txt", tmp_path / "out"
    file.write_text("row\n" * 50_000)
    with monkeypatch.context() as broken:
        broken.setattr("shimhub.data.jobs._running._finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            convert(file, out, format="csv", block_bytes=50_000)
    with open(file, "r+b") as opened:
        opened.seek(160_000)
        opened.write(b"w")
    with pytest.raises(data.JobError, match="modified_ns"):
        convert(file, out, format="csv", block_bytes=50_000)


@pytest.mark.parametrize("name", ["out", "out.csv"])
def test_a_part_that_is_gone_is_made_anew_by_the_same_command(name, rows, tmp_path):
    """As the reader advises; a part that is another one now needs to be overwritten."""
    out = tmp_path / name
    convert(rows, out, format="csv")
    made = out if out.is_file() else out / "part-00000.csv"
    before = made.read_bytes()
    made.unlink()
    convert(rows, out, format="csv")
    assert before == made.read_bytes()
    made.write_bytes(b"mine")
    with pytest.raises(data.JobError, match="not as the manifest says; overwrite=True"):
        convert(rows, out, format="csv")
    convert(rows, out, format="csv", overwrite=True)
    assert before == made.read_bytes()


# ---- reading

float32, float64 = (pa.schema([("a", kind)]) for kind in (pa.float32(), pa.float64()))


def read(what, **how):
    """Return all rows."""
    reader = data.streaming_dataset_reader(what, output="rows", **how)
    return [row for rows in reader for row in rows]


@pytest.mark.parametrize("output", ["columns", "rows"])
@pytest.mark.parametrize(
    ("texts", "how"),
    [
        ({"a.jsonl": '{"a":1.5}\n', "b.jsonl": '{"a":9007199254740993}\n'}, {}),
        ({"b.jsonl": '{"a":9007199254740993}\n{"a":1.5}\n'}, {}),
        ({"b.jsonl": '{"a":9007199254740993}\n', "c.jsonl": '{"a":1.5}\n'}, {"on_drift": "unify"}),
        ({"b.json": '[{"a":[1.5]},{"a":[-9007199254740993]}]'}, {}),
        ({"b.jsonl": '{"a":9007199254740993}\n'}, {"schema": float64}),
        ({"b.jsonl": '{"a":16777217}\n'}, {"schema": float32}),
        ({"b.csv": "a,c\n1.5,x\n9007199254740993,y\n"}, {"infer": True}),
        ({"b.csv": 'a\n"9007199254740993"\n'}, {"schema": float64}),
    ],
)
def test_integers_that_a_float_column_would_round_are_errors(texts, how, output, tmp_path):
    """Neither Arrow nor Python tells of it; the column and the file are named."""
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(data.SchemaDriftError, match=r"b\.\w+, .*'a(\[1\]|\[0\])?': int.*exact as"):
        list(data.streaming_dataset_reader(sorted(tmp_path.iterdir()), output=output, **how))


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_large_integers_that_a_float_column_holds_are_read(name, tmp_path):
    """Those that are even, and floats in other words."""
    texts = ["1.5", "9007199254740994", "1e300", "-18014398509481984"]
    lines = texts if name.endswith("csv") else [f'{{"a":{text}}}' for text in texts]
    head = ["a"] if name.endswith("csv") else []
    (tmp_path / name).write_text("\n".join(head + lines) + "\n")
    how = {"infer": True} if name.endswith("csv") else {}
    assert list(map(float, texts)) == [row["a"] for row in read(tmp_path / name, **how)]


@pytest.fixture
def linked(tmp_path):
    """A folder with a row 1, and a link to a file with row 2 outside of it."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"a":1}\n')
    (tmp_path / "out.jsonl").write_text('{"a":2}\n')
    (folder / "b.jsonl").symlink_to("../out.jsonl")
    return folder


@pytest.mark.parametrize(
    "url",
    [
        "local://{}/*.jsonl",
        "local://{}",
        "dir://*.jsonl::file://{}",
        "dir://**/*.jsonl::local://{}",
        "simplecache::file://{}/*.jsonl",
    ],
)
def test_links_out_of_folders_are_refused_whatever_the_url(url, linked):
    """Fsspec has other names for local files."""
    """Local files have other names there."""
    """Local files have other names in fsspec."""
    pytest.importorskip("fsspec")
    with pytest.raises(data.DataError, match="outside of"):
        read(url.format(linked))
    assert [1, 2] == [row["a"] for row in read(url.format(linked), follow_symlinks=True)]
    (linked / "b.jsonl").unlink()
    assert [{"a": 1}] == read(url.format(linked))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.zst"])
def test_an_empty_file_that_its_name_calls_compressed_can_be_read_as_plain(name, tmp_path):
    """The cure that is told works."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(data.DecodeError, match='give compression="none"'):
        read(tmp_path / name)
    if "jsonl" in name:
        assert [] == read(tmp_path / name, compression="none")


@pytest.mark.parametrize(
    ("rows", "cure"),
    [
        (['{"a":1}', '{"a":"s"}'], "no type holds both"),
        (['{"a":1}', '{"a":true}'], "no type holds both"),
        (['{"a":1}', '{"a":1.5}'], 'on_drift="unify"'),
        (['{"a":1}', '{"b":1}'], 'on_drift="unify"'),
        (['{"a":null}', '{"a":1}'], 'on_drift="unify"'),
    ],
)
def test_the_cure_of_drift_works_where_it_is_told(rows, cure, tmp_path):
    """Types that nothing holds are not widened by ``unify``."""
    files = [tmp_path / f"{i}.jsonl" for i in range(2)]
    for file, row in zip(files, rows, strict=True):
        file.write_text(row + "\n")
    with pytest.raises(data.SchemaDriftError, match=cure):
        read(files)
    if "unify" in cure:
        assert 2 == len(read(files, on_drift="unify"))


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("dedup a.jsonl -o out --threshold 0.9", "--threshold needs --near"),
        ("convert a.jsonl -o out --address tcp://x:1", "--runner local has none"),
        ("tokenize a.jsonl -o out --tokenizer t.json --overlong split", "needs --max-length"),
        ("tokenize a.jsonl -o out --tokenizer t.json --stride 3", "needs --overlong split"),
        (
            "pack in/ids.jsonl -o out --length 9 --strategy wrapped --cu-seqlens",
            "no bounds of rows",
        ),
        (
            "pack in/ids.jsonl -o out --length 9 --strategy wrapped --overlong drop",
            "wrapped cuts",
        ),
        ("pack in/ids.jsonl -o out --length 9 --dry-run --plot in/a.png", "read the next|nput"),
        ("convert a.jsonl -o a.jsonl --dry-run", "is the input"),
    ],
)
def test_options_without_a_meaning_are_refused(words, match, rows, ids, monkeypatch, capsys):  # noqa: ARG001
    """Nothing is ignored in silence; a dry run refuses what the job would."""
    monkeypatch.chdir(rows.parent)
    words = words.replace("in/ids.jsonl", "in") if "--plot" in words else words
    assert 2 == main(["data", *words.split()])
    assert re.search(match, capsys.readouterr().err)
    assert not (rows.parent / "out").exists()


def test_the_disk_of_a_dry_run_has_what_dedup_keeps_for_its_stages(tmp_path):
    """20 bytes a row of digests, and 12 more for each band and row of near duplicates."""
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f'{{"t": "a b c d e f {n}"}}\n' for n in range(3000)))
    near = data.NearOptions()
    plain = _estimates.estimate(data.convert, file, {})
    exact = _estimates.estimate(data.dedup, file, {"by": "t"})
    both = _estimates.estimate(data.dedup, file, {"by": "t", "near": near})
    assert plain.disk + 20 * 3000 < exact.disk
    assert exact.disk + 12 * near.bands * 3000 < both.disk


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_the_manifest_of_dedup_tells_the_rows_of_its_report(name, rows, tmp_path):
    """As many as were left out; and no row of the output more."""
    made = data.dedup(rows, tmp_path / name, by="id", workers=1)
    assert 5 == made.manifest["rows"] == made.rows_out
    assert [4][: len(made.manifest["files"])] == [one["rows"] for one in made.manifest["files"]]


@pytest.mark.parametrize("output", ["numpy", "torch"])
@pytest.mark.parametrize("shard", [None, (1, 2)])
def test_a_null_among_numbers_is_told_with_the_row_of_its_file(output, shard, tmp_path):
    """Not with that of the batch, which may be of two files."""
    pytest.importorskip(output)
    pq.write_table(pa.table({"n": range(30)}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"n": [*range(25), None, 1]}), tmp_path / "b.parquet")
    reader = data.streaming_dataset_reader(
        tmp_path, output=output, batch_size=7, shard=shard, on_error="skip"
    )
    with pytest.raises(data.DecodeError, match=r"b\.parquet, row 25: column 'n': null, .*drop it"):
        list(reader)


def test_a_null_of_a_compressed_shard_is_told_with_the_row_of_its_file(tmp_path):
    """Every third row is read."""
    lines = ['{"n":1}\n'] * 100 + ['{"n":null}\n']
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))
    reader = data.streaming_dataset_reader(
        tmp_path / "a.jsonl.gz", output="numpy", batch_size=7, shard=(1, 3)
    )
    with pytest.raises(data.DecodeError, match=r"a\.jsonl\.gz, row 100: column 'n': null"):
        list(reader)


@pytest.mark.parametrize("output", ["columns", "rows"])
def test_a_date_that_python_has_not_is_told_with_the_row_of_its_file(output, tmp_path):
    """After the year 9999."""
    times = pa.array([0, 0, 0, 253402300800], pa.timestamp("s"))
    pq.write_table(pa.table({"t": times}), tmp_path / "a.parquet", row_group_size=2)
    reader = data.streaming_dataset_reader(tmp_path / "a.parquet", output=output, batch_size=3)
    with pytest.raises(data.DecodeError, match=r"a\.parquet, row 3: column 't'"):
        list(reader)


def test_a_null_in_a_loader_is_a_data_error_with_a_cure(tmp_path):
    """Shuffled rows have no place: the reader tells it."""
    pytest.importorskip("torch")
    pq.write_table(pa.table({"n": [1, None]}), tmp_path / "a.parquet")
    for size in (None, 2):
        rows = data.IterableDataset(tmp_path, output="torch", batch_size=size)
        with pytest.raises(data.DataError, match=r"'n'.*streaming_dataset_reader"):
            list(rows)


def test_a_name_within_a_type_that_is_no_utf8_is_an_error(tmp_path):
    """It raises with the file when the columns are looked at, not where their schema is printed."""
    file = tmp_path / "a.arrow"
    table = pa.table({"x": [[1], [2, 3]]})
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    told = file.read_bytes()
    assert b"item" in told
    file.write_bytes(told.replace(b"item", b"ite\xed"))
    with pytest.raises(data.DecodeError, match=re.escape(str(file))):
        list(data.streaming_dataset_reader(file, output="arrow"))
