"""What makes the host wait for a device, or the device for the host, counted on a CPU."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

READS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal", "is_nonzero")
"""Operations whose result, or its shape, the host must know before it goes on."""
MAKERS = ("tensor", "as_tensor", "new_tensor", "from_numpy")
"""Functions that make a tensor of what the host holds: on a GPU a copy that waits."""


class Waits(TorchDispatchMode):
    """Counts, by the line of the project that asks, reads of a value and copies of the host's numbers to a device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.makers = _Makers(self.found)

    def __enter__(self) -> Waits:
        self.makers.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.makers.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put_") and any(_is_mask(each) for each in args[1])
        if name in READS or masked:
            self.found[f"{name} {asker()}"] += 1
        return func(*args, **(kwargs or {}))


class _Makers(TorchFunctionMode):
    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in MAKERS and (name == "new_tensor" or kwargs.get("device") is not None):
            self.found[f"{name} {asker()}"] += 1
        return func(*args, **kwargs)


def _is_mask(index: Any) -> bool:
    return isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)


def asker() -> str:
    """The innermost line of the project's own code on the stack; "torch" in a backward pass and an optimizer."""
    for frame in reversed(traceback.extract_stack()):
        if "/toolbox" in frame.filename or "/plugins/" in frame.filename:
            return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return "torch"
