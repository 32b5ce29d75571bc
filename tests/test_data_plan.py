"""What a job is before it runs: its blocks, where it may write, and when it may go on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from shimhub.data import DataError, FormatError, JobError, SchemaDriftError, WorkerError
from shimhub.data._model import Options, Skipped
from shimhub.data.jobs._blocks import name_of, read_block
from shimhub.data.jobs._locks import locked
from shimhub.data.jobs._plan import is_file_name, make_job, run_job
from shimhub.data.jobs._work import Stage
from shimhub.data.sources._sources import resolve
from tests import data_jobs
from tests.data_jobs import blocks_job, numbered, stage, tree


def run(job, function="write_number"):
    """Run a job of one stage in this process."""
    return run_job(job, [stage(job, function)], workers=1)


# ---- blocks


@given(st.integers(1, 5000), st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_blocks_have_all_rows_once(size, group):
    """Blocks of any size, of any files: together the rows of all, in order."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        numbered(folder / "in" / "a.jsonl", 50)
        table = pa.table({"n": range(50, 120), "t": [f"row {n:06d}" for n in range(50, 120)]})
        pq.write_table(table, folder / "in" / "b.parquet", row_group_size=group)
        job = make_job("test", folder / "in", folder / "out", block_bytes=size)
        again = make_job("test", folder / "in", folder / "out", block_bytes=size)
        rows = [
            row
            for index in range(len(job.blocks))
            for part in read_block(job, index)
            for row in part.batch.to_pylist()
        ]
    assert [{"n": n, "t": f"row {n:06d}"} for n in range(120)] == rows
    assert job.blocks == again.blocks
    assert {"a.jsonl", "b.parquet"} == {os.path.basename(source.path) for source in job.sources}


def test_columns_are_chosen_by_the_job_and_by_the_task(tmp_path):
    """The job's columns, in its order; a task may take fewer of them."""
    source = numbered(tmp_path / "in.jsonl", 3)
    job = make_job("test", source, tmp_path / "out", options=Options(columns=("t", "n")))
    (part,) = read_block(job, 0)
    assert ["t", "n"] == part.batch.schema.names == job.options.schema.names
    (part,) = read_block(job, 0, columns=["n"])
    assert {"n": [0, 1, 2]} == part.batch.to_pydict()
    with pytest.raises(DataError, match="'x', which is not there"):
        make_job("test", source, tmp_path / "out", options=Options(columns=("x",)))


def test_files_of_other_columns_are_refused_or_unified(tmp_path):
    """Drift is an error before anything is written; unify widens."""
    numbered(tmp_path / "in" / "a.jsonl", 2)
    (tmp_path / "in" / "b.jsonl").write_text('{"n":1.5,"u":true}\n')
    job = make_job("test", tmp_path / "in", tmp_path / "out")
    with pytest.raises(SchemaDriftError, match=r"b\.jsonl"):
        list(read_block(job, 1))
    job = make_job("test", tmp_path / "in", tmp_path / "out", unify=True)
    (part,) = read_block(job, 1)
    assert [{"n": 1.5, "t": None, "u": True}] == part.batch.to_pylist()


def test_what_is_skipped_is_told_by_the_task(tmp_path):
    """A block with a bad line, and a file that is none: both are counted, and told in words."""
    source = tmp_path / "in" / "a.jsonl"
    numbered(source, 5)
    source.write_text(source.read_text() + "bad\n")
    (tmp_path / "in" / "b.parquet").write_bytes(b"PAR1 no footer PAR1")
    job = make_job("convert", tmp_path / "in", tmp_path / "out", options=Options(on_error="skip"))
    skipped = Skipped()
    rows = [part.batch.num_rows for at in (0, 1) for part in read_block(job, at, skipped)]
    assert (5, 1) == (sum(rows), skipped.files[str(source)])
    assert 2 == len(skipped.first)
    from shimhub.data.conversion import stages

    made = run_job(job, stages(job), workers=1)
    assert {str(source): 1, str(tmp_path / "in" / "b.parquet"): 0} == made["skipped"]["files"]
    assert (1, 19) == (made["skipped"]["rows"], made["skipped"]["unread"])
    assert "a.jsonl, line 6" in made["skipped"]["first"][0]


