"""What ``fast_axolotl.install()`` and its kin turn on and off, with axolotl there and without."""

from __future__ import annotations

import json

import pytest
from packaging.specifiers import SpecifierSet

from tests.axolotl import support
from tests.axolotl.served import BOTH, EIGHT, run, served, write_package

HEAD = """
import importlib.util, json, sys
def here():
    return sorted(name for name in sys.modules if name.partition('.')[0] == 'axolotl')
def tell(**told):
    print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with a package of axolotl's shape."""
    return write_package(tmp_path_factory.mktemp("site"))


def _told(code, *arguments, **options):
    done = run(HEAD + code, *arguments, **options)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _absent(code, **options):
    return _told(code, hide=BOTH, **options)


# -- without axolotl ------------------------------------------------------------------------------


def test_the_eight_modules_are_there():
    """After the import, and after `install()`; importing them brings nothing else."""
    code = "import fast_axolotl; tell(here=here()); fast_axolotl.uninstall(); tell(here=here())\n"
    code += "fast_axolotl.install(); tell(here=here())"
    first, gone, again = _absent(code)
    assert sorted(EIGHT) == first["here"] == again["here"]
    assert [] == gone["here"]


def test_without_the_import_axolotl_is_absent():
    """`find_spec` says None under `shimhub run` before the import and after `uninstall()`."""
    code = """
def found(): return importlib.util.find_spec('axolotl') is not None
tell(found=found())
import fast_axolotl
tell(found=found())
fast_axolotl.uninstall()
tell(found=found())
try:
    import axolotl
except ModuleNotFoundError as error:
    tell(found=str(error))
"""
    found = [one["found"] for one in _absent(code)]
    assert [False, True, False, "No module named 'axolotl'"] == found


def test_each_module_says_what_it_is():
    """All eight are marked, the four that stand for axolotl's own as stand-ins, with a spec."""
    code = """
import fast_axolotl
for name in here():
    m = sys.modules[name]
    tell(name=name, mark=m.__fast_axolotl_shimmed__, stub=getattr(m, '__stub__', False),
         spec=m.__spec__.name, parent=name.rpartition('.')[0] in ('', *here()),
         bound=('.' not in name) or getattr(sys.modules[name.rpartition('.')[0]],
                                            name.rpartition('.')[2]) is m)
"""
    told = {one.pop("name"): one for one in _absent(code)}
    assert set(EIGHT) == set(told)
    assert all(one["mark"] and one["parent"] and one["bound"] for one in told.values())
    assert all(name == one["spec"] for name, one in told.items())
    stand_ins = {"axolotl", "axolotl.utils", "axolotl.utils.data", "axolotl.utils.collators"}
    assert stand_ins == {name for name, one in told.items() if one["stub"]}


def test_anything_else_is_a_clear_error():
    """A name says that axolotl is not installed, a submodule that it is not there."""
    code = """
import fast_axolotl, axolotl
for line in ('axolotl.train', 'from axolotl import cli', 'import axolotl.cli',
             'from axolotl.cli import train', 'axolotl.utils.data.prepare_datasets',
             'from axolotl.utils.data import load_tokenized_prepared_datasets'):
    try:
        exec(line)
    except (AttributeError, ImportError) as error:
        tell(line=line, kind=type(error).__name__, error=str(error))
tell(line='hasattr', kind=hasattr(axolotl, '__version__'))
"""
    told = {one["line"]: one for one in _absent(code)}
    assert "axolotl is not installed" in told["axolotl.train"]["error"]
    assert "pip install axolotl" in told["axolotl.utils.data.prepare_datasets"]["error"]
    assert "No module named 'axolotl.cli'" == told["import axolotl.cli"]["error"]
    assert told["hasattr"]["kind"] is False
    # Where axolotl is hidden and not absent its metadata lets the function of its newer ones in.
    newer = SpecifierSet(">=0.10").contains(support.metadata_version() or "0", prereleases=True)
    assert 7 - newer == len(told)


