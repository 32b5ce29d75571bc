"""Stand-in for ``triton.language``: the names that kernel definitions mention, without a compiler.

Origin: https://triton-lang.org/main/python-api/triton.language.html (names only).
Types and ``constexpr`` are plain values; every operation raises with the cure when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

_CURE = "Triton is not installed: `pip install triton`, or choose an option that does not use it"

_TYPES = """
    void int1 int8 int16 int32 int64 uint8 uint16 uint32 uint64 float8e4b15 float8e4b8 float8e4nv
    float8e5 float8e5b16 float16 bfloat16 float32 float64
"""
_OPERATIONS = """
    abs add advance arange argmax argmin assume associative_scan atomic_add atomic_and atomic_cas
    atomic_max atomic_min atomic_or atomic_xchg atomic_xor broadcast broadcast_to cast cat cdiv
    ceil clamp cos cumprod cumsum debug_barrier device_assert device_print div_rn dot dot_scaled
    erf exp exp2 expand_dims fdiv flip floor fma full gather histogram inline_asm_elementwise
    interleave join load log log2 make_block_ptr make_tensor_descriptor map_elementwise max
    max_constancy max_contiguous maximum min minimum multiple_of num_programs permute program_id
    rand rand4x randint randint4x randn randn4x range ravel reduce reshape rsqrt sigmoid sin
    softmax sort split sqrt sqrt_rn static_assert static_print static_range store sum swizzle2d
    trans umulhi view where xor_sum zeros zeros_like
"""


class dtype:
    """The type of a tensor's elements; equal by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dtype) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"triton.language.{self.name}"


class pointer_type(dtype):
    """A pointer to elements of a type."""

    def __init__(self, element_ty: dtype, address_space: int = 1, const: bool = False) -> None:
        super().__init__(f"pointer<{element_ty.name}>")
        self.element_ty = element_ty
        self.address_space = address_space
        self.const = const


class constexpr:
    """A value known when the kernel is compiled; also an annotation."""

    def __init__(self, value: Any) -> None:
        self.value: Any = value.value if isinstance(value, constexpr) else value

    def __repr__(self) -> str:
        return f"constexpr[{self.value}]"


class tensor:
    """A block of values inside a kernel; only an annotation here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(_CURE)


def _operation(name: str) -> Callable[..., NoReturn]:
    def operation(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"triton.language.{name}: {_CURE}")

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = f"Raise: ``{name}`` runs only inside a compiled kernel."
    return operation


globals().update({name: dtype(name) for name in _TYPES.split()})
globals().update({name: _operation(name) for name in _OPERATIONS.split()})
__all__ = ["constexpr", "dtype", "pointer_type", "tensor", *_TYPES.split(), *_OPERATIONS.split()]
