"""What networks begin with: exported, published by others, or taken from the checkpoint of another run.

Averages are the network wherever weights are read: a file's averages fill the network and go on as its average; raw
weights are asked for by name, `FILE:raw` or `FILE:NETWORK:raw`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from toolbox.contracts.network import unwrapped
from toolbox.io.errors import ConfigError, UserError, did_you_mean
from toolbox.training.algorithm import Algorithm
from toolbox.weights.file import description_file, read_description, read_weights
from toolbox.weights.importing import import_state, misfit, under_parametrizations
from toolbox.weights.state import load_portable_state

RAW = "raw"
AVERAGE = "_ema"


@dataclass(frozen=True)
class Source:
    """What a config names as a beginning: `FILE`, `FILE:NETWORK`, `FILE:raw`, or `{file: ..., partial: true}`.

    Args:
        network: a name within the checkpoint of another run, such as `generator_ab`.
        raw: the weights as they were trained, and not their average.
        partial: what fits in name and shape is taken, and the rest is named: another scale, other channels.
    """

    file: Path
    network: str = ""
    raw: bool = False
    partial: bool = False

    def __str__(self) -> str:
        return ":".join([str(self.file), *filter(None, [self.network, RAW if self.raw else ""])])


def source_of(given: str | Mapping[str, Any], key: str = "load_from") -> Source:
    """Read a source as a config writes it. Raises ConfigError for a mapping of other keys, and for empty text."""
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in ("file", "partial")]
        if unknown or not isinstance(given.get("file"), str) or not isinstance(given.get("partial", False), bool):
            raise ConfigError("wants {file: FILE, partial: true}, or a file alone", key=key)
        return replace(source_of(given["file"], key), partial=given.get("partial", False))
    if not given.strip():
        raise ConfigError("is empty text; name a file, or write null for none", key=key)
    head, colon, last = given.rpartition(":")
    if not colon or not last.isidentifier() or Path(given).exists():
        return Source(Path(given))
    if last != RAW:
        return Source(Path(head), last)
    return replace(source_of(head, key), raw=True)


def begin_with(algorithm: Algorithm, sources: Mapping[str, Any], *, whole: bool = False) -> list[str]:
    """Fill networks, or parts of them (`generator_ab.style`), each from its source; returns what was left out.

    A source's file is one that `export` wrote, one that somebody published in any known format, or the checkpoint of
    another run with the network's name there: `work_dirs/cyclegan/iter_2400.pth:generator_ab`. Discriminators may begin
    so too. With `whole`, as for a measurement, no generator may be left with the weights it was born with.

    Raises:
        UserError: there is no such network or part, the file cannot be read or holds another network, or one is left.
    """
    named = {key.partition(".")[0] for key in sources}
    for slot in algorithm.generators if whole else ():
        if slot not in named and any(True for _ in getattr(algorithm, slot).parameters()):
            raise ConfigError(
                f"names no file for {slot}, which would run untrained; write {slot}: FILE", key="load_from"
            )
    known, notes = [*algorithm.generators, *algorithm.judged], []
    for key, given in sources.items():
        slot, _, inner = key.partition(".")
        if slot not in known:
            raise ConfigError(f"there is no such network{did_you_mean(slot, known)}", key=f"load_from.{key}")
        source, network = source_of(given, f"load_from.{key}"), unwrapped(getattr(algorithm, slot))
        left = _fill(_part(network, inner, key), source, slot)
        if left:
            notes.append(f"{source}: {len(left)} tensor(s) of {key} keep initial weights: {', '.join(left[:6])}"
                         + (f", and {len(left) - 6} more" if len(left) > 6 else ""))  # fmt: skip
        if slot in algorithm.averaged:
            getattr(algorithm, f"{slot}{AVERAGE}").load_state_dict(network.state_dict())
            if not left and not inner:  # an average of initial weights must warm up, or it keeps them for long
                algorithm.go_on_averaging(slot)
    return notes


def is_of_this_toolbox(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a run of this toolbox wrote what was read: other objects than tensors leave neither part readable."""
    meta, state = checkpoint.get("meta"), checkpoint.get("state_dict")
    ours = isinstance(meta, Mapping) and "algorithm" in meta
    return ours and isinstance(state, Mapping) and all(isinstance(key, str) for key in state)


