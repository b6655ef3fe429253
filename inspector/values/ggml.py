"""ggml's block-quantized types: how a block becomes float32 numbers.

Each type is a NumPy structure of the block's fields, and a function from blocks to numbers. The
arithmetic is float32 in the reference's order, so that the results are the same bit for bit.

Source: ``ggml-common.h`` (the structures), ``ggml-quants.c`` (``dequantize_row_*``) and gguf-py's
``quants.py`` of ggml-org/llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inspector.values.arrays import Array
from inspector.values.ggml_codebooks import codebook

Floats = NDArray[np.float32]

#: Numbers in a block of the types with K in their names, and of the IQ types.
_K: Final = 256


@dataclass(frozen=True, slots=True)
class BlockType:
    """One block-quantized type.

    Attributes
    ----------
    count
        Numbers in a block.
    fields
        A block's bytes as a structure, little-endian.
    dequantize
        Blocks, shape (n,) with n > 0, to numbers, shape (n, `count`).
    either_order
        Whether ggml says how a block's fields are stored in a big-endian file (its
        ``gguf_convert_endian.py`` does for some types).
    """

    count: int
    fields: np.dtype[Any]
    dequantize: Callable[[Array], Floats]
    either_order: bool = False


def _table(numbers: Any) -> Floats:
    table = np.array(numbers, np.float32)
    table.flags.writeable = False
    return table


#: Four-bit floats of one mantissa bit (OCP Microscaling Formats 1.0), doubled.
_E2M1: Final = _table([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12])

#: Powers of two by exponent, halved because `_E2M1` is doubled.
_E8M0: Final = _table(np.ldexp(1.0, np.arange(256) - 128))

#: ``kvalues_iq4nl``.
_IQ4: Final = _table([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])

#: Signs of eight numbers by their bits, lowest first.
_SIGNS: Final = _table(1 - 2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1))

#: ``ksigns_iq2xs``: the eighth of seven bits makes the number of minus signs even.
_EVEN_SIGNS: Final = _SIGNS[[code | (code.bit_count() & 1) << 7 for code in range(128)]]


def _ue4m3() -> Floats:
    """Unsigned float8 (e4m3) halved because `_E2M1` is doubled; 0x7F, its NaN, counts as 0."""
    codes = np.arange(256)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    normal = np.ldexp(1 + mantissa / 8, exponent - 8)
    values = np.where(exponent == 0, np.ldexp(mantissa, -10), normal)
    return _table(np.where(codes == 0x7F, 0, values))


_UE4M3: Final = _ue4m3()


def _single(field: Array) -> Floats:
    """A field with one number a block, as a column of float32."""
    return field.astype(np.float32)[:, None]


def _unpacked(data: Array, bits: int, run: int) -> NDArray[np.uint8]:
    """Numbers of some bits from bytes of shape (n, bytes).

    Each ``run`` bytes hold ``8 / bits`` runs of as many numbers, the lowest bits first.
    """
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    groups = data.reshape(len(data), -1, 1, run) >> shifts
    return np.asarray(groups & np.uint8((1 << bits) - 1)).reshape(len(data), -1)


def _flat(numbers: Floats) -> Floats:
    flat: Floats = numbers.reshape(len(numbers), -1)
    return flat


def _q1_0(blocks: Array) -> Floats:
    scale = _single(blocks["d"])
    return np.where(_unpacked(blocks["qs"], 1, 1) == 1, scale, -scale)


def _q4_0(blocks: Array) -> Floats:
    return _single(blocks["d"]) * (_unpacked(blocks["qs"], 4, 16).astype(np.float32) - 8)


def _q4_1(blocks: Array) -> Floats:
    return _single(blocks["d"]) * _unpacked(blocks["qs"], 4, 16).astype(np.float32) + _single(
        blocks["m"]
    )


def _five_bits(blocks: Array) -> Floats:
    high = _unpacked(blocks["qh"], 1, 1) << np.uint8(4)
    return (_unpacked(blocks["qs"], 4, 16) | high).astype(np.float32)


def _q5_0(blocks: Array) -> Floats:
    return _single(blocks["d"]) * (_five_bits(blocks) - 16)


def _q5_1(blocks: Array) -> Floats:
    return _single(blocks["d"]) * _five_bits(blocks) + _single(blocks["m"])


def _q8(blocks: Array) -> Floats:
    return blocks["qs"].astype(np.float32) * _single(blocks["d"])


def _q2_k(blocks: Array) -> Floats:
    scales = blocks["scales"]
    scale = _single(blocks["d"]) * (scales & np.uint8(15)).astype(np.float32)
    least = _single(blocks["dmin"]) * (scales >> np.uint8(4)).astype(np.float32)
    numbers = _unpacked(blocks["qs"], 2, 32).astype(np.float32).reshape(-1, 16, 16)
    return _flat(scale[..., None] * numbers - least[..., None])


def _q3_k(blocks: Array) -> Floats:
    packed = blocks["scales"]
    high = _unpacked(packed[:, 8:], 2, 4) << np.uint8(4)
    scales = (_unpacked(packed[:, :8], 4, 8) | high).astype(np.float32) - 32
    scale = _single(blocks["d"]) * scales
    # A number has 4 taken away where its bit in the mask is not set.
    low = _unpacked(blocks["qs"], 2, 32).astype(np.float32)
    numbers = low + 4 * _unpacked(blocks["hmask"], 1, 32).astype(np.float32) - 4
    return _flat(scale[..., None] * numbers.reshape(-1, 16, 16))


def _scales_and_minima(packed: Array) -> tuple[Floats, Floats]:
    """Eight scales and eight minima of six bits each from twelve bytes, shape (n, 8)."""
    first, second, rest = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    six, two = np.uint8(0x3F), np.uint8(0x30)
    scales = (first & six, (rest & np.uint8(15)) | ((first >> np.uint8(2)) & two))
    minima = (second & six, (rest >> np.uint8(4)) | ((second >> np.uint8(2)) & two))
    return (
        np.concatenate(scales, axis=1).astype(np.float32),
        np.concatenate(minima, axis=1).astype(np.float32),
    )


def _scaled_less_minima(blocks: Array, numbers: Array) -> Floats:
    scales, minima = _scales_and_minima(blocks["scales"])
    scale = (_single(blocks["d"]) * scales)[..., None]
    least = (_single(blocks["dmin"]) * minima)[..., None]
    return _flat(scale * numbers.astype(np.float32).reshape(-1, 8, 32) - least)


def _q4_k(blocks: Array) -> Floats:
    return _scaled_less_minima(blocks, _unpacked(blocks["qs"], 4, 32))


def _q5_k(blocks: Array) -> Floats:
    high = _unpacked(blocks["qh"], 1, 32) << np.uint8(4)
    return _scaled_less_minima(blocks, _unpacked(blocks["qs"], 4, 32) | high)


def _q6_k(blocks: Array) -> Floats:
    scale = _single(blocks["d"]) * blocks["scales"].astype(np.float32)
    high = _unpacked(blocks["qh"], 2, 32) << np.uint8(4)
    numbers = (_unpacked(blocks["ql"], 4, 64) | high).astype(np.float32) - 32
    return _flat(scale[..., None] * numbers.reshape(-1, 16, 16))


def _trits(data: Array, run: int, most: int) -> NDArray[np.uint8]:
    """Numbers of base three from bytes; each ``run`` bytes hold ``most`` runs of them.

    A byte is a fraction of 256: its first digit is the whole part of three times it, and a
    product that overflows the byte leaves the fraction for the next digit.
    """
    powers = np.array([1, 3, 9, 27, 81], np.uint8)[:most, None]
    products = data.reshape(len(data), -1, 1, run) * powers
    digits = (products.astype(np.uint16) * np.uint16(3)) >> np.uint16(8)
    return digits.astype(np.uint8).reshape(len(data), -1)


def _tq1_0(blocks: Array) -> Floats:
    qs = blocks["qs"]
    parts = (_trits(qs[:, :32], 32, 5), _trits(qs[:, 32:], 16, 5), _trits(blocks["qh"], 4, 4))
    return _single(blocks["d"]) * (np.concatenate(parts, axis=1).astype(np.float32) - 1)


def _tq2_0(blocks: Array) -> Floats:
    return _single(blocks["d"]) * (_unpacked(blocks["qs"], 2, 32).astype(np.float32) - 1)


def _mxfp4(blocks: Array) -> Floats:
    scale: Floats = _E8M0[blocks["e"]][:, None]
    return scale * _E2M1[_unpacked(blocks["qs"], 4, 16)]


def _nvfp4(blocks: Array) -> Floats:
    numbers = _E2M1[_unpacked(blocks["qs"], 4, 8)].reshape(-1, 4, 16)
    return _flat(_UE4M3[blocks["d"]][..., None] * numbers)


def _iq4_nl(blocks: Array) -> Floats:
    return _single(blocks["d"]) * _IQ4[_unpacked(blocks["qs"], 4, 16)]


def _iq4_xs(blocks: Array) -> Floats:
    shifts = np.arange(0, 16, 2, dtype=np.uint16)
    high = ((blocks["scales_h"][:, None] >> shifts) & 3) << 4
    scales = (_unpacked(blocks["scales_l"], 4, 1) | high).astype(np.float32) - 32
    scale = _single(blocks["d"]) * scales
    numbers = _IQ4[_unpacked(blocks["qs"], 4, 16)].reshape(-1, 8, 32)
    return _flat(scale[..., None] * numbers)


def _four_sevens(words: Array) -> Floats:
    """The signs of 32 numbers by four indices of seven bits in a word, shape (n, words, 4, 8)."""
    shifts = np.array([0, 7, 14, 21], np.uint32)
    signs: Floats = _EVEN_SIGNS[(words[..., None] >> shifts) & 127]
    return signs


def _half_steps(blocks: Array, scales: Array, factor: float) -> Floats:
    """``d * (0.5 + scale) * factor``, shape (n, scales, 1, 1)."""
    steps = np.float32(0.5) + scales.astype(np.float32)
    scale: Floats = _single(blocks["d"]) * steps * np.float32(factor)
    return scale[..., None, None]


def _iq2_xxs(blocks: Array) -> Floats:
    first, second = blocks["qs"][..., 0], blocks["qs"][..., 1]
    indices = (first[..., None] >> np.array([0, 8, 16, 24], np.uint32)) & 255
    scale = _half_steps(blocks, second >> np.uint32(28), 0.25)
    return _flat(scale * codebook("IQ2_XXS")[indices] * _four_sevens(second))


def _iq2_xs(blocks: Array) -> Floats:
    qs = blocks["qs"].reshape(-1, 16, 2)
    scale = _half_steps(blocks, _unpacked(blocks["scales"], 4, 1), 0.25)
    signs = _EVEN_SIGNS[qs >> np.uint16(9)]
    return _flat(scale * codebook("IQ2_XS")[qs & np.uint16(511)] * signs)


def _iq2_s(blocks: Array) -> Floats:
    high = _unpacked(blocks["qh"], 2, 1).astype(np.uint16) << np.uint16(8)
    indices = (blocks["qs"] | high).reshape(-1, 16, 2)
    scale = _half_steps(blocks, _unpacked(blocks["scales"], 4, 1), 0.25)
    signs = _SIGNS[blocks["signs"]].reshape(-1, 16, 2, 8)
    return _flat(scale * codebook("IQ2_S")[indices] * signs)


def _iq3_xxs(blocks: Array) -> Floats:
    words = blocks["scales"]
    scale = _half_steps(blocks, words >> np.uint32(28), 0.5)
    numbers = codebook("IQ3_XXS")[blocks["qs"]].reshape(-1, 8, 4, 8)
    return _flat(scale * numbers * _four_sevens(words))


def _iq3_s(blocks: Array) -> Floats:
    scales = 1 + 2 * _unpacked(blocks["scales"], 4, 1).astype(np.float32)
    scale = (_single(blocks["d"]) * scales)[..., None, None]
    high = _unpacked(blocks["qh"], 1, 1).astype(np.uint16) << np.uint16(8)
    numbers = codebook("IQ3_S")[blocks["qs"] | high].reshape(-1, 8, 4, 8)
    return _flat(scale * numbers * _SIGNS[blocks["signs"]].reshape(-1, 8, 4, 8))


#: Bits of the four three-bit numbers in a word of the IQ1 types.
_THREES: Final = np.array([0, 3, 6, 9], np.uint16)

#: What IQ1 numbers are moved by, by their bit.
_SHIFTS: Final = _table([0.125, -0.125])


def _iq1_s(blocks: Array) -> Floats:
    words = blocks["qh"]
    scales = (2 * ((words >> np.uint16(12)) & 7) + 1).astype(np.float32)
    scale = (_single(blocks["d"]) * scales)[..., None, None]
    shift = _SHIFTS[words >> np.uint16(15)][..., None, None]
    high = ((words[..., None] >> _THREES) & 7) << 8
    numbers = codebook("IQ1_S")[blocks["qs"].reshape(-1, 8, 4) | high]
    return _flat(scale * (numbers + shift))


def _iq1_m(blocks: Array) -> Floats:
    words = blocks["scales"]
    # The block's own scale is a float16 in four parts, the top bits of the four words.
    parts = (words & np.uint16(0xF000)) >> np.array([12, 8, 4, 0], np.uint16)
    whole = _single(np.bitwise_or.reduce(parts, axis=1).view(np.float16))
    scales = (2 * ((words[..., None] >> _THREES) & 7) + 1).astype(np.float32)
    scale = (whole * scales.reshape(-1, 16))[..., None, None]
    high = _unpacked(blocks["qh"], 4, 1)
    indices = blocks["qs"] | ((high & np.uint8(7)).astype(np.uint16) << np.uint16(8))
    numbers = codebook("IQ1_S")[indices].reshape(-1, 16, 2, 8)
    shift = _SHIFTS[high >> np.uint8(3)].reshape(-1, 16, 2, 1)
    return _flat(scale * (numbers + shift))


def _fields(*fields: tuple[str, str, int | tuple[int, ...]]) -> np.dtype[Any]:
    """A block's structure; a length of 1 is a single number."""
    return np.dtype([(name, kind) if n == 1 else (name, kind, n) for name, kind, n in fields])


