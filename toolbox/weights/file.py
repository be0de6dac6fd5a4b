"""Files that hold one network's weights and nothing else, and the description that lies beside each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.io.files import file_hash, open_regular, read_json, refuse_special, replace_text, whole
from toolbox.io.impostor import impostor
from toolbox.weights.checkpoint import ForeignClasses, read_checkpoint, write_checkpoint
from toolbox.weights.inert import read_inert

SUFFIXES = (".safetensors", ".pth")
_LONGEST_HEADER = 100_000_000
"""Bytes; safetensors itself reads no longer one."""


def description_file(weights: Path) -> Path:
    """Where the description of a weights file lies: `x4.safetensors.json`."""
    return weights.parent / f"{weights.name}.json"


def halved(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The same state dict, or one within it (`{"params": ...}`), with float16 in place of float32.

    Raises:
        UserError: a number is larger than float16 holds.
    """
    result: dict[str, Any] = {}
    for key, value in tensors.items():
        if isinstance(value, Mapping):
            result[key] = halved(value)
        elif isinstance(value, Tensor) and value.is_floating_point():
            result[key] = value.detach().half()
            if not result[key].isfinite().all() and value.isfinite().all():
                raise UserError(f"--half: {key} has numbers above 65,504, which float16 cannot hold; leave it out")
        else:
            result[key] = value
    return result


def write_weights(path: Path, tensors: Mapping[str, Any]) -> str:
    """Write a state dict, whole or not at all; returns the file's SHA-256.

    Raises:
        UserError: safetensors is not installed, or the network has state that is no tensor.
        NotWritten: the disk refuses.
    """
    tensors = {key: value.detach().cpu().contiguous() if isinstance(value, Tensor) else value
               for key, value in tensors.items()}  # fmt: skip
    if path.suffix == ".pth":
        return write_checkpoint(tensors, path)
    other = [key for key, value in tensors.items() if not isinstance(value, Tensor)]
    if other:
        raise UserError(f"{path}: {other[0]} is no tensor, and safetensors holds nothing else; write a .pth file")
    save = _safetensors(path).save
    with whole(path) as file:
        file.write(save({key: value.clone() for key, value in tensors.items()}, metadata={"format": "pt"}))
    return file_hash(path)


def read_weights(path: Path) -> dict[str, Any]:
    """Read a state dict onto the CPU; nothing in the file is run. Raises UserError where it cannot be read.

    Of a file that holds objects of other classes too, as other training codes write, the tensors are read. Which of
    the two formats it is, its content tells: files are renamed.
    """
    if not _is_safetensors(path):
        try:
            return read_checkpoint(path)
        except ForeignClasses:
            return read_inert(path)
    refuse_special(path)
    if other := impostor(path):
        raise UserError(f"{path}: {other}")
    torch_files = _safetensors(path)
    from safetensors import SafetensorError

    try:
        return torch_files.load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as weights ({' '.join(str(error).split())[:120]})") from None


def write_description(weights: Path, description: Mapping[str, Any]) -> None:
    """Write the description beside a weights file."""
    try:
        text = json.dumps(description, indent=2, allow_nan=False)
    except ValueError:  # a metric that is infinite: JSON has no word for it
        text = json.dumps(json.loads(json.dumps(description), parse_constant=str), indent=2)
    replace_text(description_file(weights), text + "\n")


def read_description(weights: Path) -> dict[str, Any]:
    """Read what `export` wrote beside a weights file, and compare the file with it.

    Raises:
        UserError: either is missing, the description is none, or the weights are not those that it describes.
    """
    refuse_special(weights)
    if not weights.is_file():
        raise UserError(f"{weights}: there is no such weights file")
    file = description_file(weights)
    try:
        found = read_json(file, "`gan-toolbox export` writes one")
    except FileNotFoundError:
        raise UserError(
            f"{weights}: {file.name} must lie beside it, because it says which network this is; "
            "`gan-toolbox export` writes both, and --config with --checkpoint needs neither"
        ) from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    types = {"slot": str, "sha256": str, "model": dict, "files": dict}
    wrong = [key for key, kind in types.items() if not isinstance(found.get(key), kind)]
    if wrong:
        raise UserError(f"{file}: is no description of weights (no '{wrong[0]}'); `gan-toolbox export` writes one")
    if file_hash(weights) != found["sha256"]:
        raise UserError(f"{weights}: is not the file that {file.name} describes, or is damaged (its SHA-256 differs)")
    return found


def _is_safetensors(path: Path) -> bool:
    """Whether a file's content is that of safetensors, or its name says so and its content nothing else.

    They begin with the length of a JSON text, 8 bytes, and that text.
    """
    try:
        with open_regular(path) as file:
            start = file.read(9)
    except OSError:
        return path.suffix == ".safetensors"
    if path.suffix == ".safetensors":
        return not start.startswith(b"PK\x03\x04")
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= _LONGEST_HEADER


def _safetensors(path: Path) -> Any:
    try:
        import safetensors.torch
    except ImportError:
        raise UserError(f"{path}: needs another package: pip install safetensors; or use .pth") from None
    return safetensors.torch
