"""Tensors of every dtype and layout, for tests on the CPU and on a device alike."""

from __future__ import annotations

from collections.abc import Callable

import torch

DTYPES = [
    torch.bool,
    *(getattr(torch, f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex32,
    torch.complex64,
    torch.complex128,
    torch.float8_e4m3fn,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2,
    torch.float8_e5m2fnuz,
    torch.float8_e8m0fnu,
]

#: From a contiguous tensor of 6 x 8 elements.
LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "whole": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.t(),
    "every other": lambda tensor: tensor[1::2, ::3],
    "expanded": lambda tensor: tensor[:, 2:3].expand(-1, 4),
    "overlapping": lambda tensor: tensor.as_strided((4, 5), (2, 1), 3),
}


def make_dense(dtype: torch.dtype, device: str = "cpu") -> torch.Tensor:
    """6 x 8 elements of any bits that a number of this dtype may have."""
    size = dtype.itemsize
    generator = torch.Generator().manual_seed(size)
    most = 2 if dtype == torch.bool else 256
    raw = torch.randint(0, most, (6, 8 * size), dtype=torch.uint8, generator=generator)
    return raw.view(dtype).to(device)
