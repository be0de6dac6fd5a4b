"""Finds a weight file, on disk or at a URL, and reads nothing but tensors from it."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen
from uuid import uuid4

import torch
from torch import Tensor

from toolbox.errors import UserError

HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.")
"""The beginning of a file's SHA-256 as PyTorch writes it into names: `vgg19-dcbb9e9d.pth`."""
CHUNK = 1 << 20


def find_weights(weights: str, *, sha256: str | None = None) -> Path:
    """Return the local file of `weights`: a path, or a URL (http, https, file) whose file is downloaded once.

    A path is checked against `sha256` where that is given; a download always, against `sha256` or else against the
    hash in its name. It is kept in torch.hub's folder: `$TORCH_HOME/hub/checkpoints`.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UserError(f"sha256 must be 64 hexadecimal digits, got {sha256!r}")
    if "://" in weights:
        return _download(weights, sha256)
    path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"weights: there is no file {weights}")
    if sha256 is not None:
        with path.open("rb") as file:
            _check(_hash(file), sha256, weights, "it is another file, or damaged")
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
        raise UserError(f"weights: {path} needs another package; pip install safetensors") from None
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"weights: {path} cannot be read as weights ({type(error).__name__})") from error


def _download(url: str, sha256: str | None) -> Path:
    parts = urlsplit(url)
    name = Path(unquote(parts.path)).name
    if parts.scheme not in ("http", "https", "file") or not name:
        raise UserError(f"weights must be a path or an http, https or file URL of a file, got {url}")
    named = HASH_IN_NAME.search(name)
    expected = sha256 or (named and named.group(1))
    if not expected:
        raise UserError(f"weights: {url} has no hash in its name, so give sha256 too")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    target = folder / name
    if target.is_file():
        with target.open("rb") as file:
            _check(_hash(file), expected, str(target), f"delete it to download {url} again")
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside the target and renamed: another process sees the whole file or none.
        part = folder / f"{name}.{uuid4().hex}.part"
        try:
            with part.open("xb") as file, urlopen(url, timeout=60) as source:
                _check(_hash(source, file), expected, url, "the download was damaged, or the file is another one")
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, HTTPException) as error:
        raise UserError(
            f"weights: {url} could not be downloaded ({error}); download it elsewhere and give its path"
        ) from error
    return target


def _hash(source: BinaryIO, copy: BinaryIO | None = None) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return digest.hexdigest()


def _check(found: str, expected: str, where: str, way_out: str) -> None:
    if not found.startswith(expected.lower()):
        raise UserError(f"weights: {where} has SHA-256 {found}, not {expected}: {way_out}")