def test_a_block_is_named_by_file_and_span(tmp_path):
    """Messages tell the block's number, its file, and where it begins and ends."""
    job = blocks_job(tmp_path)
    assert f"block 1 ({tmp_path / 'in.jsonl'}, 300 to 600)" == name_of(job, 1)


def test_no_rows_are_one_block(tmp_path):
    """An empty input is a job of one part without rows."""
    (tmp_path / "in.csv").write_text("a,b\n")
    from shimhub.data.conversion import stages

    job = make_job("convert", tmp_path / "in.csv", tmp_path / "out.parquet")
    assert 0 == run_job(job, stages(job), workers=1)["rows"]
    assert ["a", "b"] == pq.read_table(tmp_path / "out.parquet").schema.names


@pytest.mark.parametrize(
    ("given_", "problem"), [(0, "1 or more"), (-5, "1 or more"), (True, "number"), ("1", "number")]
)
def test_a_block_size_is_a_number(given_, problem, tmp_path):
    """What is no size is told."""
    with pytest.raises((DataError, TypeError), match=problem):
        make_job("t", numbered(tmp_path / "in.jsonl"), tmp_path / "out", block_bytes=given_)


# ---- where the output goes


def test_a_name_with_an_extension_is_a_file(tmp_path):
    """A known extension is one file, unless a folder of that name is there, or a slash says so."""
    source = numbered(tmp_path / "in.jsonl")
    job = make_job("test", source, tmp_path / "a.csv.gz")
    assert (str(tmp_path / "a.csv.gz"), "csv.gz") == (job.target, job.extension)
    assert str(tmp_path / ".a.csv.gz.shimhub") == job.out
    assert "part-00012.csv.gz" == job.part(12)
    (tmp_path / "b.csv").mkdir()
    for name in ("b.csv", "c.csv/", "d"):
        job = make_job("test", source, f"{tmp_path}/{name}", form="parquet")
        assert ("", "parquet") == (job.target, job.extension)
    assert "jsonl" == make_job("test", source, tmp_path / "d").extension
    assert is_file_name("x/y.tsv.zst")
    assert not is_file_name("x.tsv/y")


def test_the_default_form_is_that_of_the_first_input(tmp_path):
    """Compressed text stays compressed; a JSON document becomes lines."""
    import gzip

    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(b"a\n"))
    (tmp_path / "in.json").write_text('[{"a":1}]')
    assert "txt.gz" == make_job("t", tmp_path / "in.txt.gz", tmp_path / "out").extension
    assert "jsonl" == make_job("t", tmp_path / "in.json", tmp_path / "out").extension


