"""The commands that come after `new`: train, apply, export, apply what was exported."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolbox.assembly.own_roles import Own
from toolbox.engine.chosen_metric import best_file
from toolbox.io.look import Look
from toolbox.plugins.registry import registry

MANY = 20_000_000
"""Pixels of a folder that take a CPU long to enlarge."""


def first_shown(folder: Path, own: Own, seen: Look, held: Sequence[Path] = ()) -> Path:
    """What the trained network is shown first: the folder, or of many pixels the smallest picture of those `held` out.

    Of pairs `held` are targets, and the input of one is shown.
    """
    place = own.pairs.inputs if own.pairs and not own.pairs.beside else folder
    pixels = {path: size[0] * size[1] for path, size in seen.sizes.items() if path not in seen.unusable}
    inside = {path: each for path, each in pixels.items() if path.is_relative_to(place)}
    if sum(inside.values()) <= MANY:
        return place
    kept = {source for source, target in own.pairs.names if target in held} if own.pairs else {*held}
    return min(inside.keys() & kept or inside, key=lambda path: (inside[path], path))


def commands(file: Path, data: Mapping[str, Any], shown: Path, style: str) -> list[str]:
    """The lines, of a config's file with its data; `shown` is what is applied to, `style` the own one's name."""
    suffix = suffix_of(data["model"])
    work_dir = data.get("work_dir") or f"work_dirs/{file.stem}"
    best = ((data.get("default_hooks") or {}).get("checkpoint") or {}).get("save_best")
    last = best_file(best) if best else f"iter_{data['train_cfg']['max_iters']}.pth"
    checkpoint = shlex.quote(f"{work_dir}/{last}")
    given = shlex.quote(str(shown))
    styles = (data["model"].get("generator") or {}).get("styles")
    choice = f" --style {style}" if styles else ""
    return [
        f"gan-toolbox train {file}",
        f"gan-toolbox infer {given} -o out --config {file} --checkpoint {checkpoint}{choice}",
        f"gan-toolbox export {file} {checkpoint} -o {file.stem}.safetensors",
        f"gan-toolbox infer {given} -o out --weights {file.stem}{suffix}.safetensors{choice}",
    ]


def suffix_of(model: Mapping[str, Any]) -> str:
    """What `export` adds to the name of the first file where a model has several generators: `_generator_ab`.

    Raises:
        UserError: no such algorithm is known.
    """
    algorithm: Any = registry("algorithms").get(model["type"])
    networks = dict.fromkeys(slot for output in algorithm.outputs.values() for slot in _networks(output))
    return f"_{next(iter(networks))}" if len(networks) > 1 else ""


def _networks(output: Any) -> Sequence[str]:
    return output.networks if hasattr(output, "networks") else output[1:]
