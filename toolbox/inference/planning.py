"""Which files become which results, and what cannot, told by headers alone before any network is loaded."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolbox.inference.formats import NAMES, Format, format_named, format_of, problem_of_result
from toolbox.inference.header import Header, read_header
from toolbox.inference.tiff import require_tifffile
from toolbox.inference.video.job import Film, film_of, is_film, stem_of
from toolbox.inference.video.sequence import is_pattern
from toolbox.inference.video.settings import Settings
from toolbox.io.errors import UserError, did_you_mean
from toolbox.io.files import refuse_special
from toolbox.io.images import MAX_PIXELS
from toolbox.io.search import Found, nothing_in, search
from toolbox.video.opening import SUFFIXES as FILMS

LONGEST_NAME = 255
"""Bytes of a file's name on the file systems of today."""


class BadInput(str):
    """A problem that lies in the input, and that its owner can mend: the command exits with 2 where it has no other."""


@dataclass(frozen=True)
class Job:
    """One file to translate, where the result goes, and what its header says: a picture's, or a film's."""

    source: Path
    target: Path
    header: Header | None = None
    film: Film | None = None

    @property
    def is_done(self) -> bool:
        """Whether the result is there: a file that holds something, for none is half-written, or a film's folder."""
        if self.film and self.target.is_dir():
            return not self.target.with_name(f".{self.target.name}.parts").exists()
        return self.target.is_file() and self.target.stat().st_size > 0


@dataclass
class Plan:
    """What to do; what is refused, one line each; and what a user should know."""

    jobs: list[Job] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    count: int = 0
    """All inputs, refused ones too."""
    there: int = 0
    """Those whose results were there already."""

    def pass_over_existing(self) -> None:
        """Leave out the jobs whose results are there."""
        todo = [job for job in self.jobs if not job.is_done]
        self.there += len(self.jobs) - len(todo)
        self.jobs = todo


def plan(
    inputs: Sequence[Path],
    folder: Path,
    suffix: str = "",
    file_format: str = "auto",
    *,
    drops_alpha: bool = False,
    max_pixels: int = MAX_PIXELS,
    films: Settings | None = None,
) -> Plan:
    """What to do for pictures, films and folders; the tree below an input folder is kept below `folder`.

    Results are no inputs: `folder` is not searched where it lies in an input, nor is a file taken that is another's
    result by its suffix. Inputs of one name and different suffixes become results that have both.

    Args:
        suffix: is added to each file's name.
        file_format: one of `NAMES`, or `auto`: each input's own, where that can be written and holds it, else PNG.
        drops_alpha: whether transparency is left out.
        films: how films are written; None: they are no inputs.

    Raises:
        UserError: an option is wrong, or an input is not there.
    """
    if Path(suffix).name != suffix and suffix:
        raise UserError(f"--suffix {suffix}: is added to a file's name, and a name holds no folder")
    if file_format not in (*NAMES, "auto"):
        raise UserError(f"--format {file_format}: is unknown{did_you_mean(file_format, (*NAMES, 'auto'))}")
    made = Plan()
    converted: dict[str, list[Path]] = defaultdict(list)
    sources = _sources(inputs, folder, suffix, made, FILMS if films else ())
    made.count = len(sources)
    for source, name in sources:
        try:
            if films and is_film(source):
                film = film_of(source, films, keeps_alpha=not drops_alpha, max_pixels=max_pixels)
                made.notes += film.notes
                stem = f"{stem_of(source)}{'_preview' * films.preview}{suffix}"
                made.jobs.append(Job(source, folder / name.with_name(f"{stem}{film.ending}"), film=film))
                continue
            header = read_header(source, max_pixels=max_pixels)
            ending = _ending(source, header, file_format, drops_alpha, converted)
        except UserError as error:
            made.refused.append(str(error))
            continue
        made.jobs.append(Job(source, folder / name.with_name(f"{name.stem}{suffix}{ending}"), header))
    for ending, files in converted.items():
        shown = ", ".join(file.name for file in files[:3]) + f" and {len(files) - 3} more" * (len(files) > 3)
        made.notes.append(f"written as {ending.removeprefix('.').upper()}: {shown}")
    _apart(made, suffix)
    read = {_real(source) for source, _ in sources}  # those that were refused too
    refuse(made, lambda job: _problem_of(job, read, drops_alpha))
    return made


def refuse(made: Plan, problem_of: Callable[[Job], str | None]) -> None:
    """Take the jobs with a problem out of a plan, and say which."""
    problems = [problem_of(job) for job in made.jobs]
    made.refused += [problem for problem in problems if problem]
    made.jobs = [job for job, problem in zip(made.jobs, problems, strict=True) if not problem]


def _sources(
    inputs: Sequence[Path], folder: Path, suffix: str, made: Plan, also: Sequence[str] = ()
) -> list[tuple[Path, Path]]:
    """Every file, and its name below the results' folder."""
    sources: list[tuple[Path, Path]] = []
    for given in inputs:
        if given.is_dir():
            within = _real(folder) != _real(given) and _real(folder).is_relative_to(_real(given))
            found = search(given, without=[folder] if within else [], also=also)
            if within and folder.is_dir():
                made.notes.append(f"{folder}: holds results, and is not searched for inputs")
            results = _results_among(found, suffix) if _real(folder) == _real(given) else set()
            if results:
                made.notes.append(f"{given}: {len(results)} that end in {suffix} are results, and no inputs")
            made.notes += found.notes()
            images = [path for path in found.images if path not in results]
            if not images:
                raise nothing_in(found)
            sources += [(path, path.relative_to(given)) for path in images]
        elif given.exists() or (also and is_pattern(given)):
            sources.append((given, Path(given.name)))
        else:
            refuse_special(given)
            raise UserError(f"{given}: there is no such image or folder")
    return sources