@pytest.mark.parametrize(
    ("out", "form", "problem"),
    [
        ("s3://bucket/out", None, "local folders"),
        ("", None, "not a path"),
        ("a\0b", None, "not a path"),
        ("out.csv", "jsonl", "its name says csv, and format= says jsonl"),
        ("out.json", None, "json is not written"),
        ("out.parquet.gz", None, "compressed inside"),
        ("out", "auto", "give a format"),
        ("out", "xml", "none of"),
        ("file", None, "is a file: name a folder"),
    ],
)
def test_outputs_that_cannot_be_are_refused(out, form, problem, tmp_path, monkeypatch):
    """A URL, no path, two formats, or a format that is not written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises((JobError, FormatError, DataError), match=problem):
        make_job("test", numbered(tmp_path / "in.jsonl"), out, form=form)
    assert {"file", "in.jsonl"} == set(os.listdir(tmp_path))


def inputs(folder: Path) -> Path:
    """Make a folder of inputs, with links to them beside it."""
    source = numbered(folder / "data" / "deep" / "in.jsonl")
    os.symlink(source, folder / "link.jsonl")
    os.link(source, folder / "hard.jsonl")
    os.symlink(folder / "data", folder / "linked")
    return source


@pytest.mark.parametrize(
    ("what", "out"),
    [
        ("data/deep/in.jsonl", "data/deep/in.jsonl"),
        ("data/deep/in.jsonl", "data/../data/deep/in.jsonl"),
        ("data/deep/in.jsonl", "link.jsonl"),
        ("link.jsonl", "data/deep/in.jsonl"),
        ("data/deep/in.jsonl", "hard.jsonl"),
        ("data/deep/in.jsonl", "linked/deep/in.jsonl"),
        ("data/deep/in.jsonl", "data/deep"),
        ("data/deep/in.jsonl", "data"),
        ("data/deep/in.jsonl", "linked"),
        ("data/deep/in.jsonl", "."),
        ("link.jsonl", "data"),
        ("data", "data/out"),
        ("data", "data/deep/out.jsonl"),
        ("data", "linked/out"),
        ("linked", "data/deep/out"),
        ("data/deep/*.jsonl", "data/deep/out.jsonl"),
        ("data/*/*.jsonl", "data/out"),
        ("data/**/*.jsonl", "data/x/y/out"),
        ("linked/deep/*.jsonl", "data/deep/out.jsonl"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_over_or_inside_the_input_is_refused(what, out, overwrite, tmp_path, monkeypatch):
    """By any name that it has: links, hard links, dots; and nothing is written."""
    monkeypatch.chdir(tmp_path)
    inputs(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(JobError, match=r"write the output elsewhere"):
        make_job("test", what, out, overwrite=overwrite)
    assert before == tree(tmp_path)


@pytest.mark.parametrize(
    ("what", "out"),
    [
        ("data/deep/in.jsonl", "data/out"),
        ("data/deep/in.jsonl", "data/deep/out.jsonl"),
        ("data/deep/*.jsonl", "data/deep/out.csv"),
        ("data/deep/*.jsonl", "data/out"),
        ("data", "data2"),
        ("data/deep", "data/out"),
    ],
)
def test_an_output_beside_the_input_is_not_refused(what, out, tmp_path, monkeypatch):
    """What would not be read the next time, and is over nothing."""
    monkeypatch.chdir(tmp_path)
    inputs(tmp_path)
    job = make_job("test", what, out)
    assert os.path.realpath(out) == (job.target or job.out)


def test_a_link_as_output_keeps_being_one(tmp_path):
    """A file is written where the link leads to."""
    source = numbered(tmp_path / "in.jsonl")
    (tmp_path / "there").mkdir()
    os.symlink(tmp_path / "there" / "out.jsonl", tmp_path / "out.jsonl")
    assert (
        str(tmp_path / "there" / "out.jsonl")
        == make_job("t", source, tmp_path / "out.jsonl").target
    )


# ---- what is there already


def test_a_folder_that_is_not_ours_is_refused(tmp_path):
    """Files of others are not touched; overwrite does not change that."""
    source = numbered(tmp_path / "in.jsonl")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.md").write_text("mine")
    with pytest.raises(JobError, match=r"out is not empty \(notes.md\)"):
        make_job("test", source, tmp_path / "out")
    with pytest.raises(JobError, match=r"no job of shimhub wrote \(notes.md\)"):
        make_job("test", source, tmp_path / "out", overwrite=True)
    assert ["notes.md"] == os.listdir(tmp_path / "out")


def test_parts_without_a_manifest_are_not_ours(tmp_path):
    """Names alone do not make a folder ours."""
    source = numbered(tmp_path / "in.jsonl")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part-00000.jsonl").write_text("mine")
    with pytest.raises(JobError, match="no job of shimhub wrote"):
        make_job("test", source, tmp_path / "out", overwrite=True)


def test_overwrite_replaces_the_output_of_a_job(tmp_path):
    """A finished job of other parameters goes, with all of its parts."""
    run(blocks_job(tmp_path, rows=120, p=1))
    source = tmp_path / "in.jsonl"
    with pytest.raises(JobError, match="not empty"):
        make_job("test", source, tmp_path / "out", params={"p": 2}, block_bytes=2000)
    job = make_job(
        "test", source, tmp_path / "out", params={"p": 2}, block_bytes=2000, overwrite=True
    )
    made = run(job)
    assert {"p": 2} == made["params"]
    assert {"_manifest.json", *map(job.part, range(len(job.blocks)))} == set(os.listdir(job.out))
    (tmp_path / "out" / "notes.md").write_text("mine")
    with pytest.raises(JobError, match=r"wrote \(notes.md\)"):
        make_job("test", source, tmp_path / "out", overwrite=True)


def test_a_file_is_replaced_at_the_end_alone(tmp_path):
    """Without overwrite it is refused; with it the old one is there until the new one is whole."""
    source = numbered(tmp_path / "in.jsonl")
    out = tmp_path / "out.txt"
    out.write_text("old")
    with pytest.raises(JobError, match=r"is there already, .* pass overwrite=True"):
        make_job("test", source, out)
    job = make_job("test", source, out, params={"error": "own"}, overwrite=True, block_bytes=900)
    with pytest.raises(data_jobs.OwnError):
        run(job, "fail")
    assert "old" == out.read_text()
    run(job)
    assert "0\n1\n2\n3\n" == out.read_text()
    assert {"in.jsonl", "out.txt", ".out.txt.manifest.json"} == set(os.listdir(tmp_path))


def written(folder):
    """Return which files are in a folder and when they were written; reading changes nothing."""
    told = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (one.st_ino, one.st_size, one.st_mtime_ns) for name, one in told.items()}


def test_a_finished_job_is_not_done_again(tmp_path):
    """The same call returns the manifest and touches nothing; damage is told, and overwritten."""
    job = blocks_job(tmp_path)
    made = run(job)
    before = written(tmp_path / "out")
    assert made == run(blocks_job(tmp_path))
    assert before == written(tmp_path / "out")
    (tmp_path / "out" / job.part(3)).write_text("4\n")
    with pytest.raises(JobError, match=r"part-00003\.jsonl is not as the manifest says"):
        blocks_job(tmp_path)
    job = make_job("test", tmp_path / "in.jsonl", tmp_path / "out", block_bytes=300, overwrite=True)
    assert made == run(job)


def unfinished(folder: Path):
    """Leave a job after two of its tasks."""
    job = blocks_job(folder, error="own")
    with pytest.raises(data_jobs.OwnError):
        run(job, "fail")
    return job


def changed(job, **more):
    """Make the job again, with something changed."""
    how = {"params": job.params, "block_bytes": 300, **more}
    return make_job("test", job.sources[0].path, job.out, **how)


def touch(job):
    """Change the time of the input."""
    os.utime(job.sources[0].path, ns=(1, 1))


def append(job):
    """Make the input longer."""
    with open(job.sources[0].path, "a") as file:
        file.write('{"n":1,"t":"x"}\n')


def exchange(job):
    """Change a byte of the input, and nothing else of it."""
    path = Path(job.sources[0].path)
    times = path.stat()
    path.write_bytes(path.read_bytes().replace(b"row", b"now", 1))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("do", "more", "problem"),
    [
        (touch, {}, r"inputs\[0\]\.modified_ns was \d+, is 1\)"),
        (append, {}, r"inputs\[0\]\.bytes was 3\d+, is 3\d+; "),
        (exchange, {}, r"inputs\[0\]\.head_sha256 was '"),
        (None, {"params": {"error": "none"}}, "params.error was 'own', is 'none'"),
        (None, {"params": {"error": "own", "x": 1}}, "params.x was None, is 1"),
        (None, {"block_bytes": 301}, "block_bytes was 300, is 301; blocks was"),
        (None, {"options": Options(columns=("t",))}, r"options.columns was None, is \['t'\]"),
        (None, {"options": Options(on_error="skip")}, "options.on_error was 'raise', is 'skip'"),
        (None, {"form": "parquet"}, "extension was 'jsonl', is 'parquet'"),
        (None, {"unify": True}, "unify was False, is True"),
    ],
)
def test_a_job_does_not_go_on_with_another_plan(do, more, problem, tmp_path):
    """What changed since the marks were made is named; overwrite starts again."""
    job = unfinished(tmp_path)
    if do is not None:
        do(job)
    with pytest.raises(JobError, match=problem) as caught:
        changed(job, **more)
    assert "put that back to go on with it, or pass overwrite=True to start again" in str(
        caught.value
    )
    again = changed(job, **more, overwrite=True)
    made = run(again)
    assert len(again.blocks) == made["rows"] == len(made["parts"])
    assert len(made["parts"]) + 1 == len(os.listdir(job.out))


def test_another_version_does_not_go_on(tmp_path):
    """The versions of shimhub and pyarrow are part of the plan."""
    job = unfinished(tmp_path)
    path = Path(job.state, "plan.json")
    path.write_text(path.read_text().replace(pa.__version__, "1.0"))
    with pytest.raises(JobError, match=r"versions.pyarrow was '1.0', is '"):
        changed(job)


def test_the_same_command_goes_on_even_with_overwrite(tmp_path):
    """Overwrite is for other jobs' output: what this one has done stays."""
    job = unfinished(tmp_path)
    before = Path(job.out, job.part(0)).stat()
    run(changed(job, overwrite=True))
    assert before == Path(job.out, job.part(0)).stat()


