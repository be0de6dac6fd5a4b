"""An algorithm's networks, and the moving averages of those that predict."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any

from mmengine.model import BaseModel
from torch import nn

from toolbox.contracts.network import unwrapped
from toolbox.contracts.output import Output
from toolbox.training.finishing import channels_last
from toolbox.training.instance_norm import make_instance_norm_safe
from toolbox.training.moving_average import take_average, update_average
from toolbox.training.precision import at_precision
from toolbox.training.preprocessor import Preprocessor


class Averages(BaseModel):
    """Base of `Outputs`: holds the networks that are not discriminators, and with `ema` averages, `<slot>_ema`."""

    outputs: Mapping[str, Output] = {}
    """What prediction gives: `{"fake_b": Output("real_a", "generator_ab", keeps_colors=False)}`.

    A plain `("lr", "generator")`, as before toolbox 0.2, is one without conditions, which keeps colours where its
    source is `derived`.
    """

    def __init__(
        self, data_preprocessor: Preprocessor, *, ema: float | None = None, ema_switch: int | None = None
    ) -> None:
        """`ema` is the averages' decay; every `ema_switch` updates the networks take their averages' place."""
        super().__init__(data_preprocessor=data_preprocessor)
        self.ema, self.ema_switch, self.ema_updates = ema, ema_switch, 0
        self.warm: tuple[str, ...] = ()
        """Slots whose averages were loaded."""
        self.networks: tuple[str, ...] = ()
        """Slots of all networks that are not discriminators: the config's, and those that the algorithm makes."""

    def add_network(self, slot: str, network: nn.Module) -> None:
        """Make a network a child, trained with the generators if it trains at all; one that predicts is averaged.

        An algorithm calls it in its constructor for what no config chooses: UNIT's shared block, CUT's projector.
        """
        make_instance_norm_safe(network)
        if self.data_preprocessor.channels_last:
            channels_last(network)
        setattr(self, slot, network)
        self.networks = (*self.networks, slot)
        at_precision(network)
        predicts = any(slot in output.networks for output in self.outputs.values())
        if self.ema is not None and predicts and any(p.requires_grad for p in network.parameters()):
            setattr(self, f"{slot}_ema", deepcopy(network).requires_grad_(False))

    @property
    def averaged(self) -> list[str]:
        """Slots of the networks of which an average is kept."""
        return [slot for slot in self.networks if hasattr(self, f"{slot}_ema")]

    def averaged_network(self, slot: str) -> nn.Module:
        """The network of a slot as prediction uses it: its average where there is one."""
        return getattr(self, f"{slot}_ema") if hasattr(self, f"{slot}_ema") else unwrapped(getattr(self, slot))

    def update_ema(self) -> None:
        """Move the generators' averages; the decay warms up as (1 + n) / (10 + n), so that short runs average too.

        An average that was loaded goes on at the full decay: a warm-up would forget it within three updates.
        """
        if self.ema is None:
            return
        warming = min(self.ema, (1 + self.ema_updates) / (10 + self.ema_updates))
        for slot in self.averaged:
            decay = self.ema if slot in self.warm else warming
            update_average(getattr(self, f"{slot}_ema"), unwrapped(getattr(self, slot)), decay)
        self.ema_updates += 1
        if self.ema_switch is not None and self.ema_updates % self.ema_switch == 0:
            for slot in self.averaged:
                take_average(unwrapped(getattr(self, slot)), getattr(self, f"{slot}_ema"))

    def go_on_averaging(self, slot: str) -> None:
        """Keep a loaded average as one: its decay needs no warm-up any more."""
        self.warm = tuple(dict.fromkeys((*self.warm, slot)))

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As every module; averages of which the state holds nothing begin at the network's own weights."""
        state: Any = copy(state_dict)
        for slot in self.averaged:
            if not any(key.startswith(f"{slot}_ema.") for key in state):
                prefix = f"{slot}." if unwrapped(getattr(self, slot)) is getattr(self, slot) else f"{slot}.module."
                own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
                state.update({f"{slot}_ema.{key}": value for key, value in own.items()})
        return super().load_state_dict(state, strict, assign)
