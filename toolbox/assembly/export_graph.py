"""Networks in the formats of other runtimes: written, tried there, and described, or not there at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolbox import __version__
from toolbox.assembly.graph import LAYOUTS, OutputGraph, as_metadata, described_conditions
from toolbox.assembly.loading import TrainedOutput
from toolbox.assembly.reach import memory_per_pixel, reach
from toolbox.assembly.verify import Trial, allowed, first_broken_layer, verify
from toolbox.config import Config
from toolbox.contracts.exporter import Exporter
from toolbox.contracts.graph import missing
from toolbox.io.errors import UserError
from toolbox.io.files import file_hash
from toolbox.plugins.manager import manager
from toolbox.plugins.registry import registry
from toolbox.weights.file import write_description
from toolbox.weights.published_layout import make_folder
from toolbox.weights.shipped import shipped_model, shipped_models


def exporter_named(name: str) -> Exporter:
    """The exporter of a format.

    Raises:
        UserError: there is none, or a package that it needs is not installed.
    """
    kind: Any = registry("exporters").get(name)
    if lack := missing(kind.packages, kind.extra):
        raise UserError(f"--format {name}: {lack}")
    return kind()


def export_graph(
    network: nn.Module,
    format_name: str,
    target: Path,
    *,
    channels: int = 3,
    layout: str = LAYOUTS[0],
    half: bool = False,
    size: tuple[int, int] | None = None,
    license_name: str | None = None,
    source: Mapping[str, str] | None = None,
) -> list[Trial]:
    """Write a network, `TrainedOutput` or generator, in a format; returns how it compares with PyTorch.

    Conditions that were not chosen become inputs of the file. It computes with all of its precision in float32;
    with `half` its weights are float16 where the format has such. `size` is that of formats whose sizes are fixed;
    `source` says by hashes what the network is from (`made_from`), and is written into the file.

    Raises:
        UserError: the format cannot hold the network, or computes something else; then there is no file.
    """
    exporter = exporter_named(format_name)
    if target.suffix != exporter.suffix:
        raise UserError(f"-o {target}: files of {format_name} end in {exporter.suffix}")
    if half and not exporter.halves:
        raise UserError(f"--half: {format_name} is written in float32 alone; leave it out")
    batch = 2 if exporter.any_batch else 1
    graph = OutputGraph(network.eval(), channels=channels, layout=layout, batch=batch, size=size)
    described = {**describe(network, graph, channels, layout, license_name), "made_from": dict(source or {})}
    graph.metadata = as_metadata(described)
    make_folder(target)
    made = target.with_name(f".{target.name}.partial{exporter.suffix}")
    try:
        with torch.no_grad():
            exporter.write(graph, made, half=half)
            trials = verify(graph, exporter, made)
            _refuse_other(graph, exporter, trials, format_name, half=half)
        move(exporter, made, target)
    finally:
        for file in exporter.files(made):
            file.unlink(missing_ok=True)
    compared = [{"shape": list(trial.shape), "largest_difference": trial.difference} for trial in trials]
    about = {"format": format_name, "half": half, "sha256": file_hash(target), "compared": compared}
    write_description(target, {**described, "export": about})
    return trials


def move(exporter: Exporter, made: Path, target: Path) -> None:
    """Give a written file, and those that belong to it, their names."""
    for file, wanted in reversed(list(zip(exporter.files(made), exporter.files(target), strict=True))):
        file.replace(wanted)


def describe(
    network: nn.Module, graph: OutputGraph, channels: int, layout: str, license_name: str | None
) -> dict[str, Any]:
    """What a file says of itself; the names are spandrel's where it has them."""
    output = network.algorithm.outputs[network.output] if isinstance(network, TrainedOutput) else None
    keeps = network.keeps_colors if isinstance(network, TrainedOutput) else getattr(network, "keeps_colors", None)
    with torch.inference_mode():
        known = reach(network, channels=channels, scale=graph.scale, multiple=graph.multiple)
        side = graph.multiple * -(-48 // graph.multiple)
        sample = torch.zeros(1, channels, side, side)
        memory = memory_per_pixel(network, network, sample)
        out_channels = network(sample).shape[1]
    name = type(network.algorithm).__name__ if isinstance(network, TrainedOutput) else type(network).__name__
    return {
        "toolbox": __version__,
        "architecture": name,
        "networks": networks_of(network),
        "scale": graph.scale,
        "multiple": graph.multiple,
        "period": int(getattr(network, "period", 1)),
        "size_requirements": {"minimum": 0, "multiple_of": 1, "square": False},  # padding is in the graph
        "reach": known.halo if known.local else None,
        "tiling": "supported" if known.local else "discouraged",
        "bytes_per_pixel": memory,
        "channels": channels,
        "input_channels": channels,
        "output_channels": out_channels,
        "range": "0-255" if layout != LAYOUTS[0] else "0-1",
        "layout": layout,
        "output": graph.output,
        "sources": list(output.sources) if output else ["picture"],
        "clip": bool(output and output.clip),
        "kind": "paints" if keeps is False else "keeps colours",
        "keeps_colors": keeps if keeps is not None else graph.scale > 1,
        "purpose": "SR" if graph.scale > 1 else "Restoration",
        "conditions": described_conditions(network),
        "chosen": {key: str(value) for key, value in getattr(network, "chosen", {}).items()},
        "license": license_name,
        "supports_half": all(bool(getattr(each, "supports_half", True)) for each in network.modules()),
        "parameters": sum(each.numel() for each in network.parameters()),
        "plugins": manager().versions(),
    }


def made_from(config: Config | None, weights: str | Path | None) -> dict[str, str]:
    """SHA-256 of the config's model and of the file of weights: what a network was made from, without its place."""
    made = {}
    if config:
        model = json.dumps(config.data["model"], sort_keys=True, default=str)
        made["model_sha256"] = hashlib.sha256(model.encode()).hexdigest()
    if weights is not None:
        ours = str(weights) in shipped_models() and not Path(weights).exists()
        file = shipped_model(str(weights)) if ours else Path(weights)
        made |= {"weights_sha256": file_hash(file)} if file.is_file() else {}
    return made


def networks_of(network: nn.Module) -> list[str]:
    """The classes of the networks that make the output, in order."""
    if not isinstance(network, TrainedOutput):
        return [type(network).__name__]
    slots = network.algorithm.outputs[network.output].networks
    return [type(getattr(network.algorithm, slot)).__name__ for slot in slots]


def _refuse_other(graph: OutputGraph, exporter: Exporter, trials: list[Trial], name: str, *, half: bool) -> None:
    worst = max(trials, key=lambda trial: trial.difference)
    tolerance = allowed(graph, exporter, half=half)
    if worst.difference <= tolerance:
        return
    layer = first_broken_layer(graph, exporter, tolerance=tolerance)
    where = f"; the first layer that differs is {layer.removeprefix('network.')}" if layer else ""
    shape = "x".join(map(str, worst.shape))
    raise UserError(
        f"--format {name}: the file computes something else, by {worst.difference:.2g} at {shape} "
        f"({tolerance:.2g} is allowed){where}; nothing was written"
    )


def as_lines(trials: list[Trial]) -> Mapping[str, str]:
    """For people: each shape with its difference."""
    return {"x".join(map(str, trial.shape)): f"{trial.difference:.2g}" for trial in trials}