def test_an_input_that_changes_meanwhile_is_told_at_the_end(tmp_path):
    """A job whose input is not what was planned does not become finished."""
    job = blocks_job(tmp_path)
    touch(job)
    with pytest.raises(JobError, match="has changed while it was read"):
        run(job)
    assert "_manifest.json" not in os.listdir(job.out)
    with pytest.raises(JobError, match="modified_ns was"):
        blocks_job(tmp_path)


def test_a_full_disk_is_told_before(tmp_path):
    """Less space than the output may take is refused; 0 asks for nothing."""
    source = numbered(tmp_path / "in.jsonl")
    with pytest.raises(JobError, match=r"GB free, and the output may take 1000000\.00 GB: free"):
        make_job("test", source, tmp_path / "a" / "b" / "out", needed=10**15)
    assert make_job("test", source, tmp_path / "a" / "b" / "out", needed=0)


def test_an_error_before_anything_is_done_leaves_nothing(tmp_path):
    """No state, and no folder that was not there; what was done stays, to go on with."""
    (tmp_path / "there").mkdir()
    for out, expected in (("new", None), ("there", []), ("new.jsonl", None)):
        job = blocks_job(tmp_path, out, at=0)
        before = sorted(os.listdir(tmp_path))
        with pytest.raises(DataError, match="no"):
            run_job(job, [Stage("one", 1, "tests.data_jobs:refuse")], workers=1)
        assert before == sorted(os.listdir(tmp_path))
        assert expected == (os.listdir(job.out) if os.path.isdir(job.out) else None)
    job = blocks_job(tmp_path, "done", at=1)
    with pytest.raises(DataError, match="no"):
        run_job(job, [stage(job, "refuse")], workers=1)
    assert {".shimhub", "part-00000.jsonl"} <= set(os.listdir(job.out))


