"""Weight files that others published: read, recognised by their keys, and turned into a network of this toolbox.

`.pth`, `.pt`, `.ckpt` (read without running code), `.safetensors`, and ncnn's `.param` beside its `.bin`. Which layouts
are known is the plugins' business: `gan-toolbox plugins show formats`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from toolbox.contracts.checkpoint_format import CheckpointFormat, State
from toolbox.contracts.graph import missing
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.weights.archive import DAMAGE
from toolbox.weights.file import read_weights
from toolbox.weights.models import NCNN, weights_path
from toolbox.weights.spectral_norm import with_singular_vectors
from toolbox.weights.state_layout import readings, unwrapped_state

FILLING = ("normal_", "uniform_", "trunc_normal_", "mul_", "fill_", "zero_", "ones_", "zeros_")


@dataclass(frozen=True)
class Imported:
    """What a weight file turned out to hold."""

    format: CheckpointFormat
    config: dict[str, Any]
    """The network as a config writes it: `{type: RRDBNet, blocks: 23, ...}`."""
    state: State
    """The network's own state dict."""
    whole: State
    """All that the file holds, under its own keys."""


def load_network(weights: Path, *, output: str | None = None) -> nn.Module:
    """The network of a published weight file or official model's name, on the CPU, evaluating; it has `scale`.

    `output` chooses among the networks of a file that holds several, such as UNIT's: fake_b (the default) or fake_a.

    Raises:
        UserError: the file cannot be read, is of no known format, does not fit the network that it names, or does not
            give the output.
    """
    found = read_imported(weights, output=output)
    if found.format.kind == "discriminators":
        generator = weights.name.replace("_netD", "").replace("_net_d", "").replace("net_D", "net_G")
        hint = f"; take {generator}" if generator != weights.name else ""
        raise UserError(f"{weights}: is a discriminator, which judges pictures and makes none{hint}")
    try:
        network = _built(registry("generators").get(found.config["type"]), found)
    except (UserError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{weights}: looks like {type(found.format).__name__} and is not: {reason}") from None
    return network.eval()


def _built(component: type, found: Imported) -> nn.Module:
    """The network with the file's weights; the shapes are compared before memory is taken for them."""
    arguments = {name: value for name, value in found.config.items() if name != "type"}
    with torch.device("meta"), Unfilled():
        outline: nn.Module = component(**arguments)
    problem = misfit(outline, found.state)
    if problem:
        raise UserError(problem)
    outline.load_state_dict(found.state, assign=True)
    if not any(tensor.is_meta for tensor in (*outline.parameters(), *outline.buffers())):
        return outline
    with torch.random.fork_rng(devices=[]):  # it holds more than its state: built anew, without spending random numbers
        whole: nn.Module = component(**arguments)
    whole.load_state_dict(found.state)
    return whole


class Unfilled(TorchFunctionMode):
    """Leaves initial weights out, which would be thrown away: two seconds for RRDBNet of 23 blocks."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__ in FILLING and args and isinstance(args[0], Tensor) and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


def import_state(path: str | Path, network: nn.Module, *, slot: str = "", strict: bool = True) -> State:
    """The state dict for `network` from a file of any known format, for a warm start (`load_from`).

    The file's network must be the same one: of the same class, blocks and width; a file of several, such as UNIT's, has
    one for each `slot` of an algorithm. Where `network` normalises a weight
    spectrally, the plain weight of the file goes under the parametrisation's key, with its own singular vectors.
    `strict=False` leaves it to the caller what to do with a network of other shapes.

    Raises:
        UserError: the file cannot be read, is of no known format, or holds another network.
    """
    found = read_imported(Path(path), network=type(network).__name__)
    part = found.format.of_slot(found.whole, slot)
    state = under_parametrizations(network, found.state if part is None else part)
    problem = misfit(network, state) if strict else None
    if problem and part is not None:
        raise UserError(f"{path}: its {slot} is not this {type(network).__name__}: {problem}")
    if problem:
        described = ", ".join(f"{name} {value}" for name, value in found.config.items() if name != "type")
        raise UserError(
            f"{path}: holds a {found.config['type']} ({described}), not this {type(network).__name__}: {problem}"
        )
    return state


def under_parametrizations(network: nn.Module, state: Mapping[str, Tensor]) -> State:
    """Plain weights under the keys of a network that normalises some of them spectrally, with singular vectors."""
    result = dict(with_singular_vectors(network, state))
    own = network.state_dict()
    for key in [key for key in own if ".parametrizations." in key or key.startswith("parametrizations.")]:
        head, _, tail = key.rpartition("parametrizations.")
        name, _, part = tail.partition(".")
        if key not in result:
            result[key] = result.pop(head + name, own[key]) if part == "original" else own[key]
    return result


def read_imported(path: Path, *, output: str | None = None, network: str | None = None) -> Imported:
    """Read a weight file, or an official model by its name, and recognise what it holds, as `recognise` does.

    Raises:
        UserError: it cannot be read, not exactly one format matches, or the file does not give the output.
    """
    path = weights_path(path)
    if path.suffix in NCNN and (path.suffix == ".param" or path.with_suffix(".param").is_file()):
        return _recognise_graph(path, output)
    return recognise(read_state(path), str(path), output=output, network=network)


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict of a weight file, under its own keys.

    Raises:
        UserError: it cannot be read, holds none, or claims more than it stores.
    """
    try:
        content = read_weights(path)
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: is damaged or no weight file ({reason})") from None
    state = unwrapped_state(content, str(path))
    if sum(value.numel() * value.element_size() for value in state.values()) > 4 * path.stat().st_size + (1 << 20):
        raise UserError(f"{path}: its tensors claim far more than the file holds; it is damaged or a trap")
    return state


def recognise(
    state: Mapping[str, Tensor], source: str, *, output: str | None = None, network: str | None = None
) -> Imported:
    """Find the one format that a state dict is of, and in it the network of an output.

    Where `network`, the class that it is wanted for, is a fallback format's, those are asked first.

    Raises:
        UserError: none matches, several do, or the one that does has no such output.
    """
    every = formats()
    known = {name: each for name, each in every.items() if not missing(each.packages, each.extra)}
    seen: dict[str, Tensor] = {}
    try:
        first = any(each.fallback and each.network == network for each in known.values())
        for fallback in (first, not first):
            asked = {name: each for name, each in known.items() if each.fallback == fallback}
            for reading in readings(state):
                seen = reading
                matching = {name: each for name, each in asked.items() if each.matches(reading.keys())}
                if matching:
                    return _convert(matching, reading, source, output)
    except RuntimeError as error:  # tensors whose shapes cannot be computed with
        raise UserError(f"{source}: cannot be read as weights ({' '.join(str(error).split())[:160]})") from None
    raise UserError(_unknown(source, every, seen))


def formats() -> dict[str, CheckpointFormat]:
    """Every registered format, by name."""
    each = registry("formats")
    return {name: each.get(name)() for name in each.names()}


def misfit(network: nn.Module, state: Mapping[str, Tensor]) -> str | None:
    """What keeps a state dict from being the network's, in one line; None if it fits."""
    try:
        own = network.state_dict()
        wrong = [f"missing {key}" for key in own if key not in state]
        wrong += [f"unexpected {key}" for key in state if key not in own]
        wrong += [
            f"{key} has shape {tuple(state[key].shape)} instead of {tuple(value.shape)}"
            for key, value in own.items()
            if key in state and state[key].shape != value.shape
        ]
        whole = next(
            (k for k, v in own.items() if v.is_floating_point() and k in state and not state[k].is_floating_point()),
            None,
        )
        if whole is not None:
            wrong.append(f"{whole} holds whole numbers ({str(state[whole].dtype)[6:]}) in place of weights")
    except AttributeError:
        return "its state holds more than tensors"
    more = f", and {len(wrong) - 4} more" if len(wrong) > 4 else ""
    return f"{'; '.join(wrong[:4])}{more}" if wrong else None


def _convert(
    matching: Mapping[str, CheckpointFormat], state: State, source: str, output: str | None = None
) -> Imported:
    if len(matching) > 1:
        raise UserError(
            f"{source}: is of the formats {' and '.join(matching)} at once; leave the plugin of one out with -p no:NAME"
        )
    ((name, found),) = matching.items()
    try:
        chosen = found.choose(state, output)
    except UserError as error:
        raise UserError(f"--output {output}: {Path(source).name} {error}") from None
    try:
        return Imported(found, {"type": found.network, **found.arguments(chosen)}, found.convert(chosen), dict(state))
    except UserError as error:
        own = formats() if found.fallback else {}  # what only a fallback took for its own may be nearly another's
        near = f"; {nearest}known: {', '.join(own)}" if own and (nearest := _nearest(own, state)) else ""
        raise UserError(f"{source}: is of the format {name}, but {error}{near}") from None


def _unknown(source: str, known: Mapping[str, CheckpointFormat], state: Mapping[str, Tensor]) -> str:
    keys = sorted(state)
    shown = ", ".join(keys[:6])[:300]
    if not known:
        return f"{source}: no plugin registers a checkpoint format; is one left out by -p no:NAME?"
    lacking = {missing(each.packages, each.extra): name for name, each in known.items()}
    more = "".join(f"{name} may know it and {lack}; " for lack, name in lacking.items() if lack)
    return (
        f"{source}: none of the known formats has these {len(keys)} keys ({shown}, ...); "
        f"{more}{_nearest(known, state)}known: {', '.join(known)}; a plugin can add one (register_formats), "
        "and a checkpoint of this toolbox needs --config and --checkpoint"
    )


def _nearest(known: Mapping[str, CheckpointFormat], state: Mapping[str, Tensor]) -> str:
    """Which format shares most of the keys that it needs, and which one it misses; nothing where none shares any."""
    shared = {
        name: sum(key in state for key in each.needs) / len(each.needs) for name, each in known.items() if each.needs
    }
    name = max(shared, key=lambda each: shared[each])
    lacking = [key for key in known[name].needs if key not in state]
    if not shared[name]:
        return ""
    return f"nearest is {name}, which {f'has {lacking[0]} too' if lacking else 'has fewer other keys'}; "


def _recognise_graph(path: Path, output: str | None) -> Imported:
    from toolbox.weights.ncnn import read_ncnn

    graph = read_ncnn(path)
    known = formats()
    for each in known.values():
        try:
            state = each.from_ncnn(graph)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        if state is not None:
            return _convert({type(each).__name__: each}, state, str(path), output)
    families = ", ".join(
        sorted({each.network for each in known.values() if type(each).from_ncnn is not CheckpointFormat.from_ncnn})
    )
    raise UserError(f"{path}: its graph ({graph.summary()}) is none of those that can be imported: {families}")
