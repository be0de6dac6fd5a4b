"""From files to a trained network: one that comes with the toolbox, was exported, published, or is in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.assembly.build import build_generators, seed_of
from toolbox.assembly.export import load_exported
from toolbox.config import Config
from toolbox.contracts.clips import Memory, is_recurrent
from toolbox.engine.random_state import seed_all
from toolbox.io.errors import UserError, did_you_mean
from toolbox.training.algorithm import Algorithm
from toolbox.training.outputs import Outputs
from toolbox.training.starting import begin_with
from toolbox.weights.checkpoint import read_checkpoint
from toolbox.weights.file import description_file
from toolbox.weights.importing import load_network
from toolbox.weights.shipped import shipped_model, shipped_models
from toolbox.weights.state import load_portable_state, portable_state

STYLE_FLAGS = "--style, --strength and --seed"


class TrainedOutput(nn.Module):
    """One output of an algorithm as a network, with what was chosen for it: prepared once, on the first call.

    Where an output has several sources, its images hold them as channels: the picture's, then one for each mask. Where
    it is made of clips, the images are the frames of one, in order.
    """

    def __init__(
        self, algorithm: Algorithm, output: str | None = None, chosen: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        if output is not None and output not in algorithm.outputs:
            raise UserError(f"--output {output}: the model has no such output{did_you_mean(output, algorithm.outputs)}")
        self.algorithm, self.output = algorithm, output or next(iter(algorithm.outputs))
        asked = algorithm.outputs[self.output]
        given, beside = dict(chosen or {}), asked.sources[1:]
        self.masks: dict[str, Any] = {name: given.pop(name) for name in beside if name in given}
        """Where the sources beside the picture are, by name."""
        self.chosen = given
        algorithm.refuse(self.output, given)
        asked.chosen(given)
        self.sources, self.keeps_colors, self.clip = asked.sources, asked.keeps_colors_at(given), asked.clip
        self.scale, self.multiple = algorithm.scale_of(self.output), algorithm.multiple_of(self.output)
        self.period = algorithm.period_of(self.output)
        self._prepared: tuple[torch.device, Any] | None = None
        remembers = type(algorithm).next_state is not Outputs.next_state
        if remembers and all(is_recurrent(getattr(algorithm, slot)) for slot in asked.networks):
            self.step = self._stepped  # by which a film goes through it frame by frame

    def _stepped(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """A film's next frame (B, C, H, W), with the memory of the one before, to the output in [0, 1] and memory."""
        values = dict.fromkeys(self.sources, frame)
        state = {**self.state(frame), "memory": memory}
        made = self.algorithm.predict_in(state, values, self.output)
        return made, self.algorithm.next_state(self.output, values, made, state)["memory"]

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W) in [0, 1]."""
        made = self.algorithm.predict_in(self.state(images), self._named(images), self.output)
        return made[0] if self.clip else made

    def generated(self, images: Tensor, state: Any) -> Tensor:
        """As `forward`, of images of sizes that the networks take, with a state of the algorithm's `condition`."""
        values = self._named(images)
        self.algorithm.prepare(values)
        made = self.algorithm.generate(self.output, values, state)
        return made[0] if self.clip else made

    @contextmanager
    def surveying(self, images: Tensor) -> Iterator[None]:
        """Within, images are tiles of these (B, C, H, W): what is measured over a whole picture is measured of them."""
        if not self.algorithm.surveys():
            yield
            return
        state = self.state(images)
        self._prepared = images.device, self.algorithm.surveyed(state, self._named(images), self.output)
        try:
            yield
        finally:
            self._prepared = images.device, state

    def state(self, images: Tensor) -> Any:
        """What was chosen, prepared on the device of images, with what was surveyed."""
        if self._prepared is None or self._prepared[0] != images.device:
            self._prepared = images.device, self.algorithm.conditioned(self.output, self.chosen)
        return self._prepared[1]

    def _named(self, images: Tensor) -> dict[str, Tensor]:
        """Images by their sources, clips (1, T, C, H, W) where the output is made of them."""
        count = len(self.sources)
        parts = images.tensor_split(tuple(range(1 - count, 0)), 1) if count > 1 else [images]
        return dict(zip(self.sources, [part[None] for part in parts] if self.clip else parts, strict=True))


def trained_network(
    weights: str | Path | None = None,
    *,
    config: Config | None = None,
    checkpoint: str | Path | None = None,
    output: str | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> nn.Module:
    """A trained network on the CPU: images (B, C, H, W) in [0, 1] to an output, with its `scale` and `multiple`.

    `weights` alone names everything: a model that comes with the toolbox, a file of `export`, known by the description
    beside it, or one published elsewhere whose keys a plugin recognises. `config` with its `checkpoint` is the other
    way, or with its `load_from` where it is a pipeline of networks that were trained apart. `chosen` holds the output's
    conditions by name: `{"strength": 0.5}`.

    Raises:
        UserError: neither is given, a file is missing or not understood, or an option is out of place.
    """
    if weights is not None and str(weights) in shipped_models() and not Path(weights).exists():
        weights = shipped_model(str(weights))
    if weights is None:
        if config is None:
            raise UserError("--weights, or --config with --checkpoint, must name a trained network")
        return TrainedOutput(load_algorithm(config, checkpoint), output, chosen)
    if description_file(Path(weights)).is_file():
        return TrainedOutput(load_exported(Path(weights), output=output), output, chosen)
    if chosen and Path(weights).exists():
        raise UserError(f"{STYLE_FLAGS}: {Path(weights).name} holds one network of one style; leave them out")
    return load_network(Path(weights), output=output)


def load_algorithm(
    config: Config, checkpoint: str | Path | None = None, *, device: str | torch.device = "cpu"
) -> Algorithm:
    """The config's networks with a checkpoint's weights, by default those of its `load_from`, ready to `predict`.

    Averages where the checkpoint has them. What only trains is not built: no losses, no discriminators, no
    degradation, so that none of their files need be there.
    """
    source = checkpoint or config.data.get("load_from")
    if not source:
        raise UserError(f"--checkpoint: is missing, and {config.source('')} names no weights by load_from")
    seed_all(seed_of(config))
    if isinstance(source, Mapping):
        algorithm = build_generators(config.data["model"])
        begin_with(algorithm, source, whole=True)
    else:
        state = read_checkpoint(source).get("state_dict")
        if not isinstance(state, dict):
            raise UserError(f"{source}: has no 'state_dict'; a checkpoint of this toolbox is wanted here")
        averaged = any(key.partition(".")[0].endswith("_ema") for key in state)
        algorithm = build_generators(config.data["model"], averaged=averaged)
        heads = {key.partition(".")[0] for key in portable_state(algorithm)}
        kept = {key: value for key, value in state.items() if key.partition(".")[0] in heads}
        load_portable_state(algorithm, kept, str(source), checkpoint=Path(source))
    algorithm.to(device)
    return algorithm.eval()


def usable_device(name: str) -> torch.device:
    """The device of a name such as `cpu` or `cuda:1`; one that this machine does not have is refused."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0][:160]
        raise UserError(f"--device {name}: cannot be used here ({reason}); cpu always can") from None
    return device
