"""TensorFloat-32: ten bits of mantissa instead of 23 in float32 products on NVIDIA GPUs since 2020."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def set_tf32(on: bool | None) -> None:
    """Allow or forbid TF32 in matrix products and convolutions; None leaves torch's own choice (convolutions only)."""
    if on is not None:
        torch.backends.cuda.matmul.allow_tf32 = on
        torch.backends.cudnn.allow_tf32 = on


@contextmanager
def without_tf32() -> Iterator[None]:
    """Compute within as exactly as a CPU does: what is measured must not depend on the machine."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    set_tf32(False)
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
