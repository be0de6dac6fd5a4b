"""Numbers that a step needs, on its device: made once, because a copy to a GPU makes the host wait for it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def constant(values: Any, like: Tensor) -> Tensor:
    """A number, or tuples of numbers, as a tensor of the type and on the device of `like`; not to be written to.

    The first call for a device and type makes the tensor, and every later one gives the same tensor again.
    """
    if torch.compiler.is_exporting():  # what is made while tracing is no tensor for later
        return torch.tensor(values, dtype=like.dtype, device=like.device)
    return _made(values, like.dtype, like.device)


@lru_cache(maxsize=256)
def _made(values: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # or no gradient could pass what was first made to predict
        return torch.tensor(values, dtype=dtype, device=device)
