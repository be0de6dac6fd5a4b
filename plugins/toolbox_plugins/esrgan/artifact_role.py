"""What the role `artifact` asks of a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolbox.errors import ConfigError

ALGORITHMS = ("ESRGAN", "esrgan/ESRGAN", "RealESRGAN", "realesrgan/RealESRGAN")


def refuse_without_average(config: Mapping[str, Any]) -> None:
    """Raise `ConfigError` where the role has a loss and there is no `model.ema` for it to compare with."""
    model = config.get("model")
    if not isinstance(model, Mapping) or model.get("type") not in ALGORITHMS or model.get("ema") is not None:
        return
    losses = model.get("losses")
    if isinstance(losses, Mapping) and losses.get("artifact"):
        raise ConfigError(
            "compares the generator with its average, and there is none; write model.ema: 0.999, or leave the role out",
            key="model.losses.artifact",
        )
