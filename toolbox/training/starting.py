"""What networks begin with: exported, published by others, or taken from the checkpoint of another run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from toolbox.contracts.network import unwrapped
from toolbox.io.errors import UserError, did_you_mean
from toolbox.training.algorithm import Algorithm
from toolbox.weights.checkpoint import read_checkpoint
from toolbox.weights.file import description_file, read_description, read_weights
from toolbox.weights.importing import import_generator_state, under_parametrizations
from toolbox.weights.state import load_portable_state


def begin_with(algorithm: Algorithm, sources: Mapping[str, str], *, whole: bool = False) -> None:
    """Fill generators, or parts of them (`generator_ab.style`), each from its file; averages begin at their networks.

    A file is one that `export` wrote, one that somebody published in any known format, or the checkpoint of another
    run with the network's name there: `work_dirs/cyclegan/iter_2400.pth:generator_ab`, its average if there is one.
    With `whole`, as for a measurement, no generator may be left with the weights it was born with.

    Raises:
        UserError: there is no such network or part, the file cannot be read or holds another network, or one is left.
    """
    named = {key.partition(".")[0] for key in sources}
    for slot in algorithm.generators if whole else ():
        if slot not in named and any(True for _ in getattr(algorithm, slot).parameters()):
            raise UserError(f"load_from: names no file for {slot}, which would run untrained; write {slot}: FILE")
    for key, source in sources.items():
        slot, _, inner = key.partition(".")
        if slot not in algorithm.generators:
            raise UserError(f"load_from.{key}: there is no such network{did_you_mean(slot, algorithm.generators)}")
        network = unwrapped(getattr(algorithm, slot))
        _fill(_part(network, inner, key), source, slot)
        if slot in algorithm.averaged:
            getattr(algorithm, f"{slot}_ema").load_state_dict(network.state_dict())


def file_of(source: str) -> Path:
    """The file that a source names, without the network's name behind it."""
    return _split(source)[0]


def _split(source: str) -> tuple[Path, str]:
    head, colon, name = source.rpartition(":")
    if colon and name.isidentifier() and not Path(source).exists():
        return Path(head), name
    return Path(source), ""


def _part(network: nn.Module, inner: str, key: str) -> nn.Module:
    try:
        return network.get_submodule(inner)
    except AttributeError:
        parts = [name for name, _ in network.named_children()]
        raise UserError(f"load_from.{key}: there is no such part{did_you_mean(inner, parts)}") from None


def _fill(network: nn.Module, source: str, slot: str) -> None:
    file, name = _split(source)
    if file.suffix == ".pth" and file.is_file() and not description_file(file).is_file():
        checkpoint = read_checkpoint(file)
        if "algorithm" in (checkpoint.get("meta") or {}):
            _load(network, _trained(checkpoint, file, name), source)
            return
    if name and not file.is_file():
        raise UserError(f"{source}: there is no file {file}; run what makes it, or name another")
    if name:
        raise UserError(f"{source}: {file} is no checkpoint of this toolbox, and holds no {name}; leave :{name} out")
    if description_file(file).is_file() and not read_description(file).get("layout"):
        _load(network, read_weights(file), source)
        return
    network.load_state_dict(import_generator_state(source, network, slot=slot))


def _load(network: nn.Module, state: Mapping[str, Any], source: str) -> None:
    load_portable_state(network, under_parametrizations(network, state), source)


def _trained(checkpoint: Mapping[str, Any], file: Path, name: str) -> dict[str, Any]:
    """The averaged weights of a run's network, or the plain ones where it has no average."""
    state = checkpoint.get("state_dict") or {}
    names = sorted({key.partition(".")[0] for key in state})
    if name not in names:
        named = f"no {name}" if name else f"several networks; write {file}:{names[0]}" if names else "no network"
        raise UserError(f"{file}: holds {named}{did_you_mean(name, names) if name else ''}")
    prefix = f"{name}_ema." if f"{name}_ema" in names else f"{name}."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
