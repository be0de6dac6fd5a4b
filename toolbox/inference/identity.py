"""What a network's results depend on, as one hash: that what is kept of an earlier run is of the same network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from toolbox.inference.exported import ExportedNetwork
from toolbox.io.files import file_hash


def identity_of(network: nn.Module, *beside: object) -> str:
    """SHA-256 of a network's layers, its weights and buffers, what was chosen for it, and of what stands beside it.

    Args:
        beside: tensors, and plain values whose `repr` tells all of them.
    """
    digest = hashlib.sha256(repr(network).encode())
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    chosen = network.values if isinstance(network, ExportedNetwork) else getattr(network, "chosen", {})
    for name, value in (*sorted(tensors.items()), *sorted(chosen.items()), *enumerate(beside), *files_of(network)):
        if isinstance(value, Tensor):
            plain = value.detach().cpu().contiguous()
            digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
            digest.update(plain.flatten().view(torch.uint8).numpy().data)
        elif isinstance(value, (str, Path)) and Path(value).is_file():  # a picture of a style, whatever it is called
            digest.update(f"{name} {file_hash(Path(value))}".encode())
        else:
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()


def files_of(network: nn.Module) -> list[tuple[str, str]]:
    """The hashes of the files of a network of another runtime, by their endings."""
    if not isinstance(network, ExportedNetwork):
        return []
    files = {network.file, network.file.with_suffix(".bin")}
    return sorted((each.suffix, file_hash(each)) for each in files if each.is_file())
