"""Files and folders of names that no program expects: text for the terminal, one line each, and the files written."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import torch

from attacks import attack
from attacks.images import images
from toolbox.io.visible import visible
from weight_files import STATE

PIECES = [
    "[/b]", "[x]", "[bold]", "[/]", ":smile:", "\\", "\x1b[31m", "\x1b]8;;evil\x07", "\n", "\r", "\t", "\x7f", "\x9b",
    os.fsdecode(b"\xe9"), os.fsdecode(b"\xff\xfe"), "é", "\u202e", "\u2028", "ß" * 20, " ", "'", '"', "{}", "{0}",
    "%s", "$HOME", "*", "?", "[0-9]", "~", "-", "--", "=", "#", "a", "x.png", ".", "..", "CON", "&&", ";", "|", "`id`",
]  # fmt: skip


def drawn_name(draw: Random) -> str:
    """A name that this system allows."""
    name = "".join(draw.choices(PIECES, k=draw.randint(1, 5)))
    name = name.replace("/", "")
    return "a" + name if name.startswith(("-", ".")) or not name else name


class Attack(attack.Attack):
    """Pictures, one of them damaged, are enlarged from an odd folder into an odd folder, and evaluated."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        torch.save({"params": STATE}, folder / "net.pth")

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        name = drawn_name(draw)
        source, target = folder / drawn_name(draw), folder / "out" / drawn_name(draw)
        source.mkdir()
        (source / f"{name}.png").write_bytes(images()["alpha.png"])
        attack.commanded("infer", source, "-o", target, "--weights", self.folder / "net.pth", "--tile", 0)
        assert [each.name for each in target.iterdir()] == [f"{name}.png"], "was written under another name"
        way = draw.randrange(3)
        if way == 0:
            shown = attack.commanded("evaluate", source, source, "--metric", "PSNR")
            assert visible(name)[:20] in shown.replace("\n", ""), f"is not shown: {shown}"
        elif way == 1:
            (source / f"{name}.png").write_bytes(images()["alpha.png"][:90])
            attack.commanded("infer", source, "-o", target, "--weights", self.folder / "net.pth")
            raise AssertionError("half a picture was read")
        else:
            config = folder / f"{drawn_name(draw)}.yaml"
            config.write_text(f"model: {{type: {draw.choice(['SRGAN', 'SRGANN'])}}}\n")
            attack.commanded("train", config, "--work-dir", folder / drawn_name(draw))
            raise AssertionError("half a config was trained")
        return True
