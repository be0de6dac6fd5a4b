"""The zip archives that torch writes: looked over before any record is read, and compared with their checksums."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular

RECORDS = 100_000
"""The most records that are read: one for each tensor's storage, of which the largest networks have some thousands."""
DAMAGE = (RuntimeError, ValueError, OSError, zipfile.BadZipFile, LookupError, AttributeError, TypeError, AssertionError,
          ArithmeticError, MemoryError, EOFError, struct.error)  # fmt: skip
"""What torch's safe reader, and ours, raise for damaged files; RuntimeError holds RecursionError."""
CHUNK = 1 << 20
TAIL = (1 << 16) + 128


def opened_archive(file: BinaryIO, source: str) -> zipfile.ZipFile:
    """Open a torch archive, of which nothing can take more memory than the file takes on the disk.

    Raises:
        UserError: its directory is damaged, claims too much, or names a record twice or compressed.
    """
    size = file.seek(0, os.SEEK_END)
    if _directory_size(file, size) > RECORDS * 256:
        raise UserError(f"{source}: its directory names more than {RECORDS} records; it is damaged or a trap")
    archive = zipfile.ZipFile(file)
    records = archive.infolist()
    if len(records) > RECORDS:
        raise UserError(f"{source}: has {len(records)} records, more than {RECORDS}; it is damaged or a trap")
    if any(each.filename.partition("/")[2].startswith("code/") for each in records):
        raise UserError(f"{source}: is a TorchScript program, whose code is not run; save its state_dict() instead")
    if any(each.compress_type != zipfile.ZIP_STORED or each.file_size != each.compress_size for each in records):
        raise UserError(f"{source}: its records are compressed, which torch does not write; it is damaged or a trap")
    if sum(each.file_size for each in records) > size:
        raise UserError(f"{source}: its records claim more bytes than the file has; it is damaged or a trap")
    if len({each.filename for each in records}) < len(records):
        raise UserError(f"{source}: names a record twice; it is damaged or a trap")
    return archive


def is_archive(path: Path) -> bool:
    """Whether a file begins as torch's archives do; older files are a row of pickles."""
    with open_regular(path) as file:
        return file.read(4) == b"PK\x03\x04"


def compare_checksums(path: Path) -> None:
    """Compare every record with the checksum that the archive keeps of it; torch's own reader leaves that out.

    Raises:
        UserError: one differs.
    """
    with open_regular(path) as file, opened_archive(file, str(path)) as archive:
        for record in archive.infolist():
            try:
                with archive.open(record) as opened:
                    while opened.read(CHUNK):
                        pass
            except zipfile.BadZipFile:
                raise UserError(
                    f"{path}: is damaged: its record {record.filename[:80]} has another checksum than when it was "
                    "written"
                ) from None


def _directory_size(file: BinaryIO, size: int) -> int:
    """How many bytes the archive's directory takes, by its own word; 0 where there is no such word."""
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    end = tail.rfind(b"PK\x05\x06")
    claimed = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if claimed == 0xFFFFFFFF:  # it stands in the record of large archives
        end = tail.rfind(b"PK\x06\x06")
        claimed = int.from_bytes(tail[end + 40 : end + 48], "little") if end >= 0 else 0
    return claimed
