"""Which objectives, regularizers, normalisations, networks and optimizers go together; each rule gives its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn
from torch.nn.modules.instancenorm import _InstanceNorm

from toolbox import Algorithm, ConfigError, GanVariant, unwrapped
from toolbox.assembly.compatibility import Warn
from toolbox.contracts.gan_variant import BATCH_NORMS
from toolbox.contracts.network import own_modules
from toolbox.weights.spectral_norm import is_normalized
from toolbox_plugins.regularizers.slope import Slope

from .ragan import RaGAN
from .wgan import WGAN


def check(config: Mapping[str, Any], algorithm: Algorithm, warn: Warn) -> None:
    """Apply every rule to every discriminator. (That penalties refuse batch norm, they see to themselves.)

    Raises:
        ConfigError: a Wasserstein critic whose slope nothing limits.
    """
    for slot in algorithm.judged:
        variant, network = algorithm.variants[slot], unwrapped(getattr(algorithm, slot))
        chain = list(layers_of(variant))  # pyright: ignore[reportArgumentType]
        key = "model.variant" if "type" in config["model"]["variant"] else f"model.variant.{slot}"
        slopes = [each for part in chain for each in part.modules() if isinstance(each, Slope)]
        limit_the_critic(chain, slopes, network, key)
        keep_the_scale(network, slot, warn)
        compare_more_than_one(chain, network, config, key, warn)
        calm_the_optimizer(slopes, config, warn)
        show_true_colors(chain, algorithm, key, warn)


def layers_of(variant: GanVariant) -> Iterator[GanVariant]:
    """A variant, and those it wraps."""
    yield variant
    base = getattr(variant, "base", None)
    if isinstance(base, GanVariant):
        yield from layers_of(base)


def limit_the_critic(chain: list[GanVariant], slopes: list[Slope], network: nn.Module, key: str) -> None:
    """The Wasserstein loss is a distance only for critics of bounded slope; without a bound it runs away."""
    for variant in chain:
        if isinstance(variant, WGAN) and variant.clip is None and not slopes and not is_normalized(network):
            raise ConfigError(
                f"{type(variant).__name__} has no bound without a limit on the critic's slope; give it clip: 0.01, "
                "regularizers: [{type: GradientPenalty}], or wrap it in SpectralNorm",
                key=key,
            )


def keep_the_scale(network: nn.Module, slot: str, warn: Warn) -> None:
    """Batch and instance norm undo the scale that spectral norm has set."""
    norms = [m for _, m in own_modules(network) if isinstance(m, (*BATCH_NORMS, _InstanceNorm))]
    if norms and is_normalized(network):
        warn(
            f"model.{slot}",
            f"spectral norm limits each layer's slope and {type(norms[0]).__name__} scales it up again, so nothing is "
            "limited; give the discriminator norm: none",
        )


def compare_more_than_one(
    chain: list[GanVariant], network: nn.Module, config: Mapping[str, Any], key: str, warn: Warn
) -> None:
    """An average over a batch of one logit is that logit."""
    batch = int((config.get("train_dataloader") or {}).get("batch_size", 1))
    scalar = any(isinstance(module, nn.Linear) for module in network.modules())
    if scalar and batch == 1 and any(isinstance(variant, RaGAN) for variant in chain):
        warn(
            key,
            f"RaGAN compares with the average logit of a batch, and {type(network).__name__} gives one logit an image: "
            "at train_dataloader.batch_size 1 nothing is averaged; take a larger batch or a patch discriminator",
        )


def calm_the_optimizer(slopes: list[Slope], config: Mapping[str, Any], warn: Warn) -> None:
    """Momentum carries a critic past the slope that its penalty asks for."""
    optimizer = ((config.get("optim_wrapper") or {}).get("discriminator") or {}).get("optimizer") or {}
    first = (optimizer.get("betas") or (0.9,))[0]
    if slopes and str(optimizer.get("type", "")).startswith("Adam") and first >= 0.9:
        warn(
            "optim_wrapper.discriminator.optimizer.betas",
            f"{type(slopes[0]).__name__} with a first beta of {first} oscillates: momentum goes on after the penalty "
            "has turned; the papers take 0 or 0.5: betas: [0.0, 0.99]",
        )


def show_true_colors(chain: list[GanVariant], algorithm: Algorithm, key: str, warn: Warn) -> None:
    """Whoever is shown changed colours cannot learn a palette."""
    style = {"real_a", "real_b"} <= set(algorithm.inputs)
    for variant in chain:
        for augmentation in variant.augmentations:
            if style and getattr(augmentation, "changes_color", False):
                warn(
                    f"{key}.augmentations",
                    f"{type(augmentation).__name__} changes colours, and a style is its colours too: the discriminator "
                    "cannot tell a wrong palette; leave color out",
                )