def test_the_modules_have_the_functions():
    """Each name of the documentation's table, and of 0.2.0, is the package's own object."""
    code = """
import fast_axolotl as fa
import axolotl.rust_ext.axolotl_ext as ext
from axolotl.utils import collators, data
from axolotl.utils.data import rust_streaming as rs, rust_wrapper as rw
tell(same=[
    ext.streaming_dataset_reader is rs.streaming_dataset_reader is fa.streaming_dataset_reader,
    rs.RUST_EXTENSION_AVAILABLE is True, rs.get_rust_extension_status is fa.is_available,
    rw.is_rust_streaming_available is fa.is_available,
    rw.load_dataset_with_rust_streaming is fa.streaming_dataset_reader,
    rw.RustStreamingDataset is fa.RustStreamingDataset,
    rw.create_rust_streaming_dataset is fa.create_rust_streaming_dataset,
    rw.should_use_rust_streaming is fa.should_use_rust_streaming,
    data.fast_parallel_hash_rows is fa.parallel_hash_rows,
    data.fast_deduplicate_indices is fa.deduplicate_indices,
    data.streaming_dataset_reader is fa.streaming_dataset_reader,
    collators.fast_pad_sequences is fa.pad_sequences,
    collators.fast_create_padding_mask is fa.create_padding_mask,
])
"""
    assert [True] * 13 == _absent(code)[0]["same"]


# -- install, uninstall and their answers ---------------------------------------------------------


def test_install_and_uninstall_answer_whether_they_did_it():
    """As in 0.2.0: True, then False."""
    with served() as fa:
        assert fa.install() is False
        assert fa.uninstall() is True
        assert fa.uninstall() is False
        assert fa.install() is True
        assert fa.install() is False


def test_a_selective_call_turns_on_those_shims_only():
    """What the import turned on goes; further calls add; `install()` completes."""
    code = """
import fast_axolotl as fa
def parts():
    from axolotl.utils import collators, data
    return [n for n, on in (('streaming', 'axolotl.utils.data.rust_streaming' in sys.modules),
        ('hashing', hasattr(data, 'fast_parallel_hash_rows')),
        ('collators', hasattr(collators, 'fast_pad_sequences'))) if on]
tell(on=parts())
tell(answer=fa.install_hashing_shim(), on=parts())
tell(answer=fa.install_hashing_shim(), on=parts())
tell(answer=fa.install_collator_shim(), on=parts())
tell(answer=fa.install_streaming_shim(), on=parts())
fa.uninstall()
tell(answer=fa.install_streaming_shim(), on=parts())
tell(answer=fa.install(), on=parts())
tell(answer=fa.install_hashing_shim(), on=parts())
"""
    every = ["streaming", "hashing", "collators"]
    expected = [
        {"on": every},
        {"answer": True, "on": ["hashing"]},
        {"answer": False, "on": ["hashing"]},
        {"answer": True, "on": ["hashing", "collators"]},
        {"answer": True, "on": every},
        {"answer": True, "on": ["streaming"]},
        {"answer": True, "on": every},
        {"answer": False, "on": every},
    ]
    assert expected == _absent(code)


def test_the_users_word_stands():
    """What SHIMHUB_DISABLE or --disable names stays off, and `install()` says so."""
    code = "import fast_axolotl as fa; tell(answer=fa.install(), here=here())"
    off = {"answer": False, "here": []}
    assert [off] == _absent(code, SHIMHUB_DISABLE="fast-axolotl-modules")
    assert [off] == _absent(code, hub=("--disable", "fast-axolotl-modules"))


def test_what_a_process_turned_off_stays_off(site):
    """Neither the import nor `install()` undoes `disable` of a glob that they know, too."""
    code = """
import shimhub
shimhub.install(disable="axolotl/dedup/*")
def off():
    return shimhub.status()["axolotl/dedup/deduplicate"].reason
import fast_axolotl as fa
tell(off=off(), again=fa.install())
fa.uninstall()
tell(off=fa.install() and off(), again=fa.install())
"""
    expected = {"off": "disabled by 'axolotl/dedup/*'", "again": False}
    assert [expected, expected] == _told(code, path=(site,))


def test_functions_work_after_uninstall():
    """The documentation falls back to them."""
    with served() as fa:
        fa.uninstall()
        assert 1 == len(fa.parallel_hash_rows(["a"]))
        from fast_axolotl import streaming_dataset_reader

        assert streaming_dataset_reader is fa.streaming_dataset_reader


