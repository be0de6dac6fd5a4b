"""How large the networks of a description would be, found out without taking memory for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from toolbox.assembly.build import build_component
from toolbox.contracts.nested import nested_kinds
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.weights.file import description_file
from toolbox.weights.importing import Unfilled

FREE = 1 << 24
"""Numbers that a network may have in any case: 64 MiB."""


class TooLarge(Exception):
    """A network has more numbers than it may."""


def check_sizes(description: Mapping[str, Any], weights: Path) -> None:
    """Refuse a description whose networks are many times larger than the file that it lies beside.

    Raises:
        UserError: one is.
    """
    model = description["model"]
    algorithm: Any = registry("algorithms").get(model["type"])
    size = weights.stat().st_size
    most = FREE + size  # in numbers: a network that fits has a quarter as many as the file has bytes
    for slot in algorithm.generators:
        kind = algorithm.slots()[slot]
        if "features" in nested_kinds(registry(kind).get(model[slot]["type"])).values():
            continue  # it reads a file of its own, and fits or does not
        try:
            _outline(kind, model[slot], slot, most)
        except TooLarge:
            raise UserError(
                f"{description_file(weights)}: model.{slot} is a network of more than {most:,} numbers, and "
                f"{weights.name} has {size:,} bytes: it describes another file, or is a trap"
            ) from None
        except NotImplementedError:
            continue  # it computes with its weights while it is built, and is built below as it is


def _outline(kind: str, config: Mapping[str, Any], slot: str, most: int) -> None:
    """Build on the meta device, and stop as soon as there are too many numbers; random numbers stay as they were."""
    count = 0

    def counted(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count
        count += 1 if parameter is None else parameter.numel()
        if count > most:
            raise TooLarge

    hook: Any = register_module_parameter_registration_hook(counted)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"), Unfilled():
            build_component(kind, config, f"model.{slot}")
    finally:
        hook.remove()
