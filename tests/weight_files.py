"""Weights of a small RRDBNet, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from toolbox_plugins.esrgan.rrdbnet import RRDBNet


def rrdbnet() -> RRDBNet:
    torch.manual_seed(0)
    return RRDBNet(width=4, growth=2, blocks=2)


STATE = rrdbnet().state_dict()


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path
