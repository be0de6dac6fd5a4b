"""Damaged descriptions beside exported weights, and weights that are not those described."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from attacks import attack
from attacks.checkpoints import PIECES, equal
from attacks.damage import STRUCTURAL, drawn, rearranged, scrambled
from runs import command, sr_config, style_config, write_config
from toolbox.assembly.export import load_exported
from toolbox.inference.described import described_scale
from toolbox.io.errors import UserError
from toolbox.weights.file import description_file

TEXTS = [b"{", b"}", b"[", b"null", b"1e999", b"NaN", b"\\ud800", b'"', b",", b"9" * 5000, b"[" * 3000, b"\xff", b"\0"]


class Attack(attack.Attack):
    """An enlarger in one file, and a painter in two that name each other."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.weights = []
        for name, make in (("sr", sr_config), ("style", style_config)):
            config = make(folder / name)
            config["train_cfg"] = {"max_iters": 2, "val_interval": 100}
            del config["val_dataloader"], config["val_evaluator"]
            file = write_config(config, folder / name / "run.yaml")
            assert command("train", file) == 0
            target = folder / f"{name}.safetensors"
            assert command("export", file, folder / name / "run" / "iter_2.pth", "-o", target) == 0
        self.weights = sorted(folder.glob("*.safetensors"))
        self.states = {each.name: load_exported(each).state_dict() for each in self.weights}

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        for each in self.weights:
            for file in (each, description_file(each)):
                (folder / file.name).write_bytes(file.read_bytes())
        weights = folder / draw.choice(self.weights).name
        described = description_file(weights)
        way = draw.random()
        if way < 0.6:
            whole = json.loads(described.read_bytes())
            described.write_text(json.dumps(rearranged(whole, drawn(draw, STRUCTURAL))))
        elif way < 0.9:
            described.write_bytes(scrambled(described.read_bytes(), drawn(draw), TEXTS))
        else:
            weights.write_bytes(scrambled(weights.read_bytes(), drawn(draw), PIECES))
        described_scale(weights, None)
        try:
            found = equal(load_exported(weights).state_dict(), self.states[weights.name])
        except UserError as error:
            assert ".safetensors" in str(error), f"does not name the file: {error}"
            raise
        assert found or way < 0.9, "was read, and holds something else than was written"
        return found
