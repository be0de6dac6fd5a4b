"""Contract checks of what a run calls: hooks at its fixed points, and formats when a weight file is read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from toolbox.contracts.checkpoint_format import CheckpointFormat
from toolbox.plugins.registry import registry
from toolbox.testing.components import require
from toolbox.weights.state_layout import readings

POINTS = [name for name in vars(Hook) if name.lstrip("_").startswith(("before_", "after_"))]
"""Methods of a hook that a run calls."""


def check_hook(hook: Hook) -> None:
    """Every method is one that a run calls, by its name, and with the arguments that it is called with."""
    require(isinstance(hook, Hook), "a hook derives from mmengine.hooks.Hook")
    own = [name for name in dir(type(hook)) if name.startswith(("before_", "after_")) and name not in POINTS]
    for name in own:
        close = get_close_matches(name, POINTS, n=1, cutoff=0.8)
        require(not close, f"no run calls {name}; did you mean '{''.join(close)}'?")
    used = [name for name in POINTS if getattr(type(hook), name) is not getattr(Hook, name)]
    require(used, f"it acts at no point of a run; give it one of {', '.join(POINTS[:4])}, after_train_iter, …")
    for name in used:
        called = list(inspect.signature(getattr(Hook, name)).parameters)[1:]
        try:
            inspect.signature(getattr(hook, name)).bind("runner", **dict.fromkeys(called[1:]))
        except TypeError as error:
            require(False, f"{name} is called as {name}({', '.join(called)}): {error}")


def check_format(layout: CheckpointFormat, network: nn.Module | None = None) -> None:
    """A network's weights, written in the layout and read again, are the same, and tell the network's arguments.

    `network` is one of the class that the layout names; by default it is built from that class's defaults.
    """
    require(isinstance(layout, CheckpointFormat), "a format derives from toolbox.CheckpointFormat")
    for name in ("network", "layout"):
        value = getattr(layout, name, None)
        require(isinstance(value, str) and value, f"`{name}` must be a name, got {value!r}")
    owners = registry("generators").owners(layout.network)
    require(owners, f"`network` must be a registered generator, got {layout.network!r}")
    module: Any = owners[0].component() if network is None else network
    state: Mapping[str, Any] = module.state_dict()
    written = layout.restore(state)
    require(written, "restore gives no key at all")
    matching = [each for each in readings(written) if layout.matches(each.keys())]  # prefixes are the importer's
    require(matching, "matches does not know the keys that restore gives")
    written = matching[0]
    missing = [key for key in getattr(layout, "needs", ()) if key not in written]
    require(not missing, f"`needs` names {', '.join(missing[:3])}, which restore does not give")
    chosen = layout.choose(written, None)
    back = layout.convert(chosen)
    lost, more = sorted(state.keys() - back.keys()), sorted(back.keys() - state.keys())
    require(not lost and not more, f"convert after restore loses {lost[:3]} and adds {more[:3]}")
    unlike = [key for key, value in state.items() if isinstance(value, Tensor) and not torch.equal(value, back[key])]
    require(not unlike, f"convert after restore changes {', '.join(unlike[:3])}")
    arguments = layout.arguments(chosen)
    again = type(module)(**arguments).state_dict()
    shapes = [{key: getattr(value, "shape", None) for key, value in each.items()} for each in (state, again)]
    require(shapes[0] == shapes[1], f"arguments gives {arguments}, which builds a network of other shapes")
