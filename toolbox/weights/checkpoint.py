"""Checkpoints on disk: read without running code, written whole or not at all, verified by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from toolbox.io.errors import RunFailed, UserError
from toolbox.io.files import NotWritten, file_hash, open_regular, refuse_special, replace_text, whole
from toolbox.io.impostor import impostor
from toolbox.weights.archive import DAMAGE, compare_checksums, is_archive
from toolbox.weights.state import plain


class ForeignClasses(UserError):
    """A checkpoint holds objects of other classes, and is not read as one of this toolbox."""


LAST = "last_checkpoint"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Raises:
        ForeignClasses: it holds anything but tensors and plain types; nothing of such a file is run.
        UserError: it is missing, is no checkpoint, or is not what was written, by the SHA-256 beside it, or where that
            is missing, by the archive's own checksums.
    """
    path = Path(path)
    refuse_special(path)
    if not path.is_file():
        is_folder = "is a folder; name a file in it, such as iter_1000.pth"
        raise UserError(f"{path}: {is_folder if path.is_dir() else 'there is no such checkpoint'}")
    if other := impostor(path):
        raise UserError(f"{path}: {other}")
    expected = _expected_hash(path)
    if expected is not None and expected != file_hash(path):
        raise UserError(f"{path}: is damaged: its SHA-256 is not the one written beside it")
    try:
        if is_archive(path) and expected is None:
            compare_checksums(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an old pickle protocol: what matters is whether it is safe
            if path.suffix == ".safetensors":  # by such a name torch would take it for one
                with open_regular(path) as file:
                    content = torch.load(file, map_location="cpu", weights_only=True)
            else:
                content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = next((line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "global" in line), "")
        raise ForeignClasses(
            f"{path}: refused, because it holds more than tensors and plain values and reading it would run code "
            f"({reason[:160]}); `infer --weights` and load_from: read its tensors alone"
        ) from None
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: is damaged or no checkpoint ({reason})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content


def write_checkpoint(content: Mapping[str, Any], path: Path) -> str:
    """Write to a temporary file, flush it to the disk, and rename: a crash leaves the old file or the new, whole.

    The SHA-256 of what was meant to be written goes beside it, and what reached the disk is compared with it; returns
    it.

    Raises:
        RunFailed: the disk is full or the folder cannot be written; an older file stays as it was.
    """
    try:
        with whole(path) as file:
            hashing = _Hashing(file)
            try:
                torch.save(plain(content), hashing)  # pyright: ignore[reportArgumentType]
            except RuntimeError as error:  # in which torch wraps a full disk
                raise NotWritten(path, hashing.error or error) from error
            file.sync()
            written = hashing.hash.hexdigest()
            if file_hash(Path(file.name)) != written:
                raise NotWritten(path, OSError("the disk gave back other bytes than were written"))
            replace_text(hash_file(path), f"{written}  {path.name}\n")  # before the file: a crash between is noticed
        return written
    except NotWritten as error:
        raise RunFailed(f"{error}; the older checkpoints are kept") from error


class _Hashing:
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash = file, hashlib.sha256()
        self.error: OSError | None = None
        """The first that the disk gave, of which torch says nothing."""

    def write(self, data: bytes) -> int:
        """Write and hash."""
        self.hash.update(data)
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()


def hash_file(path: Path) -> Path:
    """Where a checkpoint's SHA-256 stands, as `sha256sum --check` reads it."""
    return path.with_name(f"{path.name}.sha256")


def _expected_hash(path: Path) -> str | None:
    try:
        with open_regular(hash_file(path)) as file:
            return file.read(1 << 10).decode().split()[0]
    except (FileNotFoundError, IndexError):
        return None  # somebody else's file, or an empty sidecar: torch's own checks must do
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{hash_file(path)}: cannot be read ({error})") from None


def checkpoints(work_dir: Path) -> list[Path]:
    """A run's checkpoints, the newest first."""
    found = [path for path in work_dir.glob("iter_*.pth") if re.fullmatch(r"iter_[0-9]{1,18}", path.stem)]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("iter_")), reverse=True)


def set_aside(work_dir: Path, name: str) -> Path | None:
    """Move an earlier run's checkpoints into a folder of their own; returns it, or None if there are none."""
    files = [*work_dir.glob("iter_*.pth*"), *work_dir.glob("best_*.pth*"), *work_dir.glob(LAST)]
    if not files:
        return None
    folder = work_dir / name
    folder.mkdir(exist_ok=True)
    for path in files:
        os.replace(path, folder / path.name)
    return folder


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint and its SHA-256."""
    path.unlink(missing_ok=True)
    hash_file(path).unlink(missing_ok=True)
