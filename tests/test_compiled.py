from __future__ import annotations

import marshal
import os
import sys
import threading

import pytest

from shimhub import compiled, paths
from shimhub.errors import RegistryError
from shimhub.reading import load_table

TEXT = """\
schema = 1
[targets.target]
[packs.p]
summary = "s"
[[shim]]
id = "target/f"
attach = "target:f"
action = "adapt"
why = "w"
packs = ["p"]
when = { target = ">=1" }
default = { a = 1, b = 2.5, c = [1, [2]], d = { e = "é" }, f = true, g = nan }
[[shim]]
id = "pre"
attach = "other:g"
action = "placeholder"
message = "m"
why = "w"
phase = "pre"
[[shim]]
id = "gone"
retired = "2026-11-21"
why = "native"
"""


class Cache:
    """A registry, and the folder that its compiled tables go to."""

    def __init__(self, root):
        self.registry = root / "registry.toml"
        self.registry.write_text(TEXT)
        self.folder = root / "cache" / "shimhub"
        self.sources = [(str(self.registry), "named")]

    def load(self):
        """Load the table as start-up does."""
        return compiled.load(self.sources)

    @property
    def files(self):
        """What is in the cache folder."""
        return sorted(self.folder.iterdir()) if self.folder.is_dir() else []

    @property
    def file(self):
        """The one table of the cache."""
        (found,) = self.files
        return found

    def mark(self):
        """Change the cached table so that one can see that it was read."""
        content, key = self.file.read_bytes(), self.load()["key"]
        head, table = (compiled._decode(content, key, head) for head in (True, False))
        self.file.write_bytes(compiled._encode(head, table | {"mark": True}))

    def is_read(self):
        """Whether the marked table is what `load` gives."""
        return "mark" in self.load()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of this test's own, without a table."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Cache(tmp_path)


@pytest.fixture
def warm(cache):
    """A cache with one table that can be told from a fresh parse."""
    cache.load()
    cache.mark()
    return cache


def test_the_table_is_what_a_fresh_parse_gives(cache):
    """Built, written and read back, the table equals the parse, types and all."""
    fresh = load_table(cache.sources)
    first, second = cache.load(), cache.load()
    assert repr(first) == repr(second)
    for key in ("shims", "targets", "packs"):
        assert repr(fresh[key]) == repr(second[key])
    assert {"target": False, "other": True} == second["modules"]


def test_the_second_load_reads_the_cache(warm):
    """A table in place is used, and no TOML is parsed for it."""
    assert warm.is_read()


def test_a_process_with_a_warm_cache_parses_nothing(cache, lab):
    """In a new process the cached table comes without tomllib, packaging or the registry module."""
    code = f"""
        import sys
        from shimhub import compiled
        compiled.load([({str(cache.registry)!r}, "named")])
        print([n for n in ("tomllib", "tomli", "packaging", "shimhub.registry")
               if n in sys.modules])
    """
    assert "[]\n" != lab.run(code).stdout
    assert "[]\n" == lab.run(code).stdout


def test_an_edit_is_seen_at_once(warm):
    """A change of the registry's content makes the table stale, whatever the file's time."""
    before = warm.registry.stat()
    warm.registry.write_text(TEXT.replace('why = "w"', 'why = "v"', 1))
    os.utime(warm.registry, ns=(before.st_atime_ns, before.st_mtime_ns))
    table = warm.load()
    assert ("v", False) == (table["shims"][0]["why"], "mark" in table)


def test_an_edit_taken_back_finds_its_table_again(warm):
    """Tables are kept by content: the old content has its old table."""
    warm.registry.write_text(TEXT + "# more\n")
    assert not warm.is_read()
    warm.registry.write_text(TEXT)
    assert warm.is_read()


def test_tables_do_not_pile_up(cache):
    """However often a registry is edited, few tables stay, the newest among them."""
    for index in range(compiled._KEPT + 8):
        cache.registry.write_text(TEXT + f"# {index}\n")
        cache.load()
    assert compiled._KEPT == len(cache.files)
    cache.files[0].stat()
    newest = max(cache.files, key=lambda file: file.stat().st_mtime_ns)
    assert cache.load()["key"] in newest.name


def test_order_origin_and_place_of_sources_count(cache, tmp_path):
    """The same content by another path, origin or order is another table."""
    other = tmp_path / "other.toml"
    other.write_text(TEXT)
    first, second = cache.sources[0], (str(other), "named")
    several = [[first], [second], [(first[0], "packaged")], [first, second], [second, first]]
    keys = {compiled.load(one)["key"] for one in several}
    assert len(several) == len(keys)


def test_the_digest_tells_contents_not_places(cache, tmp_path):
    """Two processes with the same rows have the same digest, wherever their files are."""
    other = tmp_path / "other.toml"
    other.write_text(TEXT)
    assert compiled.digest_of(cache.sources) == compiled.digest_of([(str(other), "named")])
    other.write_text(TEXT + "# more\n")
    assert compiled.digest_of(cache.sources) != compiled.digest_of([(str(other), "named")])


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_table_that_others_may_write_is_not_read(warm, mode):
    """Group or world write permission on the file makes it no cache of ours."""
    warm.file.chmod(mode)
    assert not warm.is_read()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_is_not_read(warm, mode):
    """Group or world write permission on the folder makes all in it untrusted, and adds nothing."""
    warm.folder.chmod(mode)
    assert not warm.is_read()
    before = warm.files
    warm.registry.write_text(TEXT + "# more\n")
    warm.load()
    assert before == warm.files


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone may chown")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_table_of_another_user_is_not_read(warm, what):
    """A file or folder of another user is not read."""
    os.chown(getattr(warm, what), 12345, -1)
    assert not warm.is_read()


