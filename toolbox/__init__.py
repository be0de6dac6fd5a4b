"""A plugin-based toolbox for image GANs: style transfer, super-resolution, and both in one network.

The names below are resolved on first use, so that `import toolbox` stays light (no torch).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "hookimpl": "toolbox.hookspecs",
    "Algorithm": "toolbox.algorithm",
    "GanVariant": "toolbox.gan_variant",
    "Degradation": "toolbox.degradation",
    "Generator": "toolbox.network",
    "GradedGenerator": "toolbox.network",
    "Discriminator": "toolbox.network",
    "Encoder": "toolbox.network",
    "StyleEncoder": "toolbox.network",
    "Decoder": "toolbox.network",
    "FeatureNetwork": "toolbox.network",
    "ImageDataset": "toolbox.dataset",
    "Transform": "toolbox.dataset",
    "Augmentation": "toolbox.augmentation",
    "Regularizer": "toolbox.regularizer",
    "PairedMetric": "toolbox.metric",
    "SingleMetric": "toolbox.metric",
    "CheckpointFormat": "toolbox.weights.checkpoint_format",
}
__all__ = [
    "Algorithm", "Augmentation", "CheckpointFormat", "Decoder", "Degradation", "Discriminator", "Encoder",
    "FeatureNetwork", "GanVariant", "Generator", "GradedGenerator", "ImageDataset", "PairedMetric", "Regularizer",
    "SingleMetric", "StyleEncoder", "Transform", "__version__", "hookimpl",
]  # fmt: skip

if TYPE_CHECKING:
    from toolbox.algorithm import Algorithm as Algorithm
    from toolbox.augmentation import Augmentation as Augmentation
    from toolbox.dataset import ImageDataset as ImageDataset
    from toolbox.dataset import Transform as Transform
    from toolbox.degradation import Degradation as Degradation
    from toolbox.gan_variant import GanVariant as GanVariant
    from toolbox.hookspecs import hookimpl as hookimpl
    from toolbox.metric import PairedMetric as PairedMetric
    from toolbox.metric import SingleMetric as SingleMetric
    from toolbox.network import Decoder as Decoder
    from toolbox.network import Discriminator as Discriminator
    from toolbox.network import Encoder as Encoder
    from toolbox.network import FeatureNetwork as FeatureNetwork
    from toolbox.network import Generator as Generator
    from toolbox.network import GradedGenerator as GradedGenerator
    from toolbox.network import StyleEncoder as StyleEncoder
    from toolbox.regularizer import Regularizer as Regularizer
    from toolbox.weights.checkpoint_format import CheckpointFormat as CheckpointFormat


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'toolbox' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
