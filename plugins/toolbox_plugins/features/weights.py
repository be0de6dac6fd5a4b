"""Finds a weight file, on disk or at a URL, and reads nothing but tensors from it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor

from toolbox import MissingWeights, UserError
from toolbox.io.search import place
from toolbox.weights.download import compare, fetch, name_in

HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.")
"""The beginning of a file's SHA-256 as PyTorch writes it into names: `vgg19-dcbb9e9d.pth`."""


def find_weights(weights: str, *, sha256: str | None = None) -> Path:
    """Return the local file of `weights`: a path, or a URL (http, https, file) whose file is downloaded once.

    A path is checked against `sha256` where that is given; a download always, against `sha256` or else against the
    hash in its name. It is kept in torch.hub's folder: `$TORCH_HOME/hub/checkpoints`.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UserError(f"sha256 must be 64 hexadecimal digits, got {sha256!r}")
    if "://" in weights:
        return _download(weights, sha256)
    path = place(weights)
    if not path.is_file():
        raise MissingWeights(f"weights: there is no file {weights}")
    if sha256 is not None:
        try:
            compare(path, sha256, "it is another file, or damaged")
        except UserError as error:
            raise UserError(f"weights: {error}") from None
    return path


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dictionary (.pth, or .safetensors where that package is installed) without running its code."""
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(f"weights: {path} cannot be read as weights ({type(error).__name__})") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"weights: {path} is not a plain dictionary of tensors")
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError  # pyright: ignore[reportMissingImports]
        from safetensors.torch import load_file  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise MissingWeights(f"weights: {path} needs another package; pip install safetensors") from None
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"weights: {path} cannot be read as weights ({type(error).__name__})") from error


def _download(url: str, sha256: str | None) -> Path:
    try:
        name = name_in(url)
    except UserError:
        raise UserError(f"weights must be a path or an http, https or file URL of a file, got {url}") from None
    named = HASH_IN_NAME.search(name)
    expected = sha256 or (named and named.group(1))
    if not expected:
        raise UserError(f"weights: {url} has no hash in its name, so give sha256 too")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        return fetch(url, folder / name, sha256=expected)
    except UserError as error:
        raise MissingWeights(f"weights: {error}") from None
