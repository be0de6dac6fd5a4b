"""Damaged weight files of other programs: torch's archives and older files, safetensors, and ncnn's pairs."""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file

from attacks import attack
from attacks.checkpoints import PIECES, equal
from attacks.damage import BYTEWISE, drawn, scrambled
from ncnn_files import dense
from toolbox.io.errors import UserError
from toolbox.weights.importing import load_network
from weight_files import STATE

NCNN_PIECES = [b"0=99999999", b"-23310=99,1", b" 9 9 ", b"Split", b"\xff", b"1e999", b"=", b"\n", b"6=1000000000"]


class Attack(attack.Attack):
    """Recognised and built as `infer --weights` does it; torch's archives keep checksums, the others none."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        torch.save({"params": STATE}, folder / "new.pth")
        torch.save({"params": STATE}, folder / "old.pth", _use_new_zipfile_serialization=False)
        torch.save({"params": STATE, "root": Path("/data")}, folder / "foreign.pth")
        save_file({key: value.clone() for key, value in STATE.items()}, folder / "whole.safetensors")
        dense(folder)
        self.names = ("new.pth", "old.pth", "foreign.pth", "whole.safetensors", "dense.param")
        self.states = {name: load_network(folder / name).state_dict() for name in self.names}

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        name = draw.choice(self.names)
        kinds = ["flip"] if draw.random() < 0.4 else BYTEWISE
        for each in self.folder.glob(f"{Path(name).stem}.*"):
            pieces = NCNN_PIECES if each.suffix in (".param", ".bin") else PIECES
            damaged = each.name == name or draw.random() < 0.5
            content = each.read_bytes()
            (folder / each.name).write_bytes(scrambled(content, drawn(draw, kinds), pieces) if damaged else content)
        try:
            found = equal(load_network(folder / name).state_dict(), self.states[name])
        except UserError as error:
            assert Path(name).stem in str(error), f"does not name the file: {error}"
            raise
        assert found or name not in ("new.pth", "foreign.pth"), "was read, and holds something else than was written"
        return found