def test_an_owner_that_is_not_us_is_not_trusted(warm, monkeypatch):
    """Ownership is compared with the effective user; without such a thing there is no trust."""
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert not warm.is_read()
    monkeypatch.delattr(os, "geteuid")
    assert not warm.is_read()


def test_a_link_is_not_followed(warm, tmp_path):
    """A symbolic link in place of the table is not read, even to a file of ours."""
    target = tmp_path / "elsewhere"
    warm.file.rename(target)
    (warm.folder / (warm.load()["key"] + ".x")).touch()
    file = next(one for one in warm.files if one.suffix == ".table")
    file.unlink()
    file.symlink_to(target)
    assert not warm.is_read()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"0",
        b"junk junk",
        marshal.dumps(None),
        marshal.dumps([1]),
        marshal.dumps({}),
        compiled._encode(None, None),
        compiled._encode({}, {}),
        compiled._encode([1], [1]),
        compiled._encode(*2 * [{"key": "another", "shims": [], "modules": {}}]),
        b"\xff\xff\xff\xff" + marshal.dumps({}),
        b"\0\0\0\0[\xff\xff\xff\xff",
        b"\0\0\0\0u\x02\x00\x00\x00\xff\xff",
    ],
)
def test_a_corrupt_table_is_built_anew(warm, content):
    """A file that is no table, or another's, is replaced."""
    warm.file.write_bytes(content)
    assert not warm.is_read()
    assert content != warm.file.read_bytes()


def test_a_truncated_table_is_built_anew(warm):
    """A table cut anywhere is not taken for a table."""
    whole = warm.file.read_bytes()
    for size in range(0, len(whole), 7):
        assert compiled._decode(whole[:size], warm.load()["key"], head=False) is None
    warm.file.write_bytes(whole[:-1])
    assert not warm.is_read()


def test_a_folder_in_place_of_the_table_is_not_read(warm):
    """A directory of that name is no table and no crash, and no scratch file is left."""
    file = warm.file
    file.unlink()
    file.mkdir()
    assert not warm.is_read()
    assert [file] == warm.files


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/x"])
def test_a_cache_that_cannot_be_written_is_no_error(cache, monkeypatch, place):
    """Without a place for the table it is built in memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert 3 == len(cache.load()["shims"])


def test_a_full_disk_is_no_error(cache, monkeypatch):
    """A write that fails half-way leaves neither table nor scratch file."""

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert 3 == len(cache.load()["shims"])
    assert [] == cache.files


def test_without_a_home_nothing_is_written(cache, monkeypatch):
    """A user without a home folder gets no cache: no folder called `~` appears."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(cache.registry.parent)
    assert 3 == len(cache.load()["shims"])
    assert ["registry.toml"] == [one.name for one in cache.registry.parent.iterdir()]


def test_the_folder_is_of_the_user_alone(warm):
    """The cache folder is made with mode 700 and the table with 600."""
    assert (0o700, 0o600) == (
        warm.folder.stat().st_mode & 0o777,
        warm.file.stat().st_mode & 0o777,
    )


def test_a_bad_registry_is_not_cached(cache):
    """Errors are told at every load, and leave nothing behind."""
    cache.registry.write_text("schema = 2\n")
    for _ in range(2):
        with pytest.raises(RegistryError):
            cache.load()
    assert [] == cache.files


def test_a_registry_that_is_gone_is_an_error(warm):
    """A file that was there when the table was made, and is not now, is told."""
    warm.registry.unlink()
    with pytest.raises(RegistryError, match="cannot be read"):
        warm.load()


def test_many_processes_may_start_at_once(cache):
    """Threads that all write the same table all get it, and one whole file stays."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(cache.load())) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert 8 == len(found)
    assert {repr(found[0])} == {repr(one) for one in found}
    assert [".table"] == [one.suffix for one in cache.files if one.is_file()] or [] == cache.files


def test_tables_are_per_python(warm):
    """Two Pythons do not share a table: marshal's format is theirs."""
    assert sys.implementation.cache_tag in warm.file.name


def test_sources_come_in_order():
    """Packaged first, then SHIMHUB_REGISTRY, then what the user named."""
    told = os.pathsep.join(["a", "", "b"])
    assert [
        (paths.packaged_registry(), "packaged"),
        ("a", "SHIMHUB_REGISTRY"),
        ("b", "SHIMHUB_REGISTRY"),
        ("c", "named by the user"),
    ] == list(compiled.sources_of({"SHIMHUB_REGISTRY": told}, ["c"]))
    assert 1 == len(compiled.sources_of({}))


def test_the_packaged_registry_is_found_from_the_package(monkeypatch, tmp_path):
    """Inside a wheel's package where it is, else beside it; never from the working directory."""
    monkeypatch.chdir(tmp_path)
    assert os.path.isabs(paths.packaged_registry())
    inside = tmp_path / "shimhub"
    inside.mkdir()
    monkeypatch.setattr(paths, "PACKAGE_DIR", str(inside))
    assert str(tmp_path / "registry.toml") == paths.packaged_registry()
    (inside / "registry.toml").touch()
    assert str(inside / "registry.toml") == paths.packaged_registry()
