"""The configs that come along: what each is for, by the comment that opens it, and the whole of it."""

from __future__ import annotations

import re
from functools import cache

from components import said

from toolbox.config.shipped import shipped_configs

TITLE, PLACE = "Recipes", "reference/recipes.md"
GROUPS = {
    "own": "What `new` stands on",
    "demo": "The demos",
    "super_resolution": "Super-resolution",
    "style": "Style transfer",
    "joint": "Both in one network",
    "video": "Films",
    "gan": "Presets of the GAN objective",
    "benchmark": "Grids of the benchmark",
    "toy": "Toy data",
}


def pages() -> list[tuple[str, str, str]]:
    """Title, place and Markdown of the page."""
    lines = [
        "# Recipes",
        "",
        "`gan-toolbox train NAME` trains one, `_base_: toolbox:NAME` in a config of your own stands on it, and"
        " `gan-toolbox new mine --like NAME --data FOLDER` fits it to own pictures.",
        "",
    ]
    names = shipped_configs()
    groups = [*GROUPS, *sorted({name.split("/")[0] for name in names} - GROUPS.keys())]
    for group in groups:
        lines += [f"## {GROUPS.get(group, group)}", ""]
        for name in sorted(each for each in names if each.startswith(f"{group}/")):
            lines += _entry(name, names[name].read_text(encoding="utf-8"))
    return [(TITLE, PLACE, "\n".join(lines))]


@cache
def places() -> dict[str, str]:
    """Where each config stands, by its name."""
    return {name: f"{PLACE}#{anchor(name)}" for name in shipped_configs()}


def anchor(name: str) -> str:
    """Of `demo/style.yaml`, `demo-style`."""
    return name.removesuffix(".yaml").replace("/", "-").replace("_", "-")


def _entry(name: str, text: str) -> list[str]:
    body = [line for line in text.split("\n") if not line.startswith("# yaml-language-server")]
    end = next((number for number, line in enumerate(body) if not line.startswith("#")), len(body))
    header = re.sub(r" \\\n +", " ", "\n".join(line[2:] for line in body[:end]))  # a command over two lines is one
    lines = [f"### {name} {{ #{anchor(name)} }}", ""]
    for part in re.split(r"\n(?=Needs[:,]|Takes:|Reaches:| +(?:python|gan-toolbox) )", header):
        command, *rest = re.split(r" {2,}# | *\n", part.strip(), maxsplit=1)
        if command.startswith(("python ", "gan-toolbox ")):
            note = said(" ".join("".join(rest).split()))
            lines += [f"`{command}`" + (f" {note}" if note else ""), ""]
        else:
            lines += [said(" ".join(part.split())), ""]
    whole = [f"    {line}".rstrip() for line in body[end:]]
    return [*lines, '??? note "The config"', "", "    ```yaml", *whole, "    ```", ""]
