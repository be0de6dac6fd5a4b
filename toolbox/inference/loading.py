"""From weights to a function of pictures: `load("x4.pth")(array)`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from toolbox.assembly.loading import trained_network, usable_device
from toolbox.config import Config, find_config, load_config
from toolbox.inference.blending import blend
from toolbox.inference.exported import open_exported, runtime_of
from toolbox.inference.options import Options
from toolbox.inference.predictor import Predictor
from toolbox.io.errors import UserError


def load(
    weights: str | Path | None = None,
    *,
    config: Config | str | Path | None = None,
    checkpoint: str | Path | None = None,
    output: str | None = None,
    chosen: Mapping[str, Any] | None = None,
    blended: tuple[str | Path, float] | None = None,
    device: str | torch.device = "cpu",
    options: Options | None = None,
    note: Callable[[str], None] = warnings.warn,
) -> Predictor:
    """A trained network as a function of arrays (H, W, C): `load("x4.pth")(array)`.

    `config` may be a file, or the name of a shipped one, in place of one that was read. `chosen` holds conditions of
    the output by name: `{"strength": 0.5}`, `{"style": picture (1, C, H, W) in [0, 1]}`. `weights` may be a file of
    another runtime (`.onnx`, `.xml`), which that runtime then computes. `weights`, or `config` and `checkpoint`, name
    it as for `toolbox.assembly.loading.trained_network`, which also says what is refused. `blended` is a file and its
    share, from 0 to 1, of a network of the same shape that is blended in: `("general-x4v3-wdn.pth", 0.3)`; with a
    config it is another checkpoint.

    Raises:
        UserError: what is given is none of this, or this machine lacks the device.
    """
    options = options or Options()
    _check(weights, config, checkpoint, chosen, blended, options)
    device = usable_device(str(device))
    config = load_config(find_config(config)) if isinstance(config, (str, Path)) else config
    chosen = {name: value for name, value in (chosen or {}).items() if value is not None}
    runtime = runtime_of(Path(weights), options.backend) if weights is not None else None
    if weights is not None and runtime:
        if blended is not None or output is not None:
            flag = "--blend" if blended is not None else "--output"
            raise UserError(f"{flag}: {Path(weights).name} holds one output of one network; leave it out")
        network = open_exported(Path(weights), runtime, precision=options.precision, chosen=chosen)
        return Predictor(network, device=device, options=options, note=note)
    network = trained_network(weights, config=config, checkpoint=checkpoint, output=output, chosen=chosen)
    if blended is not None:
        file, share = Path(blended[0]), blended[1]
        other = None if config else file
        source = trained_network(other, config=config, checkpoint=file if config else None, output=output)
        blend(network, source, share, file)
    return Predictor(network, device=device, options=options, note=note)


def _check(
    weights: object, config: object, checkpoint: object, chosen: object, blended: object, options: object
) -> None:
    """Raise UserError for arguments of another form, before anything is read."""
    if weights is not None and (config is not None or checkpoint is not None):
        raise UserError("load: weights stand alone, and config and checkpoint go together; leave one of them out")
    if not isinstance(weights, (str, Path, type(None))) or not isinstance(checkpoint, (str, Path, type(None))):
        raise UserError(f"load: weights and checkpoint are paths, got {type(weights or checkpoint).__name__}")
    if not isinstance(config, (Config, str, Path, type(None))):
        raise UserError(f"load: config is a file, or of load_config, got {type(config).__name__}")
    if not isinstance(chosen, (Mapping, type(None))):
        raise UserError(f"load: chosen is a mapping, such as {{'strength': 0.5}}, got {chosen!r}"[:200])
    if not isinstance(options, Options):
        raise UserError(f"load: options are toolbox.inference.Options(tile=512), got {type(options).__name__}")
    if blended is None:
        return
    share = blended[1] if isinstance(blended, (tuple, list)) and len(blended) == 2 else None
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise UserError(f"load: blended is (FILE, share), the share from 0 to 1, got {blended!r}"[:200])