# ---- the manifest


def test_a_manifest_tells_inputs_and_parts_and_no_times(tmp_path):
    """Its bytes are the same for the same inputs, whenever they were written."""
    run(blocks_job(tmp_path, "one"))
    touch(blocks_job(tmp_path, "two"))
    made = run(blocks_job(tmp_path, "two"))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    told = json.loads((tmp_path / "one" / "_manifest.json").read_text())
    assert told == made
    (source,) = told["inputs"]
    assert {"path", "format", "compression", "bytes", "head_sha256"} == set(source)
    assert {"path": "part-00001.jsonl", "rows": 1, "bytes": 2} == {
        key: value for key, value in told["parts"][1].items() if key != "sha256"
    }
    assert {*os.listdir(tmp_path / "one")} == {
        "_manifest.json",
        *(p["path"] for p in told["parts"]),
    }
    assert told["rows"] == len(told["parts"])


def test_no_secret_is_written(tmp_path):
    """Storage options are in no file of a job."""
    source = numbered(tmp_path / "in.jsonl")
    job = make_job("test", source, tmp_path / "out", options=Options(storage={"key": "S3CRET"}))
    assert "S3CRET" not in json.dumps(job.plan)


def test_a_state_that_was_half_removed_does_not_matter(tmp_path):
    """Killed while the state goes: the output is finished; rests of it go the next time."""
    job = blocks_job(tmp_path)
    run(job)
    rest = Path(f"{job.state}.done", "one")
    rest.mkdir(parents=True)
    (rest / "00000.done").touch()
    run(blocks_job(tmp_path))
    assert ".shimhub.done" not in os.listdir(job.out)


# ---- the lock


def test_a_lock_is_of_the_folder_that_is_there(tmp_path):
    """A second holder is refused; a folder that was removed and made again has a new lock."""
    state = str(tmp_path / "state")
    with locked(state, "out"):
        with pytest.raises(JobError, match="out: another process works on this job"):
            locked(state, "out").__enter__()
        shutil.rmtree(state)
        with locked(state, "out"):
            pass
    with locked(state, "out"):
        pass


def test_errors_of_jobs_are_data_errors():
    """One ``except DataError`` has them all."""
    assert issubclass(WorkerError, JobError)
    assert issubclass(JobError, DataError)


def test_sources_may_be_given(tmp_path):
    """What was resolved before is taken as it is."""
    sources = resolve(numbered(tmp_path / "in.jsonl"))
    assert tuple(sources) == make_job("test", sources, tmp_path / "out").sources
