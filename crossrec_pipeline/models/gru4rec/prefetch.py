"""A row of a table in; its cells on their way into the processor's cache (compiled code only)."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_CACHE_LINE_BYTES = 64


def _type_and_generate(typing_context: Any, table: Any, row: Any) -> Any:
    """Type the call, and say how to make its instructions."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, arguments[0])
        zero = context.get_constant(types.intp, 0)
        cell = cgutils.get_item_pointer(
            context, builder, array_type, array, [arguments[1], zero], wraparound=False
        )
        byte_pointer, int_32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        begin = builder.bitcast(cell, byte_pointer)
        width = cgutils.unpack_tuple(builder, array.shape)[1]
        n_bytes = builder.mul(
            width, context.get_constant(types.intp, array_type.dtype.bitwidth // 8)
        )
        # Arguments of the instruction: address, to be written (1), keep it near (3), data (1).
        function_type = ir.FunctionType(ir.VoidType(), [byte_pointer, int_32, int_32, int_32])
        prefetch = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        line = context.get_constant(types.intp, _CACHE_LINE_BYTES)
        with cgutils.for_range_slice(builder, zero, n_bytes, line) as (offset, _):
            address = builder.gep(begin, [offset])
            builder.call(prefetch, [address, int_32(1), int_32(3), int_32(1)])
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


prefetch_row = cast("Callable[[np.ndarray, int], None]", intrinsic(_type_and_generate))
"""Ask for a row of a table [n, D], by its number, that will be read and written soon.

Rows that a step touches lie anywhere in their tables. Without this the processor waits for each of
them in turn: about a third of the time of an update.
"""