def test_the_hubs_uninstall_takes_all_of_it():
    """`shimhub.uninstall()` leaves no module of ours; `install()` brings them again."""
    code = """
import fast_axolotl as fa, shimhub
shimhub.uninstall()
tell(here=here(), fast='fast_axolotl' in sys.modules)
tell(fast=fa.install(), here=len(here()))
"""
    told = _absent(code)
    assert [{"here": [], "fast": False}, {"here": 8, "fast": True}] == told


def test_verbose_logging_says_what_is_done():
    """Debug logging of the standard library shows each shim with its verdict and reason."""
    code = "import logging\nlogging.basicConfig(level=logging.DEBUG)\nimport fast_axolotl"
    told = run(code, hide=BOTH).stderr
    assert "INFO:fast_axolotl:shims installed: collators, hashing, rest, streaming" in told
    lines = [line for line in told.splitlines() if "DEBUG:fast_axolotl:" in line]
    assert any("fast_axolotl/hashing/fast_parallel_hash_rows" in line for line in lines)
    assert not any("torch" in line for line in lines)
    assert "" == run("import fast_axolotl").stderr


def test_many_threads_leave_it_whole():
    """Threads that install and uninstall at once: no error, and the last word counts."""
    code = """
import threading, fast_axolotl as fa
errors = []
def work():
    for _ in range(5):
        for one in (fa.install, fa.uninstall, fa.install_hashing_shim):
            try:
                one()
            except Exception as error:
                errors.append(repr(error))
threads = [threading.Thread(target=work) for _ in range(3)]
for one in threads: one.start()
for one in threads: one.join()
fa.uninstall()
tell(errors=errors, here=here())
tell(errors=[fa.install()], here=here())
"""
    expected = [{"errors": [], "here": []}, {"errors": [True], "here": sorted(EIGHT)}]
    assert expected == _absent(code)


def test_another_processs_registry_that_is_broken_is_no_half_install():
    """An install that fails answers False, logs why, and leaves nothing behind."""
    code = """
import fast_axolotl as fa, os
fa.uninstall()
os.environ['SHIMHUB_DISABLE'] = 'no-such-thing'
import shimhub
shimhub.uninstall()
tell(answer=fa.install(), here=here())
"""
    done = run(HEAD + code, hide=BOTH)
    assert {"answer": False, "here": []} == json.loads(done.stdout)
    assert "no-such-thing" in done.stderr


# -- with axolotl ---------------------------------------------------------------------------------


def test_nothing_of_axolotl_is_imported_early(site):
    """The import and `install()` leave axolotl to the user."""
    code = "import fast_axolotl as fa; fa.uninstall(); fa.install(); tell(here=here())"
    assert [{"here": []}] == _told(code, path=(site,))


ORDERS = {
    "fast_axolotl first": "import fast_axolotl\nimport axolotl.utils.collators.batching\n",
    "axolotl first": "import axolotl.utils.collators.batching\nimport fast_axolotl\n",
    "a part of axolotl first": "import axolotl\nimport fast_axolotl\n",
}


@pytest.mark.parametrize("order", ORDERS)
def test_axolotl_is_importable_in_any_order(site, order):
    """0.2.0 makes it unimportable in the documented order, and `find_spec` a ValueError."""
    code = f"""
{ORDERS[order]}
from axolotl.utils.collators import DataCollatorForSeq2Seq
from axolotl.cli import train
import axolotl.utils.data as data, axolotl
tell(file=axolotl.__file__, found=importlib.util.find_spec('axolotl').origin,
     stub=hasattr(axolotl, '__stub__'), mark=data.__fast_axolotl_shimmed__,
     names=[n for n in vars(data) if n.startswith('fast_')])
from axolotl.utils.data import rust_streaming, rust_wrapper
import axolotl.rust_ext.axolotl_ext
fast_axolotl.uninstall()
tell(left=[n for n in here() if 'rust' in n], mark=hasattr(data, '__fast_axolotl_shimmed__'),
     attributes=[n for m in (axolotl, axolotl.utils, data, axolotl.utils.collators)
                 for n in vars(m) if 'rust' in n or 'fast' in n],
     train=callable(train), kept=sys.modules['axolotl'] is axolotl)
import axolotl.utils.collators.batching
"""
    first, after = _told(code, path=(site,))
    real = str(site / "axolotl/__init__.py")
    assert {"file": real, "found": real, "stub": False, "mark": True} == {
        key: first[key] for key in ("file", "found", "stub", "mark")
    }
    assert {"fast_parallel_hash_rows", "fast_deduplicate_indices"} == set(first["names"])
    expected = {"left": [], "mark": False, "attributes": [], "train": False, "kept": True}
    assert expected == after


