"""Sixty-four floats in; one bit for each that is higher than another out (compiled code only)."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64
"""Floats that are compared at once: as many as a mask has bits."""


def _in_order(builder: Any, bits: Any, width: int) -> Any:
    """Turn over all but the sign of negative floats: their bits are then in the floats' order."""
    sign = builder.ashr(bits, ir.Constant(bits.type, [width - 1] * LANES))
    all_but_sign = ir.Constant(bits.type, [2 ** (width - 1) - 1] * LANES)
    return builder.xor(bits, builder.and_(sign, all_but_sign))


def _higher(typing_context: Any, bits: Any, row: Any, column: Any, threshold: Any) -> Any:
    """Type the call, and say how to make its instructions."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        width = array_type.dtype.bitwidth
        array = context.make_array(array_type)(context, builder, arguments[0])
        cell = cgutils.get_item_pointer(
            context, builder, array_type, array, list(arguments[1:3]), wraparound=False
        )
        vector = ir.VectorType(ir.IntType(width), LANES)
        loaded = builder.load(builder.bitcast(cell, vector.as_pointer()), align=width // 8)
        undefined = ir.Constant(vector, ir.Undefined)
        threshold_bits = arguments[3]
        if width < threshold_bits.type.width:
            threshold_bits = builder.trunc(threshold_bits, ir.IntType(width))
        one = builder.insert_element(undefined, threshold_bits, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        thresholds = builder.shuffle_vector(one, undefined, zeros)
        higher = builder.icmp_signed(">", _in_order(builder, loaded, width), thresholds)
        return builder.bitcast(higher, ir.IntType(LANES))

    return types.uint64(bits, types.intp, types.intp, types.int64), generate


def _n_bits(typing_context: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


def _lowest_bit(typing_context: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate


higher_than = cast("Callable[[np.ndarray, int, int, int], np.uint64]", intrinsic(_higher))
"""``higher_than(bits, row, column, threshold)``: which of `LANES` floats are higher.

`bits` are those of floats, as integers of their width [R, C]; the floats are those from `column` on
in a row, and all of them lie in the array. `threshold` is such an integer too, in the order of
`_in_order`. A NaN is higher than infinity.
"""

n_bits = cast("Callable[[np.uint64], int]", intrinsic(_n_bits))
"""How many bits of a mask are set."""

lowest_bit = cast("Callable[[np.uint64], int]", intrinsic(_lowest_bit))
"""Number of the lowest bit of a mask that is not empty."""
