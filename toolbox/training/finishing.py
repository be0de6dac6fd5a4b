"""What every network goes through once it is built: right gradients in any layout, and `model`'s speed switches."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from toolbox.contracts.gan_variant import BATCH_NORMS
from toolbox.io.errors import ConfigError
from toolbox.training.instance_norm import make_instance_norm_safe
from toolbox.weights.spectral_norm import normalize_spectrally


def normalize(networks: Mapping[str, nn.Module], model: Mapping[str, Any]) -> None:
    """Normalise the layers that `model.spectral_norm` names, in place: it belongs to a network as its layers do."""
    for slot, layers in (model.get("spectral_norm") or {}).items():
        if slot in networks:
            normalize_spectrally(networks[slot], layers, f"model.spectral_norm.{slot}")


def finish(networks: Mapping[str, nn.Module], model: Mapping[str, Any]) -> None:
    """Apply the switches of the config's `model` to its networks, in place; no state key changes."""
    for slot, network in networks.items():
        make_instance_norm_safe(network)
        if model.get("channels_last"):
            channels_last(network)
        patterns = (model.get("checkpointing") or {}).get(slot, ())
        recompute_blocks(network, patterns, f"model.checkpointing.{slot}")
        options = (model.get("compile") or {}).get(slot)
        if options is not None:
            compile_in_place(network, options, f"model.compile.{slot}")


def channels_last(network: nn.Module) -> nn.Module:
    """Lay the weights of two-dimensional convolutions out with channels last, in place; returns the network."""
    for parameter in network.parameters():
        if parameter.dim() == 4:  # those over clips have five
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def recompute_blocks(network: nn.Module, patterns: Sequence[str], key: str = "checkpointing") -> None:
    """Keep only the inputs of the named blocks for the backward pass, and compute their insides anew there.

    A pattern such as `body.*` names modules, each of its parts one level. This is torch's non-reentrant activation
    checkpointing: gradients are the same, bit for bit, dropout included.

    Raises:
        ConfigError: a pattern names nothing, or a block whose forward changes its state (it would change twice).
    """
    modules = dict(network.named_modules())
    for pattern in patterns:
        found = [name for name in modules if name and _fits(name, pattern)]
        if not found:
            blocks = [name for name, _ in network.named_children()]
            message = f"{type(network).__name__} has no module {pattern!r}; it has {', '.join(blocks[:12])}"
            raise ConfigError(message, key=key)
        for name in found:
            changing = [inner for inner, module in modules[name].named_modules() if _changes_state(module)]
            if changing:
                what = ".".join(part for part in (name, changing[0]) if part)
                message = f"{what} keeps statistics or takes power iterations in forward: computed twice, it would err"
                raise ConfigError(message, key=key)
            modules[name].forward = partial(_recompute, modules[name].forward)


def _recompute(forward: Any, *values: Any) -> Any:
    return checkpoint(forward, *values, use_reentrant=False) if torch.is_grad_enabled() else forward(*values)


def _fits(name: str, pattern: str) -> bool:
    parts, patterns = name.split("."), pattern.split(".")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _changes_state(module: nn.Module) -> bool:
    spectral = parametrize.is_parametrized(module) or hasattr(module, "weight_u")
    return spectral or isinstance(module, BATCH_NORMS) or bool(getattr(module, "track_running_stats", False))


def compile_in_place(network: nn.Module, options: Mapping[str, Any], key: str = "compile") -> None:
    """Have torch compile the network's calls; the module, and the keys of its state, stay what they are."""
    compiler = os.environ.get("CXX", "g++")
    if (
        options.get("backend", "inductor") == "inductor"
        and not torch.cuda.is_available()
        and not shutil.which(compiler)
    ):
        raise ConfigError(f"needs a C++ compiler, and there is no {compiler}; install one, or leave it out", key=key)
    # torch's own tracer looks at the gradients of a network's inputs
    warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
    network.compile(**options)