def test_children_of_imported_packages_come_with_install(site):
    """As in 0.2.0: with axolotl imported, its new modules are there at once, and bound."""
    code = """
import axolotl.utils.data
import fast_axolotl
tell(here=[n for n in here() if 'rust' in n], bound=hasattr(axolotl.utils.data, 'rust_wrapper'))
"""
    every = [name for name in sorted(EIGHT) if "rust" in name]
    assert [{"here": every, "bound": True}] == _told(code, path=(site,))


def test_a_real_child_is_never_shadowed(tmp_path):
    """A release that had one of the modules would be left as it is."""
    other = write_package(tmp_path)
    (other / "axolotl/rust_ext").mkdir()
    (other / "axolotl/rust_ext/__init__.py").write_text("REAL = True\n")
    (other / "axolotl/utils/data/rust_streaming.py").write_text("REAL = True\n")
    code = """
import fast_axolotl
import axolotl.rust_ext, axolotl.utils.data.rust_streaming as child
tell(real=axolotl.rust_ext.REAL, child=child.REAL)
fast_axolotl.uninstall()
tell(real=axolotl.rust_ext.REAL, child=sys.modules[child.__name__] is child)
"""
    assert [{"real": True, "child": True}] * 2 == _told(code, path=(other,))


def test_a_module_that_is_called_trains(site):
    """`train()` takes the configuration from the command line, as the module itself does."""
    code = """
import fast_axolotl
from axolotl.cli import train
import axolotl.cli.train as again, inspect, pickle, types
train()
train('mine.yaml', learning_rate=1)
tell(module=inspect.ismodule(train), same=again is train is sys.modules['axolotl.cli.train'],
     name=type(train).__name__, file=train.__file__.endswith('train.py'), text=repr(train)[:27])
fast_axolotl.uninstall()
tell(plain=type(train) is types.ModuleType)
"""
    done = run(HEAD + code, "my.yaml", path=(site,)).stdout.splitlines()
    assert ["trained my.yaml {}", "trained mine.yaml {'learning_rate': 1}"] == done[:2]
    told = {"module": True, "same": True, "name": "module", "file": True}
    assert told | {"text": "<module 'axolotl.cli.train'"} == json.loads(done[2])
    assert {"plain": True} == json.loads(done[3])


def test_names_that_later_releases_lack_are_there(site):
    """`load_tokenized_prepared_datasets` as in 0.9, `deduplicate_dataset` as in 0.6 to 0.9."""
    code = """
import fast_axolotl, types
from axolotl.utils.data import deduplicate_dataset, load_tokenized_prepared_datasets as load
class Rows(list):
    def select(self, indices): return [self[i] for i in indices]
for said in (None, 'mine'):
    cfg = types.SimpleNamespace(dataset_prepared_path=said)
    tell(found=load('tokenizer', cfg, 'default', split='test', preprocess_iterable=True),
         kept=cfg.dataset_prepared_path)
seen = {}
rows = Rows([{'a': 1}, {'a': 2}, {'a': 1}])
tell(found=deduplicate_dataset(rows, seen), indices=sorted(seen.values()))
tell(found=deduplicate_dataset(Rows([{'a': 3}, {'a': 2}]), seen, rows), indices=None)
"""
    default, mine, kept, other = _told(code, path=(site,))
    assert [["tokenizer", "default", "test", None, True], []] == default["found"]
    assert default["kept"] is None
    assert ("mine", "mine") == (mine["found"][0][1], mine["kept"])
    assert {"found": [{"a": 1}, {"a": 2}], "indices": [[0], [1]]} == kept
    assert [{"a": 3}] == other["found"]
