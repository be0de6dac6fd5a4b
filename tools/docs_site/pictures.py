"""Pictures of components: those that the repository has, and what each degradation does to a photograph."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import torch
from PIL import Image

from toolbox.io.images import images_to_float, read_image, tensor_to_image
from toolbox.plugins.registry import KINDS
from toolbox.testing.arguments import arguments_of, built, missing_arguments

ROOT = Path(__file__).resolve().parents[2]
SHOWN = {
    ("algorithms", "CycleGAN"): "palette_small.jpg",
    ("algorithms", "ESRGAN"): "esrgan_small.jpg",
    ("algorithms", "NeuralStyle"): "neural_style_small.jpg",
    ("algorithms", "PaintedSuperResolution"): "files/models/painter-x4/styles.jpg",
    ("algorithms", "SRGAN"): "super_resolution_demo.jpg",
    ("algorithms", "StyleSuperResolution"): "joint_small.jpg",
    ("algorithms", "LatentGAN"): "gan_ring.png",
    ("hooks", "HealthMonitor"): "health.png",
}
"""By kind and name; their places in the site."""
PHOTO, TOP, LEFT, SIDE = "configs/demo/photos/test/coffee.jpg", 120, 330, 128


def of(kind: str, name: str) -> str | None:
    """The picture of a component, as a page in reference/ names it; None where there is none."""
    if shown := SHOWN.get((kind, name)):
        return f"../{shown}"
    place = f"reference/degradations/{name}.png"
    return f"degradations/{name}.png" if kind == "degradations" and place in made() else None


@cache
def made() -> dict[str, bytes]:
    """A detail of a photograph, given and damaged side by side, by its place; of every degradation that takes one."""
    picture = read_image(ROOT / PHOTO)[TOP : TOP + SIDE, LEFT : LEFT + SIDE]
    image = images_to_float(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None])
    sheets: dict[str, bytes] = {}
    for name in KINDS["degradations"].names():
        component = KINDS["degradations"].get(name)
        arguments = arguments_of("degradations", name, component, {})
        if missing_arguments(component, arguments):
            continue
        damaged = built("degradations", name, component, arguments)(image, torch.Generator().manual_seed(0))
        shown = Image.new("RGB", (2 * SIDE + 8, SIDE), "white")
        shown.paste(Image.fromarray(picture))
        small = Image.fromarray(tensor_to_image(damaged[0]))
        shown.paste(small.resize((SIDE, SIDE), Image.Resampling.NEAREST), (SIDE + 8, 0))
        content = io.BytesIO()
        shown.resize((2 * shown.width, 2 * shown.height), Image.Resampling.NEAREST).save(content, "PNG")
        sheets[f"reference/degradations/{name}.png"] = content.getvalue()
    return sheets
