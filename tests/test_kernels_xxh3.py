"""XXH3 in C and in Python, against PyPI's xxhash."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shimhub.kernels import _loading
from shimhub.kernels._reference import xxh3

xxhash = pytest.importorskip("xxhash")

SEEDS = st.sampled_from([0, 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
#: All rules for the length, and both sides of where they change.
LENGTHS = [*range(34), 63, 64, 96, 127, 128, 129, 160, 239, 240, 241, 511, 512, 513]
LONG = [1023, 1024, 1025, 1088, 2047, 2048, 2049, 3073, 10_000]


@settings(deadline=None)
@given(st.binary(max_size=600), SEEDS)
@example(bytes(range(241)), 1)
def test_reference_is_xxhashs(data, seed):
    """The Python version gives what xxHash gives."""
    assert xxhash.xxh3_64_intdigest(data, seed) == xxh3.xxh3_64(data, seed)
    assert xxhash.xxh3_128_intdigest(data, seed) == xxh3.xxh3_128(data, seed)


@pytest.mark.parametrize("length", LENGTHS + LONG)
def test_reference_at_every_rules_ends(length):
    """So it does at the lengths where the rule changes."""
    data = np.random.default_rng(length).bytes(length)
    for seed in (0, 7, 2**64 - 1):
        assert xxhash.xxh3_64_intdigest(data, seed) == xxh3.xxh3_64(data, seed)
        assert xxhash.xxh3_128_intdigest(data, seed) == xxh3.xxh3_128(data, seed)


def native_hashes(native, rows, seed):
    """Return the 64-bit and the 128-bit hashes of the C library."""
    ffi, lib = native.ffi, native.lib
    kept = [ffi.from_buffer(row) for row in rows]
    pointers = ffi.new("shimhub_bytes[]", [(one, len(one)) for one in kept])
    short, long = ffi.new("uint64_t[]", len(rows)), ffi.new("shimhub_hash128[]", len(rows))
    assert lib.SHIMHUB_OK == lib.shimhub_xxh3_64(pointers, len(rows), seed, short)
    assert lib.SHIMHUB_OK == lib.shimhub_xxh3_128(pointers, len(rows), seed, long)
    return list(short), [one.high << 64 | one.low for one in long]


@pytest.mark.parametrize("seed", [0, 0x9E3779B185EBCA87, 2**64 - 1])
def test_every_lane_is_xxhashs(seed):
    """Rows of all lengths up to 600, and long ones, have xxHash's hashes with any lanes."""
    native = _loading.native()
    if native is None:
        pytest.skip("the native library is not here")
    draw = np.random.default_rng(5)
    rows = [draw.bytes(length) for length in [*range(601), *LONG]]
    short = [xxhash.xxh3_64_intdigest(row, seed) for row in rows]
    long = [xxhash.xxh3_128_intdigest(row, seed) for row in rows]
    before = native.lib.shimhub_lanes()
    try:
        for mask in (one for one in range(before + 1) if not one & ~before):
            native.lib.shimhub_lanes_use(mask)
            assert (short, long) == native_hashes(native, rows, seed)
    finally:
        native.lib.shimhub_lanes_use(before)
