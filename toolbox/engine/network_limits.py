"""Networks that no machine could hold, found while they are built: a slip of zeros must not fill the memory first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from toolbox.io.errors import UserError

MOST_PARAMETERS = 20_000
"""Tensors of weights: the deepest published networks have some thousand."""
SHARE = 4
"""Weights may take this part of the memory: they lie beside a file's, or beside their gradients and averages."""


@contextmanager
def limited_networks() -> Iterator[None]:
    """Weights that are registered within are counted, each before it is filled.

    Raises:
        UserError: together they take more than a quarter of the machine's memory, or are more than any network has.
    """
    memory, size, count = machine_memory(), 0, 0

    def counted(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal size, count
        if parameter is None or parameter.is_meta:
            return
        size, count = size + parameter.numel() * parameter.element_size(), count + 1
        if memory is not None and parameter.device.type == "cpu" and size > memory / SHARE:
            had = f"{size / 2**30:,.1f} GiB and more, and this machine has {memory / 2**30:,.1f}"
            raise UserError(f"its weights alone would take {had}; choose smaller numbers")
        if count > MOST_PARAMETERS:
            raise UserError(f"it has more than {MOST_PARAMETERS:,} tensors of weights; choose smaller numbers")

    hook: Any = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def machine_memory() -> int | None:
    """Bytes of memory that this machine has in all; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows; others that do not know the names
        return None
