"""Applying a trained network to images of any size."""

from __future__ import annotations

import os
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


def usable_device(name: str) -> torch.device:
    """The device of a name such as `cpu` or `cuda:1`; one that this machine does not have is refused."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0][:160]
        raise UserError(f"--device {name}: cannot be used here ({reason}); cpu always can") from None
    return device


@dataclass(frozen=True)
class Job:
    """One image to translate and where the result goes."""

    source: Path
    target: Path


def jobs(inputs: list[Path], folder: Path, suffix: str = "") -> list[Job]:
    """What to do for images and folders; the tree below an input folder is kept below `folder`, which is made."""
    if Path(suffix).name != suffix and suffix:
        raise UserError(f"--suffix {suffix}: is added to a file's name, and a name holds no folder")
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
    sources = {job.source.resolve() for job in made}
    for target in targets:
        if target.resolve() in sources:
            raise UserError(f"{target}: the result would replace an input; choose another folder, or add --suffix")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"-o {folder}: no folder can be made there ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"-o {folder}: cannot be written to; choose another folder")
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
        except UserError as error:
            yield job, str(error)
        except OSError as error:
            yield job, f"{job.target}: cannot be written ({error.strerror or error})"
        except (RuntimeError, ValueError) as error:  # too little memory, an impossible size, a NaN
            yield job, f"{job.source}: {str(error).splitlines()[0]}"
        else:
            yield job, None
