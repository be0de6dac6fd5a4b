"""The folder of an unfinished film, beside its result: pieces that are done, and what they were made with."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from toolbox.io.errors import UserError
from toolbox.io.files import lock, read_json, replace_text, sweep, whole
from toolbox.video.packets import read_index

_CLAIM = "claim"
"""The file that is locked while a run is at work."""


def frames_kept(folder: Path) -> int:
    """Frames that the next run of an unfinished film need not make again, by its folder; 0 where there are none."""
    try:
        length = int(read_json(folder / "made_with.json")["frames"])
    except (UserError, OSError, LookupError, TypeError, ValueError):
        return 0
    return length * sum(1 for _ in folder.glob("*.piece"))


class Work:
    """What is done of a film. A context: within it no other run may work on the same.

    Args:
        target: the result; the folder is called `.NAME.parts` and lies beside it.
        made_with: plain values: pieces made with others are thrown away.
    """

    def __init__(self, target: Path, made_with: dict[str, Any]) -> None:
        self.folder = target.with_name(f".{target.name}.parts")
        self.made_with: dict[str, Any] = json.loads(json.dumps(made_with))
        self.restarted = False
        """Whether pieces of another making were thrown away."""
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            raise UserError(f"{self.folder}: is in the way of a film's pieces; remove it")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim: BinaryIO = open(self.folder / _CLAIM, "ab")  # noqa: SIM115 (locked until the film is done)
        if lock(self._claim) is False:
            self._claim.close()
            raise UserError(f"{target}: another run is at work on it")
        sweep(self.folder)
        known = self._read("made_with.json")
        if known != self.made_with:
            self.restarted = bool(known) and bool(self.done())
            for path in self.folder.iterdir():
                if path.name != _CLAIM:
                    path.unlink()
            replace_text(self.folder / "made_with.json", json.dumps(self.made_with))

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._claim.close()

    def piece(self, number: int) -> Path:
        """Where a piece of encoded frames lies."""
        return self.folder / f"{number:06}.piece"

    def done(self) -> list[Path]:
        """The pieces that are whole, without a gap."""
        found: list[Path] = []
        while (path := self.piece(len(found))).is_file():
            try:
                read_index(path)
            except UserError:  # a disk's fault: it is made anew, and those after it
                break
            found.append(path)
        return found

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(path.stat().st_size for path in self.done())

    def chosen(self) -> dict[str, Any] | None:
        """What the run that began it has chosen by itself; None where nothing is chosen yet."""
        return self._read("chosen.json") or None

    def choose(self, chosen: dict[str, Any]) -> None:
        """Keep what was chosen, for the runs that go on."""
        replace_text(self.folder / "chosen.json", json.dumps(chosen))

    def save_state(self, number: int, states: dict[str, dict[str, np.ndarray]]) -> None:
        """Keep the states after a piece, before the piece itself is there; those two pieces back are removed."""
        held = io.BytesIO()
        arrays = {f"{kind}/{name}": array for kind, state in states.items() for name, array in state.items()}
        np.savez(held, **arrays)  # pyright: ignore[reportArgumentType]
        with whole(self._state(number)) as file:
            file.write(held.getvalue())
        if number > 1:
            self._state(number - 2).unlink(missing_ok=True)

    def load_state(self, number: int) -> dict[str, dict[str, np.ndarray]]:
        """The states after a piece."""
        made: dict[str, dict[str, np.ndarray]] = {}
        with np.load(self._state(number), allow_pickle=False) as found:
            for name in found.files:
                kind, _, rest = name.partition("/")
                made.setdefault(kind, {})[rest] = found[name]
        return made

    def clear(self) -> None:
        """Remove everything."""
        self._claim.close()
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return read_json(self.folder / name)
        except (UserError, OSError):
            return {}
