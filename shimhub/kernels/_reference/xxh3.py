"""XXH3 with 64 and 128 bits in plain Python: slow, and right.

Written from the specification, whose names it has:
https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md (0.2.0).
"""

from __future__ import annotations

import struct
from typing import Final

_M32: Final = 0xFFFFFFFF
_M64: Final = 0xFFFFFFFFFFFFFFFF
_P32_1: Final = 0x9E3779B1
_P32_2: Final = 0x85EBCA77
_P32_3: Final = 0xC2B2AE3D
_P64_1: Final = 0x9E3779B185EBCA87
_P64_2: Final = 0xC2B2AE3D27D4EB4F
_P64_3: Final = 0x165667B19E3779F9
_P64_4: Final = 0x85EBCA77C2B2AE63
_P64_5: Final = 0x27D4EB2F165667C5
_MX1: Final = 0x165667919E3779F9
_MX2: Final = 0x9FB21C651E98DF25
_INITIAL: Final = (_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1)
_SECRET: Final = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE: Final = 64
_STRIPES: Final = 16  # of a block; the secret moves on by 8 bytes each
_SCRAMBLE: Final = len(_SECRET) - _STRIPE


def xxh3_64(data: bytes, seed: int) -> int:
    """Return XXH3_64bits_withSeed of ``data``, 0 <= seed < 2^64. O(bytes)."""
    size = len(data)
    if size <= 16:
        return _hash64_small(data, seed)
    if size <= 128:
        mixed = sum(_mix(data, at, offset, seed) for at, offset in _ends(size))
        return _avalanche(size * _P64_1 + mixed)
    if size <= 240:
        return _hash64_129to240(data, seed)
    sums, secret = _large(data, seed)
    return _merge(sums, secret, 11, size * _P64_1)


def xxh3_128(data: bytes, seed: int) -> int:
    """Return XXH3_128bits_withSeed of ``data``, 0 <= seed < 2^64. O(bytes)."""
    low, high = _hash128(data, seed)
    return high << 64 | low


def _hash128(data: bytes, seed: int) -> tuple[int, int]:
    size = len(data)
    if size <= 16:
        return _hash128_small(data, seed)
    if size <= 240:
        return _hash128_medium(data, seed)
    sums, secret = _large(data, seed)
    high = _merge(sums, secret, len(secret) - 75, ~(size * _P64_2))
    return _merge(sums, secret, 11, size * _P64_1), high


def _words(data: bytes, offset: int, count: int) -> tuple[int, ...]:
    return struct.unpack_from(f"<{count}Q", data, offset)


def _pair(offset: int) -> int:
    """Two words of the secret, xor-ed."""
    first, second = _words(_SECRET, offset, 2)
    return first ^ second


def _fold(x: int, y: int) -> int:
    product = (x & _M64) * (y & _M64)
    return product & _M64 ^ product >> 64


def _swap32(x: int) -> int:
    return int.from_bytes((x & _M32).to_bytes(4, "little"), "big")


def _swap64(x: int) -> int:
    return int.from_bytes((x & _M64).to_bytes(8, "little"), "big")


def _rotate(x: int, count: int, bits: int) -> int:
    return (x << count | x >> (bits - count)) & (1 << bits) - 1


def _avalanche(x: int) -> int:
    x &= _M64
    x = (x ^ x >> 37) * _MX1 & _M64
    return x ^ x >> 32


def _avalanche_xxh64(x: int) -> int:
    x &= _M64
    x = (x ^ x >> 33) * _P64_2 & _M64
    x = (x ^ x >> 29) * _P64_3 & _M64
    return x ^ x >> 32


def _mix(data: bytes, at: int, offset: int, seed: int) -> int:
    (first, second), (low, high) = _words(data, at, 2), _words(_SECRET, offset, 2)
    return _fold(first ^ (low + seed) & _M64, second ^ (high - seed) & _M64)


