"""Imports and installs in several orders with the real axolotl: importable, replaced, restored."""

from __future__ import annotations

import pytest

from tests.axolotl import support
from tests.axolotl.served import run_blocks

VERSION = support.require()
pytestmark = pytest.mark.slow

HEAD = """
import importlib.util, sys
import accelerate
accelerate.PartialState(cpu=True)  # before 0.9 loggers want it
def look():
    global axolotl, data, collators, CALL
    import axolotl, axolotl.utils.data as data, axolotl.utils.collators as collators
    from axolotl.utils.collators.batching import DataCollatorForSeq2Seq
    assert axolotl.utils.collators.DataCollatorForSeq2Seq is DataCollatorForSeq2Seq
    assert not hasattr(axolotl, '__stub__') and importlib.util.find_spec('axolotl').origin
    CALL = vars(DataCollatorForSeq2Seq)['__call__']
def replaced():
    look()
    return hasattr(CALL, '__shimhub__')
def added():
    look()
    names = ('fast_parallel_hash_rows', 'streaming_dataset_reader', 'deduplicate_dataset',
             '__fast_axolotl_shimmed__')
    found = {hasattr(data, name) for name in names}
    found |= {hasattr(collators, 'fast_pad_sequences')}
    assert hasattr(data, 'load_tokenized_prepared_datasets') in (True, *found)
    assert len(found) == 1, found
    return found.pop()
def children():
    return sorted(name for name in sys.modules if name.startswith('axolotl.') and 'rust' in name)
def attributes():
    return [n for m in (axolotl, axolotl.utils, data, collators) for n in vars(m) if 'rust' in n]
"""
ORDERS = {
    "as documented": """
import fast_axolotl
fast_axolotl.install()
assert not children() and 'axolotl' not in sys.modules
assert added() and replaced()
import axolotl.rust_ext.axolotl_ext, axolotl.utils.data.rust_wrapper
assert axolotl.rust_ext.axolotl_ext.streaming_dataset_reader
assert fast_axolotl.uninstall() and not added() and not replaced()
assert not children() and not attributes()
assert fast_axolotl.install() and added() and replaced() and len(children()) == 4
""",
    "axolotl first": """
import shimhub
shimhub.uninstall()
look()
native = CALL
assert not replaced() and not added()
shimhub.install()
assert replaced() and not added()
import fast_axolotl
assert replaced() and added() and len(children()) == 4
fast_axolotl.uninstall()
look()
assert CALL is native and not added() and not children() and not attributes()
fast_axolotl.install()
assert replaced() and added()
shimhub.uninstall()
look()
assert CALL is native and not added() and not children() and not attributes()
""",
    "uninstalled before axolotl": """
import fast_axolotl
fast_axolotl.uninstall()
assert not replaced() and not added() and not children()
fast_axolotl.install()
assert replaced() and added()
""",
    "selected": """
import fast_axolotl
fast_axolotl.install_hashing_shim()
look()
assert not replaced() and hasattr(data, 'fast_parallel_hash_rows')
assert not hasattr(collators, 'fast_pad_sequences') and not children()
fast_axolotl.install_collator_shim()
assert replaced() and hasattr(collators, 'fast_pad_sequences')
fast_axolotl.uninstall()
assert not replaced() and not added()
""",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What became of each order, in a fork of a process that has axolotl's libraries."""
    folder = tmp_path_factory.mktemp("orders")
    return run_blocks(folder, {name: HEAD + code for name, code in ORDERS.items()})


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_holds(answers, name):
    """What it asserts, in a process of its own."""
    code, told = answers[name]
    assert 0 == code, told


def test_added_functions_do_what_the_releases_did(tmp_path):
    """`deduplicate_dataset` with a dict of hashes, over two data sets, in every release."""
    code = """
import hashlib
import fast_axolotl
from axolotl.utils.data import deduplicate_dataset, load_tokenized_prepared_datasets
from datasets import Dataset
train = Dataset.from_dict({'a': [1, 2, 1, 3, 2], 'b': list('xyxzy')})
other = Dataset.from_dict({'a': [9, 1, 9], 'b': list('wxw')})
seen = {}
kept = deduplicate_dataset(train, seen)
assert list(kept['a']) == [1, 2, 3], kept
hashes = [hashlib.sha256(str(row).encode()).hexdigest() for row in kept]
assert seen == dict(zip(hashes, ([0], [1], [3]))), seen
assert list(deduplicate_dataset(other, seen, train)['a']) == [9]
"""
    ((code, told),) = run_blocks(tmp_path, {"dedup": HEAD + code}).values()
    assert 0 == code, told