def _real(path: Path) -> Path:
    """A path without links; of a link that leads back to itself, itself."""
    return Path(os.path.realpath(path))


def _results_among(found: Found, suffix: str) -> set[Path]:
    """Files whose names are another's with the suffix."""
    if not suffix:
        return set()
    stems = {path.with_suffix("") for path in found.images}
    ending = [path for path in found.images if path.stem.endswith(suffix)]
    return {path for path in ending if path.with_name(path.stem.removesuffix(suffix)) in stems}


def _ending(source: Path, header: Header, file_format: str, drops_alpha: bool, converted: dict[str, list[Path]]) -> str:
    """The result's suffix: that of the format asked for, of the input's own, or else PNG's or TIFF's."""
    if file_format != "auto":
        return NAMES[file_format].suffixes[0]
    own = format_named(header.format)
    if own and header.depth <= own.depth and not _problem(own, header, header.width, header.height, drops_alpha):
        return source.suffix if source.suffix.lower() in own.suffixes else own.suffixes[0]
    ending = ".tif" if header.depth == 32 or header.colours not in (1, 3) or header.format == "DCX" else ".png"
    converted[ending].append(source)
    return ending


def _problem(kind: Format, header: Header, width: int, height: int, drops_alpha: bool) -> str | None:
    alpha = 0 if drops_alpha else header.alpha
    return problem_of_result(kind, size=(width, height), colours=header.colours, alpha=alpha, frames=header.frames)


def _apart(made: Plan, suffix: str) -> None:
    """Give inputs that would become one result names of their own, where their suffixes differ; refuse the others."""
    shared: dict[Path, list[Job]] = {}
    for _ in range(2):
        by_target: dict[Path, list[Job]] = defaultdict(list)
        for job in made.jobs:
            by_target[job.target].append(job)
        shared = {target: jobs for target, jobs in by_target.items() if len(jobs) > 1}
        renamed = {}
        for target, jobs in shared.items():
            if len({job.source.suffix for job in jobs}) == len(jobs):
                for job in jobs:
                    renamed[job] = target.with_name(f"{job.source.name}{suffix}{target.suffix}")
        if not renamed:
            break
        made.jobs = [replace(job, target=renamed.get(job, job.target)) for job in made.jobs]
        first, *rest = renamed.values()
        more = f" and {len(rest)} more" if rest else ""
        made.notes.append(f"inputs of one name become {first.name}{more}, so that none replaces another")
    for target, jobs in shared.items():
        others = " and ".join(str(job.source) for job in jobs)
        if any(job.target == target for job in made.jobs):
            made.refused.append(f"{others} would both be written to {target}; give them folders or names of their own")
            made.jobs = [job for job in made.jobs if job.target != target]


def _problem_of(job: Job, sources: set[Path], drops_alpha: bool) -> str | None:
    """Why a job cannot be done, whatever the network's scale."""
    kind, size = format_of(job.target), len(os.fsencode(job.target.name))
    if _real(job.target) in sources or (job.film and _real(job.target) == _real(job.source.parent)):
        return f"{job.target}: the result would replace an input; choose another folder, or add --suffix"
    if size > LONGEST_NAME:
        return f"{job.source}: the result's name would have {size} bytes, and {LONGEST_NAME} are the most; rename it"
    if kind is None or job.header is None:
        return None
    reason = _problem(kind, job.header, 1, 1, drops_alpha)
    if reason:
        return f"{job.source}: {reason}"
    if kind.name == "TIFF" and (job.header.depth > 8 or job.header.colours not in (1, 3) or job.header.frames > 1):
        try:
            require_tifffile(job.source)
        except UserError as error:
            return str(error)
    return None


def make_folder(folder: Path) -> None:
    """Make the results' folder. Raises UserError where it cannot be made, or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"-o {folder}: no folder can be made there ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"-o {folder}: cannot be written to; choose another folder")


def refuse_unwritable(flag: str, file: Path) -> None:
    """Raise UserError where a command's one file could not be written at its end; its folder is made."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = os.strerror(errno.ENOTDIR) if isinstance(error, FileExistsError) else error.strerror
        raise UserError(f"{flag} {file}: cannot be written there ({reason})") from None
    if file.is_dir():
        raise UserError(f"{flag} {file}: is a folder; name a file in it")
    if not os.access(file.parent, os.W_OK) or (file.exists() and not os.access(file, os.W_OK)):
        raise UserError(f"{flag} {file}: cannot be written to; choose another place")
    if not _takes_files(file.parent):
        raise UserError(f"{flag} {file}: no file can be made there; choose another place")


def _takes_files(folder: Path) -> bool:
    """Whether a folder takes a file: /proc lets root write, and has none."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)  # which is told when it matters