def _ends(size: int) -> list[tuple[int, int]]:
    """Where 16 bytes of data lie, from both ends inwards, and the secret's 16 bytes for them."""
    return [
        (at, offset)
        for i in reversed(range((size - 1) // 32 + 1))
        for at, offset in ((16 * i, 32 * i), (size - 16 * i - 16, 32 * i + 16))
    ]


def _combined(data: bytes) -> int:
    """1 to 3 bytes, and how many, in 32 bits."""
    size = len(data)
    return data[-1] | size << 8 | data[0] << 16 | data[size >> 1] << 24


def _hash64_small(data: bytes, seed: int) -> int:
    size = len(data)
    if size == 0:
        return _avalanche_xxh64(seed ^ _pair(56))
    if size <= 3:
        low, high = struct.unpack_from("<2I", _SECRET)
        return _avalanche_xxh64(((low ^ high) + seed) & _M64 ^ _combined(data))
    return _hash64_4to8(data, seed) if size <= 8 else _hash64_9to16(data, seed)


def _hash64_4to8(data: bytes, seed: int) -> int:
    combined = int.from_bytes(data[-4:], "little") | int.from_bytes(data[:4], "little") << 32
    x = (_pair(8) - (seed ^ _swap32(seed) << 32)) & _M64 ^ combined
    x ^= _rotate(x, 49, 64) ^ _rotate(x, 24, 64)
    x = x * _MX2 & _M64
    x = (x ^ (x >> 35) + len(data)) * _MX2 & _M64
    return x ^ x >> 28


def _hash64_9to16(data: bytes, seed: int) -> int:
    size = len(data)
    low = (_pair(24) + seed) & _M64 ^ _words(data, 0, 1)[0]
    high = (_pair(40) - seed) & _M64 ^ _words(data, size - 8, 1)[0]
    return _avalanche(size + _swap64(low) + high + _fold(low, high))


def _hash64_129to240(data: bytes, seed: int) -> int:
    size = len(data)
    first = sum(_mix(data, 16 * i, 16 * i, seed) for i in range(8))
    rest = sum(_mix(data, 16 * i, 16 * (i - 8) + 3, seed) for i in range(8, size // 16))
    last = _mix(data, size - 16, 119, seed)
    return _avalanche(_avalanche(size * _P64_1 + first) + rest + last)


def _hash128_small(data: bytes, seed: int) -> tuple[int, int]:
    size = len(data)
    if size == 0:
        return _avalanche_xxh64(seed ^ _pair(64)), _avalanche_xxh64(seed ^ _pair(80))
    if size <= 3:
        low, high = struct.unpack_from("<2I", _SECRET, 8)
        turned = _rotate(_swap32(_combined(data)), 13, 32)
        return _hash64_small(data, seed), _avalanche_xxh64(((low ^ high) - seed) & _M64 ^ turned)
    return _hash128_4to8(data, seed) if size <= 8 else _hash128_9to16(data, seed)


def _hash128_4to8(data: bytes, seed: int) -> tuple[int, int]:
    combined = int.from_bytes(data[:4], "little") | int.from_bytes(data[-4:], "little") << 32
    value = (_pair(16) + (seed ^ _swap32(seed) << 32)) & _M64 ^ combined
    product = value * (_P64_1 + (len(data) << 2))
    low = product & _M64
    high = (product >> 64) + (low << 1) & _M64
    low ^= high >> 3
    low = (low ^ low >> 35) * _MX2 & _M64
    return low ^ low >> 28, _avalanche(high)


def _hash128_9to16(data: bytes, seed: int) -> tuple[int, int]:
    size = len(data)
    first, last = _words(data, 0, 1)[0], _words(data, size - 8, 1)[0]
    product = ((_pair(32) - seed) & _M64 ^ first ^ last) * _P64_1
    value = (_pair(48) + seed) & _M64 ^ last
    low = product + ((size - 1) << 54) & _M64
    high = (product >> 64) + value + (value & _M32) * (_P32_2 - 1) & _M64
    product = (low ^ _swap64(high)) * _P64_2
    return _avalanche(product), _avalanche((product >> 64) + high * _P64_2)


def _mix_two(
    sums: tuple[int, int], data: bytes, at: tuple[int, int], offset: int, seed: int
) -> tuple[int, int]:
    low = sums[0] + _mix(data, at[0], offset, seed) & _M64
    high = sums[1] + _mix(data, at[1], offset + 16, seed) & _M64
    return low ^ sum(_words(data, at[1], 2)) & _M64, high ^ sum(_words(data, at[0], 2)) & _M64


def _hash128_medium(data: bytes, seed: int) -> tuple[int, int]:
    size = len(data)
    mix = _mix_17to128 if size <= 128 else _mix_129to240
    low, high = mix((size * _P64_1 & _M64, 0), data, seed)
    folded = low * _P64_1 + high * _P64_4 + (size - seed) * _P64_2
    return _avalanche(low + high), -_avalanche(folded) & _M64


def _mix_17to128(sums: tuple[int, int], data: bytes, seed: int) -> tuple[int, int]:
    size = len(data)
    for i in reversed(range((size - 1) // 32 + 1)):
        sums = _mix_two(sums, data, (16 * i, size - 16 * i - 16), 32 * i, seed)
    return sums


def _mix_129to240(sums: tuple[int, int], data: bytes, seed: int) -> tuple[int, int]:
    size = len(data)
    for i in range(4):
        sums = _mix_two(sums, data, (32 * i, 32 * i + 16), 32 * i, seed)
    sums = _avalanche(sums[0]), _avalanche(sums[1])
    for i in range(4, size // 32):
        sums = _mix_two(sums, data, (32 * i, 32 * i + 16), 32 * (i - 4) + 3, seed)
    return _mix_two(sums, data, (size - 16, size - 32), 103, -seed & _M64)


def _derive(seed: int) -> bytes:
    """Return the secret that a seed gives long inputs."""
    words = _words(_SECRET, 0, 24)
    return struct.pack(
        "<24Q", *(word + (-seed if i & 1 else seed) & _M64 for i, word in enumerate(words))
    )


def _accumulate(sums: list[int], data: bytes, at: int, secret: bytes, offset: int) -> None:
    pairs = zip(_words(data, at, 8), _words(secret, offset, 8), strict=True)
    for i, (word, key) in enumerate(pairs):
        value = word ^ key
        sums[i ^ 1] = sums[i ^ 1] + word & _M64
        sums[i] = sums[i] + (value & _M32) * (value >> 32) & _M64


def _scramble(sums: list[int], secret: bytes) -> None:
    for i, key in enumerate(_words(secret, _SCRAMBLE, 8)):
        sums[i] = (sums[i] ^ sums[i] >> 47 ^ key) * _P32_1 & _M64


def _large(data: bytes, seed: int) -> tuple[list[int], bytes]:
    """Return the accumulators of an input of more than 240 bytes, and its secret."""
    sums, secret, size = list(_INITIAL), _derive(seed), len(data)
    for n in range((size - 1) // _STRIPE):
        _accumulate(sums, data, n * _STRIPE, secret, 8 * (n % _STRIPES))
        if n % _STRIPES == _STRIPES - 1:  # the end of a block that is not the last
            _scramble(sums, secret)
    _accumulate(sums, data, size - _STRIPE, secret, _SCRAMBLE - 7)
    return sums, secret


def _merge(sums: list[int], secret: bytes, offset: int, result: int) -> int:
    keys = _words(secret, offset, 8)
    for i in range(0, 8, 2):
        result += _fold(sums[i] ^ keys[i], sums[i + 1] ^ keys[i + 1])
    return _avalanche(result)