def beginning(algorithm: Algorithm, state: Mapping[str, Any], *, raw: bool = False) -> dict[str, Any]:
    """A run's state as the beginning of another: averages are the networks', and go on; those of no use are left out.

    With `raw` the weights stay as they were trained, and averages begin at them.
    """
    result = dict(state)
    averaged = {key.partition(".")[0] for key in state if key.partition(".")[0].endswith(AVERAGE)}
    for name in averaged:
        slot = name.removesuffix(AVERAGE)
        for key in [key for key in result if key.startswith(f"{name}.")]:
            if not raw:
                result[f"{slot}.{key.removeprefix(f'{name}.')}"] = result[key]
            if raw or slot not in algorithm.averaged:
                del result[key]
    warm = [slot for slot in algorithm.averaged if any(key.startswith(f"{slot}.") for key in result)]
    if isinstance(result.get("_extra_state"), Mapping):  # the counters of that run, which `restart` puts back
        result["_extra_state"] = {**result["_extra_state"], "warm": warm}
    return result


def _part(network: nn.Module, inner: str, key: str) -> nn.Module:
    try:
        return network.get_submodule(inner)
    except AttributeError:
        parts = [name for name, _ in network.named_children()]
        raise ConfigError(f"there is no such part{did_you_mean(inner, parts)}", key=f"load_from.{key}") from None


def _fill(network: nn.Module, source: Source, slot: str) -> list[str]:
    """Load a network from its source; returns the keys that a partial start leaves as they are."""
    state = _state_for(network, source, slot)
    if fitted := getattr(network, "fitted", None):
        state = fitted(state)
    if source.partial:
        return _load_what_fits(network, state, str(source))
    load_portable_state(network, state, str(source))
    return []


def _state_for(network: nn.Module, source: Source, slot: str) -> dict[str, Any]:
    file, name = source.file, source.network
    if file.suffix == ".pth" and file.is_file() and not description_file(file).is_file():
        checkpoint = read_weights(file)
        if is_of_this_toolbox(checkpoint):
            return under_parametrizations(network, _trained(checkpoint, source))
    if (name or source.raw) and not file.is_file():
        raise UserError(f"{source}: there is no file {file}; run what makes it, or name another")
    if name or source.raw:
        asked = name or RAW
        raise UserError(f"{source}: {file} is no checkpoint of this toolbox, and holds no {asked}; leave :{asked} out")
    if description_file(file).is_file() and not read_description(file).get("layout"):
        return under_parametrizations(network, read_weights(file))
    return import_state(file, network, slot=slot, strict=not source.partial)


def _load_what_fits(network: nn.Module, state: Mapping[str, Any], source: str) -> list[str]:
    own = network.state_dict()
    fits = {
        key: value
        for key, value in state.items()
        if isinstance(value, Tensor) and isinstance(own.get(key), Tensor) and own[key].shape == value.shape
    }
    if not fits:
        raise UserError(f"{source}: nothing of it fits {type(network).__name__}: {misfit(network, state)}")
    network.load_state_dict({**own, **fits})
    return [key for key, value in own.items() if isinstance(value, Tensor) and key not in fits]


def _trained(checkpoint: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """The averaged weights of a run's network, or the plain ones where it has no average or they are asked for."""
    state, name = checkpoint["state_dict"], source.network
    names = sorted({key.partition(".")[0] for key in state})
    if name not in names:
        named = f"no {name}" if name else f"several networks; write {source.file}:{names[0]}" if names else "no network"
        raise UserError(f"{source.file}: holds {named}{did_you_mean(name, names) if name else ''}")
    prefix = f"{name}{AVERAGE}." if f"{name}{AVERAGE}" in names and not source.raw else f"{name}."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
