"""A panel of items and some queries in; their products out (compiled code only).

A panel holds `PANEL` items side by side, so that one instruction works on many of them: of float32,
column after column [width, PANEL]; of bytes, four columns after four [width / 4, PANEL, 4], as
processors multiply them.
"""

from collections.abc import Callable
from typing import Any, cast

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

PANEL = 64
"""Items of a panel."""

MOST_QUERIES = 4
"""Queries that are multiplied at once; their sums then fit into the registers."""

LANES = 16
_VECTORS = PANEL // LANES
_AHEAD = 64
"""Vectors of 64 bytes from what is read to what is asked for: a page."""
_INT, _BYTE, _FLOAT = ir.IntType(32), ir.IntType(8), ir.FloatType()
_INTS, _FLOATS = ir.VectorType(_INT, LANES), ir.VectorType(_FLOAT, LANES)
_BYTES, _SHORTS = ir.VectorType(_BYTE, 4 * LANES), ir.VectorType(ir.IntType(16), 4 * LANES)


def has_byte_products() -> bool:
    """Whether this processor multiplies and adds bytes in one instruction (AVX-512 VNNI).

    NUMBA_CPU_FEATURES, where it is set, says what the compiler may use.
    """
    given: str | None = getattr(config, "CPU_FEATURES", None)
    if given is not None:
        return "+avx512vnni" in given.split(",")
    return bool(llvm.get_host_cpu_features().get("avx512vnni"))


def _splat(builder: Any, value: Any) -> Any:
    vector = ir.VectorType(value.type, LANES)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(one, one, ir.Constant(_INTS, [0] * LANES))


def _prefetch(builder: Any, address: Any) -> None:
    """Ask for what will be read soon: by itself, a processor does not look beyond a page."""
    byte = _BYTE.as_pointer()
    # Arguments of the instruction: address, to be read (0), keep it near (3), data (1).
    signature = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
    prefetch = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    builder.call(prefetch, [builder.bitcast(address, byte), _INT(0), _INT(3), _INT(1)])


def _add_float_products(builder: Any, total: Any, items: Any, query: Any) -> Any:
    signature = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    multiply_add = cgutils.get_or_insert_function(
        builder.module, signature, f"llvm.fmuladd.v{LANES}f32"
    )
    return builder.call(multiply_add, [items, query, total])


def _add_byte_products(builder: Any, total: Any, items: Any, query: Any) -> Any:
    """Add four products of unsigned and signed bytes to each integer."""
    if has_byte_products():
        signature = ir.FunctionType(_INTS, [_INTS] * 3)
        multiply_add = cgutils.get_or_insert_function(
            builder.module, signature, "llvm.x86.avx512.vpdpbusd.512"
        )
        return builder.call(multiply_add, [total, items, query])
    products = builder.mul(
        builder.zext(builder.bitcast(items, _BYTES), _SHORTS),
        builder.sext(builder.bitcast(query, _BYTES), _SHORTS),
    )
    for first in range(4):  # 255 × 127 is below 2^15
        places = ir.Constant(_INTS, list(range(first, 4 * LANES, 4)))
        part = builder.shuffle_vector(products, products, places)
        total = builder.add(total, builder.sext(part, _INTS))
    return total


def _tile(n_queries: int) -> Callable[..., Any]:
    """Write the products of some queries with a panel."""

    def typed(
        typing_context: Any,
        panels: Any,
        panel: Any,
        queries: Any,
        starts: Any,
        first: Any,
        products: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            is_bytes = signature.args[0].dtype == types.uint8
            cell, vector = (_INT, _INTS) if is_bytes else (_FLOAT, _FLOATS)
            add = _add_byte_products if is_bytes else _add_float_products

            def pointer(argument: int, *at: Any) -> Any:
                array_type = signature.args[argument]
                array = context.make_array(array_type)(context, builder, arguments[argument])
                return cgutils.get_item_pointer(
                    context, builder, array_type, array, list(at), wraparound=False
                )

            zero = context.get_constant(types.intp, 0)
            panel_type = signature.args[0]
            shape = cgutils.unpack_tuple(
                builder, context.make_array(panel_type)(context, builder, arguments[0]).shape
            )
            items = builder.bitcast(
                pointer(0, arguments[1], *[zero] * (panel_type.ndim - 1)), vector.as_pointer()
            )
            rows = [
                builder.add(arguments[4], context.get_constant(types.intp, number))
                for number in range(n_queries)
            ]
            values = [builder.bitcast(pointer(2, row, zero), cell.as_pointer()) for row in rows]
            start = [
                _splat(builder, builder.load(pointer(3, row)))
                if is_bytes
                else ir.Constant(vector, [0.0] * LANES)
                for row in rows
            ]
            totals = [
                [cgutils.alloca_once_value(builder, start[number]) for _ in range(_VECTORS)]
                for number in range(n_queries)
            ]
            with cgutils.for_range(builder, shape[1]) as loop:
                at = builder.mul(loop.index, context.get_constant(types.intp, _VECTORS))
                loaded = [
                    builder.load(
                        builder.gep(items, [builder.add(at, context.get_constant(types.intp, n))]),
                        align=4,
                    )
                    for n in range(_VECTORS)
                ]
                for n in range(_VECTORS):
                    line = builder.add(at, context.get_constant(types.intp, _AHEAD + n))
                    _prefetch(builder, builder.gep(items, [line]))
                for number in range(n_queries):
                    query = builder.load(builder.gep(values[number], [loop.index]), align=1)
                    spread = _splat(builder, query)
                    for total, of_items in zip(totals[number], loaded, strict=True):
                        builder.store(add(builder, builder.load(total), of_items, spread), total)
            for number in range(n_queries):
                out = builder.bitcast(
                    pointer(5, context.get_constant(types.intp, number), zero),
                    _FLOATS.as_pointer(),
                )
                for n, total in enumerate(totals[number]):
                    value = builder.load(total)
                    if is_bytes:
                        value = builder.sitofp(value, _FLOATS)
                    place = builder.gep(out, [context.get_constant(types.intp, n)])
                    builder.store(value, place, align=4)
            return context.get_dummy_value()

        int_p = types.intp
        return types.void(panels, int_p, queries, starts, int_p, products), generate

    return typed


_Tile = Callable[[np.ndarray, int, np.ndarray, np.ndarray, int, np.ndarray], None]

tile_1 = cast("_Tile", intrinsic(_tile(1)))
"""``tile_1(panels, panel, queries, starts, first, products)``: multiply one query with a panel.

`panels` are float32 [n, width, PANEL] or uint8 [n, width / 4, PANEL, 4]; `queries` float32
[Q, width] or int8 [Q, width]; the one of row `first` is multiplied. `products` is float32
[MOST_QUERIES, PANEL]; row 0 receives the sums. Of bytes, they are exact integers, begun with the
query's of `starts`, int32 [Q], and then rounded to float32.
"""

tile_2 = cast("_Tile", intrinsic(_tile(2)))
"""As `tile_1` for two queries, from `first` on."""

tile_4 = cast("_Tile", intrinsic(_tile(4)))
"""As `tile_1` for four queries, from `first` on."""
