"""Any network that spandrel loads, as a generator: to fine-tune, to train from the start, to export, to compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Generator, UserError
from toolbox.weights.importing import read_state
from toolbox.weights.models import weights_path
from toolbox.weights.state_layout import readings

from .library import Architecture, ConstantsAside, built, described, detected, loaded, network_class


class SpandrelNetwork(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), as one of spandrel's architectures computes them.

    spandrel (chaiNNer team, MIT) recognises a weight file by its keys and knows the network that it belongs to: DAT,
    HAT, SwinIR, OmniSR, MoSR, ATD and thirty more. Images smaller than a network takes, or no squares where it wants
    them, are padded and cut. Needs `pip install 'gan-toolbox[spandrel]'`, or beside a CPU's torch, which PyPI's
    torchvision does not fit, `pip install --no-deps spandrel einops`, without LaMa and RestoreFormer.

    Args:
        file: a weight file; the network is the file's, and begins with its weights. In a config, the run keeps
            architecture and settings, and `load_from` the file.
        architecture: in place of a file, spandrel's name for it; `PLKSR.RealPLKSR` where it has several networks.
        settings: arguments of spandrel's network, by name; its own defaults otherwise.

    Raises:
        UserError: spandrel is not installed, does not know the file, or the settings are not the architecture's.
    """

    def __init__(
        self,
        *,
        file: str | None = None,
        architecture: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if (file is None) == (architecture is None):
            raise UserError("wants file, or architecture and its settings, and not both")
        if file is not None and settings:
            raise UserError("settings go with architecture; those of a file are its own")
        self.minimum, self.square = 1, False
        if file is not None:
            with torch.device("cpu"):
                descriptor = of_file(Path(file))
        else:
            found, kind = network_class(str(architecture))
            with ConstantsAside():
                network = built(found, kind, settings or {})
            if torch.empty(0).is_meta:  # an outline, compared with a file's shapes and then built anew
                self.network, self.call = network, nn.Module.__call__
                self.register_buffer("outline", torch.empty(0), persistent=False)
                return
            descriptor = loaded(found, network.state_dict())
        self.network: nn.Module = descriptor.model
        self.network.requires_grad_(True)
        self.call = descriptor._call_fn  # what it does to images beside the network: noise maps, the last of several
        self.scale = int(descriptor.scale)
        needs = descriptor.size_requirements
        self.multiple, self.minimum, self.square = int(needs.multiple_of), max(int(needs.minimum), 1), needs.square
        self.supports_half = bool(descriptor.supports_half and descriptor.supports_bfloat16)
        self.keeps_colors = True

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """A small compact network."""
        return {"architecture": "Compact", "settings": {"num_feat": 8, "num_conv": 1, "upscale": 2}}

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge or restore images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W); it may leave [0, 1]."""
        height, width = images.shape[-2:]
        least = max(height, width, self.minimum) if self.square else self.minimum
        if height >= least and width >= least:
            return self.call(self.network, images.clone())  # RCAN's multiplies what it is given in place
        missing = (0, max(least - width, 0), 0, max(least - height, 0))
        output = self.call(self.network, F.pad(images, missing, mode="replicate"))
        return output[..., : height * self.scale, : width * self.scale]


def recognised(file: Path) -> tuple[Architecture, dict[str, Tensor]]:
    """The architecture of a weight file, and its state dict without prefixes; nothing in the file is run.

    Raises:
        UserError: it cannot be read, or spandrel knows no such network.
    """
    state = read_state(weights_path(file))
    for reading in readings(state):
        found = detected(reading)
        if found is not None:
            return found, reading
    raise UserError(f"{file}: spandrel knows no network of these {len(state)} keys ({', '.join(sorted(state)[:4])}, …)")


def of_file(file: Path) -> Any:
    """spandrel's descriptor of a weight file. Raises UserError as `recognised` does, or where the file is damaged."""
    found, state = recognised(file)
    try:
        return loaded(found, state)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def arguments_of_file(file: Path) -> dict[str, Any]:
    """Architecture and settings of a weight file's network, as a config writes them."""
    return described(recognised(file)[0], of_file(file).model)
