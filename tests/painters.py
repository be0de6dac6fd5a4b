"""A small painter of two styles, which differ as after training, its algorithm and a picture: for tests of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox.assembly.build import build_algorithm
from toolbox_plugins.painter.generator import StyleSPAN
from toolbox_plugins.painter.norm import StyledNorm

STYLES = ["monet", "hokusai"]
MODEL: dict[str, Any] = {
    "type": "PaintedSuperResolution",
    "generator": {"type": "StyleSPAN", "styles": STYLES, "width": 8, "blocks": 1, "upscaler_width": 8, "scale": 4},
    "losses": {"content": {"type": "L1Loss"}},
    "degradation": {"type": "BicubicDegradation", "scale": 4},
}


def network(**arguments: Any) -> StyleSPAN:
    torch.manual_seed(0)
    made = StyleSPAN(**{"styles": STYLES, "width": 8, "blocks": 1, "upscaler_width": 8, "scale": 4} | arguments)
    for module in made.modules():  # styles differ, as after training
        if isinstance(module, StyledNorm):
            nn.init.normal_(module.scale, 1.0, 0.5)
            nn.init.normal_(module.offset, 0.0, 0.5)
    return made.eval()


def picture(height: int = 12, width: int = 16) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def algorithm(**arguments: Any) -> Any:
    made: Any = build_algorithm(MODEL | {"generator": MODEL["generator"] | arguments})
    made.generator.load_state_dict(network(**arguments).state_dict())
    return made.eval()
