"""The example plugins as installed distributions: metadata beside links to their sources, without pip."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "plugins" / "examples"
RECIPES = {"star_gan": "star_gan/domains.yaml", "inpainting": "inpainting/holes.yaml", "clips": "clips/pan.yaml"}


def site_of_examples(folder: Path) -> list[Path]:
    """Write the metadata of every example below `folder`; returns the paths that belong on `sys.path`."""
    for name in RECIPES:
        info = folder / f"{name}-0.1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[toolbox.plugins]\n{name} = {name}\n")
    return [folder, *(EXAMPLES / name / "src" for name in RECIPES)]
