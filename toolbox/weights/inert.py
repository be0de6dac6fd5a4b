"""Weights out of files that hold other objects too: nothing in them is run, and the rest stays empty stand-ins."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular
from toolbox.weights.archive import DAMAGE, is_archive, opened_archive
from toolbox.weights.inert_pickle import read_pickle

LARGEST_PICKLE = 1 << 28
"""Bytes of what describes the tensors; their numbers are outside of it."""
LEGACY = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001


def read_inert(path: Path) -> dict[str, Any]:
    """Read a `.pth` file of any training code onto the CPU: its tensors, texts and numbers.

    Of dictionaries, what stands under text is kept; sets and objects of other classes become `Inert`.

    Raises:
        UserError: it is damaged, holds no dictionary, or claims more than it stores.
    """
    try:
        with open_regular(path) as file:
            content = _read_archive(file, str(path)) if is_archive(path) else _read_legacy(file, str(path))
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{path}: is damaged, a trap, or no checkpoint ({reason})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds one object and no state dict, as a whole model is saved; save its state_dict()")
    return content


def _read_archive(file: BinaryIO, source: str) -> Any:
    """One pickle, and a record for each storage."""
    with opened_archive(file, source) as archive:
        records = {each.filename: each.file_size for each in archive.infolist()}
        roots = [name.partition("/")[0] for name in records if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(roots) != 1:
            raise UserError(f"{source}: is a zip archive and no checkpoint (it has {len(roots)} data.pkl)")
        root = roots[0]
        if records[f"{root}/data.pkl"] > LARGEST_PICKLE:
            raise UserError(f"{source}: holds more than {LARGEST_PICKLE >> 20} MiB beside its tensors")
        order = f"{root}/byteorder"
        if order in records and archive.read(order) != b"little":
            raise UserError(f"{source}: was written by a big-endian machine, which is not read here")
        read: dict[str, Tensor] = {}

        def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
            name = f"{root}/data/{key}"
            if count * dtype.itemsize > records[name]:
                raise ValueError(f"a tensor claims {count} numbers and less is stored")
            if key not in read:
                read[key] = _numbers(archive.read(name), dtype)
            return read[key].view(dtype)

        return read_pickle(archive.read(f"{root}/data.pkl"), storage)


def _read_legacy(file: BinaryIO, source: str) -> Any:
    """Five pickles in a row (a number, the version, the machine, the content, the storages' keys), then the storages.

    The content is read twice, because how large a number is stands in it, and where the numbers are behind it.
    """
    types: dict[str, torch.dtype] = {}
    read: dict[str, Tensor] = {}

    def noted(key: str, dtype: torch.dtype, count: int) -> None:
        types[key] = dtype

    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        if read_pickle(mapped, noted) != LEGACY or read_pickle(mapped, noted) != LEGACY_VERSION:
            raise UserError(f"{source}: is no checkpoint")
        read_pickle(mapped, noted)
        start = mapped.tell()
        if start > LARGEST_PICKLE:
            raise UserError(f"{source}: holds more than {LARGEST_PICKLE >> 20} MiB beside its tensors")
        read_pickle(mapped, noted)
        for key in read_pickle(mapped, noted):
            size = int.from_bytes(mapped.read(8), "little") * types[key].itemsize
            if size > len(mapped) - mapped.tell() or key in read:
                raise ValueError("a tensor claims more numbers than the file has")
            read[key] = _numbers(mapped.read(size), types[key])

        def storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
            if count > read[key].view(dtype).numel():
                raise ValueError(f"a tensor claims {count} numbers and less is stored")
            return read[key].view(dtype)

        mapped.seek(start)
        return read_pickle(mapped, storage)


def _numbers(content: bytes, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)
