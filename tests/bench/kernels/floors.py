"""What no kernel can beat: reading the bytes once, on one core."""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.kernels.harness import Call, NotHere

READ = "read every byte once (C loop, one core)"

_SOURCE = """\
#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint64_t shimhub_bench_read(const unsigned char *data, size_t size)
{
    uint64_t sums[32] = {0};
    for (; size >= sizeof sums; data += sizeof sums, size -= sizeof sums) {
        uint64_t words[32];
        memcpy(words, data, sizeof words);
        for (int at = 0; at < 32; at++)
            sums[at] ^= words[at];
    }
    for (int at = 1; at < 32; at++)
        sums[0] ^= sums[at];
    return sums[0];
}
"""


@functools.cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        source, built = Path(folder, "read.c"), Path(folder, "read.so")
        source.write_text(_SOURCE, encoding="ascii")
        command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", str(built)]
        try:
            subprocess.run(command, check=True)
        except FileNotFoundError:
            raise NotHere("not installed (cc, which compiles the loop)") from None
        return ctypes.CDLL(str(built))


def read(texts: Any) -> Call:
    """Return the call that xors all bytes of the texts of one Arrow array, as words."""
    function = _library().shimhub_bench_read
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_uint64
    buffer = texts.buffers()[2]
    return Call(function, (buffer.address, buffer.size), answer=None, note="the floor")
