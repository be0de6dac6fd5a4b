"""What an algorithm is handed: its networks and everything the config says about them, already built."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from toolbox.contracts.degradation import Degradation
from toolbox.contracts.gan_variant import GanVariant
from toolbox.contracts.mixture import Mixture


@dataclass(frozen=True)
class WeightedLoss:
    """One loss of a role, and its share of the generator's loss."""

    name: str
    module: nn.Module
    weight: float = 1.0


@dataclass(frozen=True)
class Adversary:
    """What goes with one discriminator: objective, weight of the generator's term, size of the history pool."""

    variant: GanVariant
    weight: float = 1.0
    pool: int = 0


@dataclass(frozen=True)
class Phase:
    """A stretch of training: up to which iteration, with which roles and which discriminators (None: all).

    `rates` multiplies the learning rates of an optimizer ("generator", "discriminator"); `frozen` names networks, or
    parts of them by dotted path, that no update changes.
    """

    name: str
    until: int | None = None
    losses: Collection[str] | None = None
    adversaries: Collection[str] | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    frozen: Collection[str] = ()


@dataclass(frozen=True)
class Parts:
    """Everything an `Algorithm` is assembled from; `toolbox.assembly.build` makes it from the config's `model`."""

    networks: dict[str, nn.Module]
    adversaries: dict[str, Adversary] = field(default_factory=dict)
    losses: dict[str, list[WeightedLoss]] = field(default_factory=dict)
    degradation: Degradation | None = None
    mixtures: Sequence[Mixture] = ()
    ema: float | None = None
    ema_switch: int | None = None
    phases: list[Phase] = field(default_factory=lambda: [Phase("train")])
    channels_last: bool = False
    one_graph: bool = False
    discriminator_first: bool = False
