"""Trained generators without their training: one file of plain weights each, and a description that rebuilds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm

from toolbox import __version__
from toolbox.assembly.build import build_generators, own_arguments
from toolbox.assembly.outline import check_sizes
from toolbox.config import Config, check_arguments, check_structure, naming_the_file
from toolbox.config.check import Check
from toolbox.io.errors import ConfigError, UserError, did_you_mean
from toolbox.io.files import read_json
from toolbox.plugins.manager import manager
from toolbox.training.algorithm import Algorithm
from toolbox.training.starting import begin_with
from toolbox.weights.checkpoint import read_checkpoint
from toolbox.weights.file import (
    description_file,
    halved,
    read_description,
    read_weights,
    write_description,
    write_weights,
)
from toolbox.weights.importing import import_state
from toolbox.weights.published_layout import check_target, laid_out, make_folder
from toolbox.weights.state import load_portable_state


def export(
    config: Config, checkpoint: Path | None, target: Path, *, layout: str | None = None, half: bool = False
) -> list[Path]:
    """Write the generators of a checkpoint, their averages where it has any; returns the weights files.

    Without a checkpoint they are those that the config's `load_from` names, as in a pipeline of trained networks.

    One generator goes to `target`, several to `target` with their slot in the name: `style_generator_ab.safetensors`.
    The keys are the network's own, or those of a published `layout` of its files; parametrised weights (spectral norm)
    are written as the plain weights they give. With `half` the file holds float16, half as many bytes; networks that
    read it compute as ever.
    """
    check_target(target)
    model = config.data["model"]
    algorithm = build_generators(model)
    content = _fill(algorithm, config, checkpoint)
    slots = [slot for slot in algorithm.networks if _predicts(algorithm, slot)]
    files = {slot: _file(target, slot if len(slots) > 1 else "") for slot in slots}
    average = any("_ema." in key for key in content.get("state_dict", ()))
    for slot in slots:
        fold(getattr(algorithm, slot))
    contents = {slot: laid_out(getattr(algorithm, slot), layout, target.suffix) for slot in slots}
    if half:
        contents = {slot: halved(each) for slot, each in contents.items()}
    make_folder(target)
    hashes = {slot: write_weights(file, contents[slot]) for slot, file in files.items()}
    iteration = (content.get("meta") or {}).get("iter")
    for slot, file in files.items():
        network = getattr(algorithm, slot)
        outputs = {name: each.described() for name, each in algorithm.outputs.items() if slot in each.networks}
        description = {
            "toolbox": __version__,
            "slot": slot,
            "network": type(network).__name__,
            "scale": int(getattr(network, "scale", 1)),
            "outputs": outputs,
            "average": average,
            "iteration": iteration,
            "layout": layout,
            "sha256": hashes[slot],
            "parameters": sum(p.numel() for p in network.parameters()),
            "files": {name: other.name for name, other in files.items()},
            "metrics": _metrics(checkpoint, iteration) if checkpoint else None,
            "plugins": manager().versions(),
            "model": model,
        }
        write_description(file, description)
    return list(files.values())


def _fill(algorithm: Algorithm, config: Config, checkpoint: Path | None) -> dict[str, Any]:
    """Load the generators' averages, or what `load_from` names; returns the checkpoint's content, if there is one."""
    if checkpoint is None:
        source = config.data.get("load_from")
        if not isinstance(source, Mapping):
            raise ConfigError("names no file for each network; name a CHECKPOINT", key="load_from")
        begin_with(algorithm, source, whole=True)
        return {}
    content = read_checkpoint(checkpoint)
    state = content.get("state_dict")
    if not isinstance(state, dict):
        raise UserError(f"{checkpoint}: has no 'state_dict'; a checkpoint of this toolbox is wanted here")
    for slot in (slot for slot in algorithm.networks if _predicts(algorithm, slot)):
        prefix = f"{slot}_ema." if any(key.startswith(f"{slot}_ema.") for key in state) else f"{slot}."
        own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        load_portable_state(getattr(algorithm, slot), own, f"{checkpoint} ({prefix[:-1]})", checkpoint=checkpoint)
    return content


def load_exported(weights: Path, *, output: str | None = None, device: str | torch.device = "cpu") -> Algorithm:
    """The generator of a file that `export` wrote, ready to `predict` the outputs that it takes part in.

    Where an output passes several networks, the files of the others are read from the same folder.
    """
    description = read_description(weights)
    config = Config({"model": description["model"]}, description_file(weights).resolve())
    _check_networks(config)
    with naming_the_file(config):
        check_sizes(description, weights)
    algorithm: Any = build_generators(config.data["model"])
    slot, files = description["slot"], description["files"]
    outputs = {name: each for name, each in algorithm.outputs.items() if slot in each.networks}
    if output is not None and output not in outputs:
        others = {name: files.get(each.networks[0]) for name, each in algorithm.outputs.items()}
        elsewhere = f"; {others[output]} gives it" if others.get(output) else did_you_mean(output, outputs)
        raise UserError(f"--output {output}: {weights.name} does not give it{elsewhere}")
    outputs = {output: outputs[output]} if output else dict(list(outputs.items())[:1])
    if not outputs:
        raise UserError(f"{weights}: {config.data['model']['type']} makes no output with a network '{slot}'")
    needed = dict.fromkeys(network for each in outputs.values() for network in each.networks)
    for name in (name for name in needed if _predicts(algorithm, name)):
        file = weights if name == slot else _beside(weights, files.get(name), name)
        network = fold(getattr(algorithm, name))
        layout = read_description(file).get("layout")
        state = import_state(file, network) if layout else read_weights(file)
        load_portable_state(network, state, str(file))
    algorithm.outputs = outputs
    return algorithm.to(device).eval()


@torch.no_grad()
def fold(network: nn.Module) -> nn.Module:
    """Replace parametrised weights by the plain ones they give in evaluation, in place; returns the network.

    Copies of it stay whole: torch's own removal takes the weight out of the class, which a deep copy shares.
    """
    network.eval()  # in training, spectral norm would take a step
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            given: Any = module.parametrizations
            trained = {name: [p.requires_grad for p in each.parameters()] for name, each in given.items()}
            values = {name: getattr(module, name).detach().clone() for name in trained}
            module.__class__ = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            for name, value in values.items():
                if trained[name]:
                    module.register_parameter(name, nn.Parameter(value, requires_grad=any(trained[name])))
                else:
                    module.register_buffer(name, value)
        elif hasattr(module, "weight_orig") and hasattr(module, "weight_u"):  # torch's older spectral norm
            remove_spectral_norm(module)
    return network


def _predicts(algorithm: Algorithm, slot: str) -> bool:
    """Whether a network was trained (not loaded with its own weights, as feature networks are) and makes an output."""
    trained = any(parameter.requires_grad for parameter in getattr(algorithm, slot).parameters())
    return trained and any(slot in each.networks for each in algorithm.outputs.values())


def _file(target: Path, slot: str) -> Path:
    file = target.with_name(f"{target.stem}_{slot}{target.suffix}") if slot else target
    if file.exists() and not description_file(file).is_file():
        raise UserError(f"-o {file}: is there already and was not written by export; choose another name")
    return file


def _beside(weights: Path, name: Any, slot: str) -> Path:
    if not isinstance(name, str) or Path(name).name != name:
        raise UserError(f"{description_file(weights)}: names no file for '{slot}', which the output needs too")
    return weights.with_name(name)


def _check_networks(config: Config) -> None:
    """Check a description's networks as a config's are, before anything is built."""
    check_structure(config)
    check, model = Check(config), config.data["model"]
    if "parts" in model:  # what the toolbox itself hands over
        raise check.error(f"{model['type']} has no such argument", "model.parts")
    algorithm = check.find("algorithms", model["type"], "model.type")
    for slot in algorithm.generators:
        if slot not in model:
            raise ConfigError(f"{model['type']} needs a network '{slot}'", file=config.source(""), key="model")
        check.component(algorithm.slots()[slot], model[slot], f"model.{slot}")
    check_arguments(algorithm, own_arguments(algorithm, model), "model", config.source, skip=("parts",))


def _metrics(checkpoint: Path, iteration: Any) -> dict[str, Any] | None:
    """What the run's report, if it lies beside the checkpoint, says; and whether it is of this very checkpoint."""
    try:
        report = read_json(checkpoint.parent / "report.json")
        rows, protocols = report["rows"], report["protocols"]
    except (UserError, OSError, KeyError):
        return None
    return {"rows": rows, "protocols": protocols, "of_this_checkpoint": report.get("iterations") == iteration}
