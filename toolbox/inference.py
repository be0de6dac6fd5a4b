"""Applying a trained network to images of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from toolbox.algorithm import Algorithm
from toolbox.config import Config
from toolbox.engine.checkpoint import read_checkpoint
from toolbox.engine.state import load_portable_state
from toolbox.errors import UserError, did_you_mean
from toolbox.images import find_images, images_to_float, read_image, tensor_to_image, write_image
from toolbox.runner import seeded_algorithm


def load_algorithm(config: Config, checkpoint: str | Path, *, device: str | torch.device = "cpu") -> Algorithm:
    """The config's model with a checkpoint's weights, ready to `predict`."""
    algorithm = seeded_algorithm(config)
    state = read_checkpoint(checkpoint).get("state_dict")
    if not isinstance(state, dict):
        raise UserError(f"{checkpoint}: has no 'state_dict'; a checkpoint of this toolbox is wanted here")
    load_portable_state(algorithm, state, str(checkpoint))
    algorithm.to(device)
    return algorithm.eval()


@dataclass(frozen=True)
class Job:
    """One image to translate and where the result goes."""

    source: Path
    target: Path


def jobs(inputs: list[Path], folder: Path, suffix: str = "") -> list[Job]:
    """What to do for images and folders; the tree below an input folder is kept below `folder`."""
    made = []
    for given in inputs:
        if given.is_dir():
            sources = [(path, path.relative_to(given)) for path in find_images(given)]
        elif given.is_file():
            sources = [(given, Path(given.name))]
        else:
            raise UserError(f"{given}: there is no such image or folder")
        made += [Job(path, folder / name.with_name(f"{name.stem}{suffix}.png")) for path, name in sources]
    targets = {}
    for job in made:
        if job.target in targets:
            raise UserError(
                f"{job.source} and {targets[job.target]} would both be written to {job.target}; "
                "give them folders or names of their own"
            )
        targets[job.target] = job.source
    return made


def translate(algorithm: Algorithm, todo: list[Job], *, output: str | None = None) -> Iterator[tuple[Job, str | None]]:
    """Translate one image after the other; yields each job with its problem, or None. A bad file stops nothing."""
    if output is not None and output not in algorithm.outputs:
        raise UserError(f"--output {output}: the model has no such output{did_you_mean(output, algorithm.outputs)}")
    device = next(algorithm.parameters()).device
    for job in todo:
        try:
            images = images_to_float(torch.from_numpy(read_image(job.source))[None].permute(0, 3, 1, 2))
            result = algorithm.predict(images.to(device), output)
            write_image(job.target, tensor_to_image(result[0]))
        except (UserError, OSError) as error:
            yield job, str(error)
        except (RuntimeError, ValueError) as error:  # too little memory, an impossible size, a NaN
            yield job, f"{job.source}: {str(error).splitlines()[0]}"
        else:
            yield job, None
