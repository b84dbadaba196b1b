"""How kernels are compiled. Only the ``_*_loop`` modules import this: it imports numba.

Bits are part of the contract (semantics.md, item 49), so a kernel may use no ``fastmath``: without
it numba marks no operation ``contract`` or ``reassoc``, and LLVM fuses ``a * b + c`` only where
both operations carry ``contract``. The tests hold the kernels to the bits of plain Python.
``error_model="numpy"`` makes a division IEEE (no ZeroDivisionError branch), which is what lets
LLVM vectorise it.

``float(x)`` of a float32 is a float32 in numba, other than in Python: kernels over single precision
say ``np.float64(x)``.

numba notices a changed kernel by the time stamp of its file: after a change of the options here,
remove the ``__pycache__`` of this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
from numba import types

__all__ = ["bools", "compiled", "floats", "inlined", "ints", "array_of", "void"]

F = TypeVar("F", bound=Callable[..., Any])

void: Final = types.void
floats: Final = types.float64
ints: Final = types.int64
bools: Final = types.boolean


def array_of(item: Any, dimensions: int, *, written: bool = False) -> Any:
    """Type of a C-contiguous array argument.

    Args:
        item: Numba scalar type.
        dimensions: Number of dimensions.
        written: Whether the kernel writes to it. An argument that is only read also accepts
            read-only arrays, such as the views that Arrow gives.
    """
    return types.Array(item, dimensions, "C", readonly=not written)


def compiled(*arguments: Any) -> Callable[[F], F]:
    """Compile a kernel for one explicit signature, without the GIL, and cache the machine code."""
    signature = void(*arguments)

    def decorate(function: F) -> F:
        try:
            dispatcher = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError:
            # No folder of this installation can hold a cache (numba says so here, before it
            # compiles anything): the process pays for the compilation, results are the same.
            dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return cast("F", dispatcher)

    return decorate


def inlined(function: F) -> F:
    """Mark a part of a kernel: compiled into each kernel of the same module that calls it."""
    return cast("F", numba.njit(error_model="numpy")(function))
