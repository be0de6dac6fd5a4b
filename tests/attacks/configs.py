"""Damaged configs: plain data with a place exchanged, and text with bytes changed."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from attacks import attack
from attacks.damage import STRUCTURAL, drawn, rearranged, scrambled
from runs import sr_config, style_config
from toolbox.assembly.check import check
from toolbox.config import Config, check_structure, load_config


@cache
def configs() -> tuple[dict[str, Any], ...]:
    """Valid configs with every section: super-resolution, and style with phases, several losses and nested variants."""
    with tempfile.TemporaryDirectory() as pictures:
        sr, style = sr_config(Path(pictures) / "sr"), style_config(Path(pictures) / "style")
    sr["model"]["variant"] = {"type": "SpectralNorm", "base": {"type": "WGANGP", "weight": 10.0}}
    sr["model"]["adversarial"] = {"discriminator": 0.1}
    sr["model"]["losses"] = {"pixel": [{"type": "L1Loss", "weight": 1e-2}, {"type": "MSELoss"}]}
    sr["model"]["phases"] = [{"name": "warm", "until": 2, "adversaries": []}, {"name": "gan", "losses": ["pixel"]}]
    sr["optim_wrapper"]["generator"]["clip_grad"] = {"type": "norm", "max_norm": 1.0}
    sr |= {"randomness": {"seed": 3}, "env_cfg": {"cudnn_benchmark": True}, "plugins": ["no:cyclegan"]}
    sr |= {"visualizer": {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}, "load_from": None}
    style["model"]["variant"] = {"discriminator_a": {"type": "LSGAN"}, "discriminator_b": {"type": "Vanilla"}}
    style |= {"custom_hooks": [], "test_dataloader": style["val_dataloader"], "test_evaluator": style["val_evaluator"]}
    return sr, style


PIECES = [
    b"\x00", b"\xff\xfe", b"\xc3", b"\t", b"\r", b"\n\n", b"  ", b": ", b"- ", b"&a ", b"*a ", b"<<: *a\n",
    b"!!python/name:os.system ", b"!tag ", b"{", b"}", b"[", b"]", b"'", b'"', b"|", b">", b"?", b"%YAML 9.9\n",
    b"---\n", b"...\n", b"#", b"@", b"`", b"~", b".nan", b"0x", b"1_0", b"010", b"2001-01-01", b"9" * 400, b"1e999",
    b"yes", b"_base_: run.yaml\n", b"_base_: [a, b]\n",
    b"{{ fileDirname }}", b"[" * 60, b"a: &a [*a]\n", b"\xe2\x80\xa8", b"\xef\xbb\xbf",
]  # fmt: skip
"""Bytes that mean something to YAML, to text or to configs."""


def as_text(data: Any) -> bytes:
    """YAML of damaged data, whatever it holds."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


class Attack(attack.Attack):
    """Loaded, and checked as `train` checks before anything is built."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for data in configs():
            check(Config(deepcopy(data), folder / "run.yaml"))  # what is imported once is imported here

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        whole = draw.choice(configs())
        file = folder / "run.yaml"
        if draw.random() < 0.5:
            file.write_bytes(as_text(rearranged(whole, drawn(draw, STRUCTURAL))))
        else:
            file.write_bytes(scrambled(as_text(whole), drawn(draw), PIECES))
        config = load_config(file)
        check_structure(config)
        check(config)
        return config.data == whole
