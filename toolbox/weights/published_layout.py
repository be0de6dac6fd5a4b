"""Writing weights under the keys that others publish them with, and translating a file from one layout to another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from toolbox.io.errors import UserError, did_you_mean
from toolbox.weights.file import SUFFIXES, description_file, halved, write_weights
from toolbox.weights.importing import formats, load_network


def laid_out(network: nn.Module, layout: str | None, suffix: str) -> Mapping[str, Any]:
    """What a file of the network's weights holds: its own keys, or those of a published layout.

    A `.pth` of a layout has its wrapper too (BasicSR's `params`, which Real-ESRGAN's scripts look for); safetensors
    hold tensors alone.

    Raises:
        UserError: there is no such layout of this network.
    """
    if layout is None:
        return network.state_dict()
    name = type(network).__name__
    known = {each.layout: each for each in formats().values() if each.network == name}
    if layout not in known:
        none = f"; no published layout of {name} is known, leave --layout out" if not known else ""
        raise UserError(f"--layout {layout}: {name} has no such layout{none or did_you_mean(layout, known)}")
    state = known[layout].restore(network.state_dict())
    wrapper = known[layout].wrapper
    return {wrapper: state} if wrapper and suffix == ".pth" else state


def translate_file(weights: Path, target: Path, *, layout: str | None = None, half: bool = False) -> nn.Module:
    """Read a weight file of any known format and write it as `target`, in float16 if `half`; returns the network.

    No description is written beside it: `infer --weights` recognises it by its keys. One that an export left beside
    a file of that name is removed, because it describes that file no longer.

    Raises:
        UserError: the file cannot be imported, or the target cannot be written or would replace something else.
    """
    check_target(target)
    if target.exists() and not description_file(target).is_file():
        raise UserError(f"-o {target}: is there already and was not written by export; choose another name")
    network = load_network(weights)
    content = laid_out(network, layout, target.suffix)
    make_folder(target)
    description_file(target).unlink(missing_ok=True)
    write_weights(target, halved(content) if half else content)
    return network


def check_target(target: Path) -> None:
    """Raise UserError where the name of a file to be written does not say in which of the known ways."""
    if target.suffix not in SUFFIXES:
        raise UserError(f"-o {target}: is written as one of {' '.join(SUFFIXES)}; end its name so")


def make_folder(target: Path) -> None:
    """Make the folder of a file to be written. Raises UserError where that fails."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"-o {target}: no folder can be made there ({error.strerror})") from None
