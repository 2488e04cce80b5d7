"""Two rows of float32 in; the sum of their products, sixteen side by side, out (compiled only)."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
"""Columns that are multiplied at once."""

_INT = ir.IntType(32)


def _sum_of_products(typing_context: Any, one: Any, row: Any, other: Any, other_row: Any) -> Any:
    """Type the call, and say how to make its instructions."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), LANES)
        tables = [
            (table_type, context.make_array(table_type)(context, builder, table), at_row)
            for table_type, table, at_row in (
                (signature.args[0], *arguments[:2]),
                (signature.args[2], *arguments[2:]),
            )
        ]
        width = cgutils.unpack_tuple(builder, tables[0][1].shape)[1]
        whole = builder.and_(width, ir.Constant(width.type, -LANES))
        begin, step = (context.get_constant(types.intp, value) for value in (0, LANES))
        sums = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        with cgutils.for_range_slice(builder, begin, whole, step) as (column, _):
            first, second = (
                builder.load(
                    builder.bitcast(
                        cgutils.get_item_pointer(
                            context, builder, table_type, table, [at_row, column], wraparound=False
                        ),
                        vector.as_pointer(),
                    ),
                    align=4,
                )
                for table_type, table, at_row in tables
            )
            builder.store(builder.fadd(builder.load(sums), builder.fmul(first, second)), sums)
        total, n = builder.load(sums), LANES
        while n > 1:
            n //= 2
            lower, upper = (
                builder.shuffle_vector(
                    total, total, ir.Constant(ir.VectorType(_INT, n), list(range(at, at + n)))
                )
                for at in (0, n)
            )
            total = builder.fadd(lower, upper)
        return builder.extract_element(total, _INT(0))

    return types.float32(one, types.intp, other, types.intp), generate


sum_of_products = cast(
    "Callable[[np.ndarray, int, np.ndarray, int], np.float32]", intrinsic(_sum_of_products)
)
"""``sum_of_products(one, row, other, other_row)`` over all whole sixteens of their columns.

Tables are float32 [·, H]. Column k goes to sum k mod 16; of the sums, the upper half is added to
the lower until one is left. Nothing is summed in another order, or multiplied and added in one
rounding: written in Python, the compiler must keep to an order that it cannot do at once.
"""