_D = ("d", "<f2", 1)
_M = ("m", "<f2", 1)
_DMIN = ("dmin", "<f2", 1)

#: Types that gguf-py does not dequantize; theirs is the formula of ``ggml-quants.c``.
WITHOUT_REFERENCE: Final = frozenset({"Q1_0", "Q8_K"})

#: Every type whose blocks can be dequantized, by ggml's word.
BLOCKS: Final[dict[str, BlockType]] = {
    "Q1_0": BlockType(128, _fields(_D, ("qs", "u1", 16)), _q1_0),
    "Q4_0": BlockType(32, _fields(_D, ("qs", "u1", 16)), _q4_0, True),
    "Q4_1": BlockType(32, _fields(_D, _M, ("qs", "u1", 16)), _q4_1),
    "Q5_0": BlockType(32, _fields(_D, ("qh", "u1", 4), ("qs", "u1", 16)), _q5_0),
    "Q5_1": BlockType(32, _fields(_D, _M, ("qh", "u1", 4), ("qs", "u1", 16)), _q5_1),
    "Q8_0": BlockType(32, _fields(_D, ("qs", "i1", 32)), _q8, True),
    "Q8_K": BlockType(_K, _fields(("d", "<f4", 1), ("qs", "i1", _K), ("bsums", "<i2", 16)), _q8),
    "Q2_K": BlockType(_K, _fields(("scales", "u1", 16), ("qs", "u1", 64), _D, _DMIN), _q2_k),
    "Q3_K": BlockType(
        _K, _fields(("hmask", "u1", 32), ("qs", "u1", 64), ("scales", "u1", 12), _D), _q3_k
    ),
    "Q4_K": BlockType(_K, _fields(_D, _DMIN, ("scales", "u1", 12), ("qs", "u1", 128)), _q4_k, True),
    "Q5_K": BlockType(
        _K, _fields(_D, _DMIN, ("scales", "u1", 12), ("qh", "u1", 32), ("qs", "u1", 128)), _q5_k
    ),
    "Q6_K": BlockType(
        _K, _fields(("ql", "u1", 128), ("qh", "u1", 64), ("scales", "i1", 16), _D), _q6_k, True
    ),
    "TQ1_0": BlockType(_K, _fields(("qs", "u1", 48), ("qh", "u1", 4), _D), _tq1_0),
    "TQ2_0": BlockType(_K, _fields(("qs", "u1", 64), _D), _tq2_0),
    "MXFP4": BlockType(32, _fields(("e", "u1", 1), ("qs", "u1", 16)), _mxfp4, True),
    "NVFP4": BlockType(64, _fields(("d", "u1", 4), ("qs", "u1", 32)), _nvfp4, True),
    "IQ4_NL": BlockType(32, _fields(_D, ("qs", "u1", 16)), _iq4_nl),
    "IQ4_XS": BlockType(
        _K, _fields(_D, ("scales_h", "<u2", 1), ("scales_l", "u1", 4), ("qs", "u1", 128)), _iq4_xs
    ),
    "IQ2_XXS": BlockType(_K, _fields(_D, ("qs", "<u4", (8, 2))), _iq2_xxs),
    "IQ2_XS": BlockType(_K, _fields(_D, ("qs", "<u2", 32), ("scales", "u1", 8)), _iq2_xs),
    "IQ2_S": BlockType(
        _K,
        _fields(_D, ("qs", "u1", 32), ("signs", "u1", 32), ("qh", "u1", 8), ("scales", "u1", 8)),
        _iq2_s,
    ),
    "IQ3_XXS": BlockType(_K, _fields(_D, ("qs", "u1", 64), ("scales", "<u4", 8)), _iq3_xxs),
    "IQ3_S": BlockType(
        _K,
        _fields(_D, ("qs", "u1", 64), ("qh", "u1", 8), ("signs", "u1", 32), ("scales", "u1", 4)),
        _iq3_s,
    ),
    "IQ1_S": BlockType(_K, _fields(_D, ("qs", "u1", 32), ("qh", "<u2", 8)), _iq1_s),
    "IQ1_M": BlockType(
        _K, _fields(("qs", "u1", 32), ("qh", "u1", 16), ("scales", "<u2", 4)), _iq1_m
    ),
}
