"""Every hook that a plugin may implement. Hooks only ever gain arguments.

A `register_...` hook is handed a function `register(name, component)`. It is called when something of its kind is
first looked up, so import networks inside the hook: listing plugins then stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pluggy

hookspec = pluggy.HookspecMarker("toolbox")
hookimpl = pluggy.HookimplMarker("toolbox")


class Register(Protocol):
    """Registers one component under the name that a YAML's `type` will use (no dots, no slashes)."""

    def __call__(self, name: str, component: type) -> None: ...


@hookspec
def register_algorithms(register: Register) -> None:
    """Training procedures: how images flow between networks. Contract: `toolbox.Algorithm`."""


@hookspec
def register_generators(register: Register) -> None:
    """Networks from images to images. Contract: `toolbox.Generator`."""


@hookspec
def register_discriminators(register: Register) -> None:
    """Networks from images to logits. Contract: `toolbox.Discriminator`."""


@hookspec
def register_encoders(register: Register) -> None:
    """Networks from images to codes. Contract: `toolbox.Encoder`."""


@hookspec
def register_style_encoders(register: Register) -> None:
    """Networks from images to styles. Contract: `toolbox.StyleEncoder`."""


@hookspec
def register_decoders(register: Register) -> None:
    """Networks from codes, and styles, to images. Contract: `toolbox.Decoder`."""


@hookspec
def register_losses(register: Register) -> None:
    """Modules `forward(*values) -> scalar` without trainable parameters; a config gives them a role and a weight."""


@hookspec
def register_features(register: Register) -> None:
    """Frozen networks whose activations losses and metrics compare. Contract: `toolbox.FeatureNetwork`."""


@hookspec
def register_gan_variants(register: Register) -> None:
    """GAN objectives, penalties and normalisations. Contract: `toolbox.GanVariant`."""


@hookspec
def register_regularizers(register: Register) -> None:
    """Terms of a discriminator's loss, beside any objective. Contract: `toolbox.Regularizer`."""


@hookspec
def register_augmentations(register: Register) -> None:
    """What a discriminator's images go through before it sees them. Contract: `toolbox.Augmentation`."""


@hookspec
def register_degradations(register: Register) -> None:
    """Batched ways to damage or shrink images. Contract: `toolbox.Degradation`."""


@hookspec
def register_mixtures(register: Register) -> None:
    """Changes of a training batch's pairs in which other samples take part. Contract: `toolbox.Mixture`."""


@hookspec
def register_datasets(register: Register) -> None:
    """Sources of samples. Contract: `toolbox.ImageDataset`."""


@hookspec
def register_transforms(register: Register) -> None:
    """Changes to one sample while it is read. Contract: `toolbox.Transform`."""


@hookspec
def register_metrics(register: Register) -> None:
    """Measures of quality. Contract: `toolbox.PairedMetric`, `SingleMetric`, or any `mmengine.evaluator.BaseMetric`."""


@hookspec
def register_hooks(register: Register) -> None:
    """Hooks into the training loop: subclasses of `mmengine.hooks.Hook`, named in `custom_hooks`."""


@hookspec
def register_formats(register: Register) -> None:
    """Published layouts of weight files. Contract: `toolbox.CheckpointFormat`."""


@hookspec
def register_exporters(register: Register) -> None:
    """Formats that networks are exported in, by the names of `export --format`. Contract: `toolbox.Exporter`."""


@hookspec
def register_backends(register: Register) -> None:
    """Runtimes that compute networks, by the names of `infer --backend`. Contract: `toolbox.Backend`."""


@hookspec
def config_loaded(config: dict[str, Any]) -> None:
    """See, check or change the merged config before anything is built. Raise `toolbox.ConfigError` to refuse."""


@hookspec
def model_built(config: dict[str, Any], algorithm: Any, warn: Callable[[str, str], None]) -> None:
    """Judge a combination before it trains: `warn(key, message)`, or raise `toolbox.ConfigError` to refuse."""


@hookspec
def report_ready(report: dict[str, Any], folder: Path) -> None:
    """A run's report (rows, protocols, plugin versions) was written to `folder`: add your own format beside it."""
