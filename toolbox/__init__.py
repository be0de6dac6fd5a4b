"""A plugin-based toolbox for image GANs: style transfer, super-resolution, and both in one network.

`from toolbox import …` of the names below is the whole interface for plugins: they stay; the modules behind them may
move. They are resolved on first use, so that `import toolbox` stays light (no torch).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_HOME = {
    "hookimpl": "toolbox.plugins.hookspecs",
    "Register": "toolbox.plugins.hookspecs",
    "Algorithm": "toolbox.training.algorithm",
    "Values": "toolbox.training.outputs",
    "Parts": "toolbox.training.parts",
    "Condition": "toolbox.contracts.output",
    "Output": "toolbox.contracts.output",
    "SEED": "toolbox.contracts.output",
    "STRENGTH": "toolbox.contracts.output",
    "Decoder": "toolbox.contracts.network",
    "Discriminator": "toolbox.contracts.network",
    "Encoder": "toolbox.contracts.network",
    "FeatureNetwork": "toolbox.contracts.network",
    "Generator": "toolbox.contracts.network",
    "GradedGenerator": "toolbox.contracts.network",
    "StyleEncoder": "toolbox.contracts.network",
    "unwrapped": "toolbox.contracts.network",
    "Memory": "toolbox.contracts.clips",
    "RecurrentGenerator": "toolbox.contracts.clips",
    "WindowGenerator": "toolbox.contracts.clips",
    "Backend": "toolbox.contracts.backend",
    "InPlace": "toolbox.contracts.backend",
    "Exporter": "toolbox.contracts.exporter",
    "Graph": "toolbox.contracts.graph",
    "Session": "toolbox.contracts.graph",
    "GanVariant": "toolbox.contracts.gan_variant",
    "Logits": "toolbox.contracts.gan_variant",
    "VariantError": "toolbox.contracts.gan_variant",
    "critic": "toolbox.contracts.gan_variant",
    "refuse_batch_norm": "toolbox.contracts.gan_variant",
    "sum_terms": "toolbox.contracts.gan_variant",
    "VariantWrapper": "toolbox.contracts.variant_wrapper",
    "Judge": "toolbox.contracts.regularizer",
    "Regularizer": "toolbox.contracts.regularizer",
    "Augmentation": "toolbox.contracts.augmentation",
    "Mixture": "toolbox.contracts.mixture",
    "Pair": "toolbox.contracts.mixture",
    "constant": "toolbox.contracts.constant",
    "Degradation": "toolbox.contracts.degradation",
    "Loss": "toolbox.contracts.loss",
    "ImageDataset": "toolbox.contracts.dataset",
    "Images": "toolbox.contracts.dataset",
    "Sizes": "toolbox.contracts.dataset",
    "Transform": "toolbox.contracts.dataset",
    "ClipMetric": "toolbox.contracts.clip_metric",
    "Frame": "toolbox.contracts.clip_metric",
    "PairedMetric": "toolbox.contracts.metric",
    "SetMetric": "toolbox.contracts.metric",
    "SingleMetric": "toolbox.contracts.metric",
    "CheckpointFormat": "toolbox.contracts.checkpoint_format",
    "State": "toolbox.contracts.checkpoint_format",
    "frozen": "toolbox.training.network_call",
    "activations": "toolbox.training.activations",
    "ConfigError": "toolbox.io.errors",
    "MissingWeights": "toolbox.io.errors",
    "RunFailed": "toolbox.io.errors",
    "UserError": "toolbox.io.errors",
    "did_you_mean": "toolbox.io.errors",
    "enlarge_bicubic": "toolbox.io.resize",
    "resize_bicubic": "toolbox.io.resize",
    "resize_to": "toolbox.io.resize",
    "image_size": "toolbox.io.images",
    "images_at": "toolbox.io.images",
    "images_to_float": "toolbox.io.images",
    "read_image": "toolbox.io.images",
    "Config": "toolbox.config",
    "load_config": "toolbox.config",
    "load": "toolbox.inference.loading",
    "Run": "toolbox.cli.functions",
    "evaluate": "toolbox.cli.functions",
    "run_in": "toolbox.cli.functions",
    "train": "toolbox.cli.functions",
}
__all__ = [
    "__version__", "activations", "Algorithm", "Augmentation", "Backend", "CheckpointFormat", "ClipMetric",
    "Condition", "Config", "ConfigError", "constant", "critic", "Decoder", "Degradation", "did_you_mean",
    "Discriminator", "Encoder", "enlarge_bicubic", "evaluate", "Exporter", "FeatureNetwork", "Frame", "frozen",
    "GanVariant", "Generator", "GradedGenerator", "Graph", "hookimpl", "image_size", "ImageDataset", "Images",
    "images_at", "images_to_float", "InPlace", "Judge", "load", "load_config", "Logits", "Loss", "Memory",
    "MissingWeights", "Mixture", "Output", "Pair", "PairedMetric", "Parts", "read_image", "RecurrentGenerator",
    "refuse_batch_norm", "Register", "Regularizer", "resize_bicubic", "resize_to", "Run", "run_in",
    "RunFailed", "SEED", "Session", "SetMetric", "SingleMetric", "Sizes", "State", "STRENGTH", "StyleEncoder",
    "sum_terms", "train", "Transform", "unwrapped", "UserError", "Values", "VariantError", "VariantWrapper",
    "WindowGenerator",
]  # fmt: skip

if TYPE_CHECKING:
    from toolbox.cli.functions import Run as Run
    from toolbox.cli.functions import evaluate as evaluate
    from toolbox.cli.functions import run_in as run_in
    from toolbox.cli.functions import train as train
    from toolbox.config import Config as Config
    from toolbox.config import load_config as load_config
    from toolbox.contracts.augmentation import Augmentation as Augmentation
    from toolbox.contracts.backend import Backend as Backend
    from toolbox.contracts.backend import InPlace as InPlace
    from toolbox.contracts.checkpoint_format import CheckpointFormat as CheckpointFormat
    from toolbox.contracts.checkpoint_format import State as State
    from toolbox.contracts.clip_metric import ClipMetric as ClipMetric
    from toolbox.contracts.clip_metric import Frame as Frame
    from toolbox.contracts.clips import Memory as Memory
    from toolbox.contracts.clips import RecurrentGenerator as RecurrentGenerator
    from toolbox.contracts.clips import WindowGenerator as WindowGenerator
    from toolbox.contracts.constant import constant as constant
    from toolbox.contracts.dataset import ImageDataset as ImageDataset
    from toolbox.contracts.dataset import Images as Images
    from toolbox.contracts.dataset import Sizes as Sizes
    from toolbox.contracts.dataset import Transform as Transform
    from toolbox.contracts.degradation import Degradation as Degradation
    from toolbox.contracts.exporter import Exporter as Exporter
    from toolbox.contracts.gan_variant import GanVariant as GanVariant
    from toolbox.contracts.gan_variant import Logits as Logits
    from toolbox.contracts.gan_variant import VariantError as VariantError
    from toolbox.contracts.gan_variant import critic as critic
    from toolbox.contracts.gan_variant import refuse_batch_norm as refuse_batch_norm
    from toolbox.contracts.gan_variant import sum_terms as sum_terms
    from toolbox.contracts.graph import Graph as Graph
    from toolbox.contracts.graph import Session as Session
    from toolbox.contracts.loss import Loss as Loss
    from toolbox.contracts.metric import PairedMetric as PairedMetric
    from toolbox.contracts.metric import SetMetric as SetMetric
    from toolbox.contracts.metric import SingleMetric as SingleMetric
    from toolbox.contracts.mixture import Mixture as Mixture
    from toolbox.contracts.mixture import Pair as Pair
    from toolbox.contracts.network import Decoder as Decoder
    from toolbox.contracts.network import Discriminator as Discriminator
    from toolbox.contracts.network import Encoder as Encoder
    from toolbox.contracts.network import FeatureNetwork as FeatureNetwork
    from toolbox.contracts.network import Generator as Generator
    from toolbox.contracts.network import GradedGenerator as GradedGenerator
    from toolbox.contracts.network import StyleEncoder as StyleEncoder
    from toolbox.contracts.network import unwrapped as unwrapped
    from toolbox.contracts.output import SEED as SEED
    from toolbox.contracts.output import STRENGTH as STRENGTH
    from toolbox.contracts.output import Condition as Condition
    from toolbox.contracts.output import Output as Output
    from toolbox.contracts.regularizer import Judge as Judge
    from toolbox.contracts.regularizer import Regularizer as Regularizer
    from toolbox.contracts.variant_wrapper import VariantWrapper as VariantWrapper
    from toolbox.inference.loading import load as load
    from toolbox.io.errors import ConfigError as ConfigError
    from toolbox.io.errors import MissingWeights as MissingWeights
    from toolbox.io.errors import RunFailed as RunFailed
    from toolbox.io.errors import UserError as UserError
    from toolbox.io.errors import did_you_mean as did_you_mean
    from toolbox.io.images import image_size as image_size
    from toolbox.io.images import images_at as images_at
    from toolbox.io.images import images_to_float as images_to_float
    from toolbox.io.images import read_image as read_image
    from toolbox.io.resize import enlarge_bicubic as enlarge_bicubic
    from toolbox.io.resize import resize_bicubic as resize_bicubic
    from toolbox.io.resize import resize_to as resize_to
    from toolbox.plugins.hookspecs import Register as Register
    from toolbox.plugins.hookspecs import hookimpl as hookimpl
    from toolbox.training.activations import activations as activations
    from toolbox.training.algorithm import Algorithm as Algorithm
    from toolbox.training.network_call import frozen as frozen
    from toolbox.training.outputs import Values as Values
    from toolbox.training.parts import Parts as Parts


_ROOMS = ("inference", "testing")
"""Rooms that are used by their name, `toolbox.inference.load("x4.pth")`, and imported when they first are."""


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"toolbox.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'toolbox' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_ROOMS])
