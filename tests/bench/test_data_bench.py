"""The harness of the readers' benchmarks: little data, and no test looks at a duration."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from tests.bench.data import __main__ as command
from tests.bench.data import areas, calls, files, memory, report
from tests.bench.data.required import MEMORY, REQUIRED
from tests.bench.kernels.bars import Verdict
from tests.bench.kernels.harness import Call, NotHere

MB = 1 << 20


def figures(first: float = 0.01, peak: float = 50 * MB, grown: float = 1.1) -> memory.Figures:
    """Return what could have been measured of each reader."""
    return {
        name: {
            "1": {"first": [first, 2 * first], "peak": [peak]},
            "8": {"first": [first, 2 * first], "peak": [peak * grown]},
        }
        for name in memory.READERS
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with all files, of a thousand rows each."""
    made = tmp_path_factory.mktemp("data")
    files.write_all(made, small=True)
    return made


def test_bars_name_rows_and_calls_that_exist(folder):
    """Each required ratio is of calls that its area measures, and each area has rows."""
    rows = {
        name: {row.id: row for row in areas.module_of(name).rows(folder, small=True)}
        for name in areas.AREAS
    }
    assert all(rows.values())
    for bar in REQUIRED:
        assert {bar.ours, bar.base} <= set(rows[bar.area][bar.row].calls), bar


def test_files_have_the_same_rows_in_each_format(folder):
    """Parquet, Arrow, JSONL and compressed files: the same thousand rows, 1.2 KB each."""
    expected = [one.to_pylist() for one in calls.parquet(folder / "data.parquet")]
    assert [1000] == [len(one) for one in expected]
    assert 1000 < len(str(expected[0][0])) < 2500
    for read, name in (
        (calls.arrow_file, "data.arrow"),
        (calls.arrow_stream, "cache.arrow"),
        (calls.arrow_file, "lz4.feather"),
        (calls.json_array, "data.json"),
    ):
        assert expected == [one.to_pylist() for one in read(folder / name)], name
    for name in ("data.jsonl", "data.jsonl.gz", "data.jsonl.zst"):
        rows = [row for one in calls.jsonl(folder / name) for row in one.to_pylist()]
        assert expected[0] == rows, name


def test_what_fails_on_a_file_is_told_as_missing():
    """A reader that raises is in the table with its error; the others are measured."""

    def fails() -> Call:
        return Call(lambda: 1 / 0)

    with pytest.raises(NotHere, match="fails: ZeroDivisionError"):
        calls.guarded(fails)()

    def absent() -> Call:
        raise NotHere("not installed (x)")

    with pytest.raises(NotHere, match=r"not installed \(x\)"):
        calls.guarded(absent)()


def test_a_call_reads_all_and_answers_once():
    """The timed run keeps nothing: its answer is made apart."""
    opened = []

    def read():
        opened.append(1)
        return iter([[1, 2], [3]])

    made = calls.call(read, len, list)
    assert 3 == made.run()
    assert [[1, 2], [3]] == made.answer(3)
    assert 2 == len(opened)
    assert "3 rows" == calls.call(read, len, None).tells(3)


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (figures(), []),
        (figures(first=0.06), ["first batch of 500 MB"]),
        (figures(grown=1.3), ["peak memory of the whole file"] * 2),
        (figures(peak=160 * MB), ["peak memory over import"] * 2),
    ],
)
def test_bars_of_memory(found, missed):
    """Each bar looks at its own figure."""
    verdicts = [one.judge(found) for one in MEMORY]
    told = [one.work for one in verdicts if not one.holds]
    assert len(missed) == len(told)
    assert all(one.startswith(want) for one, want in zip(told, missed, strict=True))


def test_memory_that_was_not_measured_is_missed():
    """A reader that fails has no figures, and holds no bar."""
    found = figures()
    found[memory.OURS]["8"] = {"first": [], "peak": []}
    assert "not measured" in {one.judge(found).told for one in MEMORY}
    assert "fails" in report.text("memory", found)


def test_the_page_has_a_table_for_each_area(tmp_path):
    """--write makes the page, with the command that makes it, and a plot for each area."""
    pytest.importorskip("matplotlib")
    timed = {"cpu": [0.1], "wall": [0.1], "note": "", "fact": ""}
    row = {
        "title": "data.parquet",
        "amount": 1,
        "unit": "krow",
        "calls": {"shimhub arrow": timed, "rival": {"missing": "fails: E"}},
    }
    results = {"batches": {"data.parquet": row}, "memory": figures()}
    verdict = Verdict("batches", True, "work", "1 x", "2 x")
    report.write(tmp_path, results, [verdict])
    page = (tmp_path / "benchmarks-data.md").read_text(encoding="utf-8")
    for part in ("make bench-data", "fails: E", "pyarrow", "| batches: work | 1 x | 2 x | holds |"):
        assert part in page
    assert (tmp_path / "data-batches.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_check_tells_by_its_exit_status(monkeypatch, capsys, holds, code):
    """--check is 0 only if all that is required holds; what is missed is measured once more."""
    measured = []
    monkeypatch.setattr(command.files, "write_all", lambda folder, small: None)
    monkeypatch.setattr(
        command.memory, "measure",
        lambda folder, small: measured.append(1) or figures(first=0.01 if holds else 0.06),
    )  # fmt: skip
    monkeypatch.setattr("sys.argv", ["bench", "--area", "memory", "--check"])
    assert code == command.main()
    assert (1 if holds else 2) == len(measured)
    assert ("MISSED" in capsys.readouterr().out) is not holds


@pytest.mark.slow
def test_a_small_run_measures_all(monkeypatch, capsys):
    """All areas from the command line, in processes of their own, with little data."""
    pytest.importorskip("datasets")
    monkeypatch.setattr("sys.argv", ["bench", "--small", "--area", "tokens"])
    assert 0 == command.main()
    assert "shimhub numpy" in capsys.readouterr().out
