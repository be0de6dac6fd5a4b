"""The health of a run in one picture: a small plot for each kind of measure."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from pathlib import Path

from PIL import Image, ImageDraw

from toolbox.io.files import whole

from .curves import Curves

COLUMNS, WIDTH, HEIGHT, MARGIN = 3, 330, 180, 34
COLORS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75), (23, 190, 207))
KINDS = {
    "accuracy": ("accuracy on real and fake", False),
    "gap": ("logit gap, real - fake", False),
    "loss": ("losses", True),
    "gradient": ("gradient norms", True),
    "penalty": ("penalties, as weighted in the loss", True),
    "lipschitz": ("slope of the discriminators", True),
    "spectral": ("largest singular values", True),
    "diversity": ("diversity of fakes over real", False),
    "drift": ("brightness and color, fake - real; change of outputs", False),
}
"""Each plot's title, and whether its axis is logarithmic."""


def kind_of(name: str) -> str:
    """The plot that a measure belongs to."""
    head = name.split("/", 1)[0]
    return {
        "accuracy_real": "accuracy",
        "accuracy_fake": "accuracy",
        "brightness": "drift",
        "color": "drift",
        "change": "drift",
    }.get(head, head)


def label_of(name: str) -> str:
    """What a line is called in its plot: `real d_a`, `color d_a`, `g/cycle`."""
    head, rest = name.split("/", 1)
    return f"{head.removeprefix('accuracy_')} {rest}" if kind_of(name) != head else rest


def draw(curves: Curves, path: Path, title: str) -> None:
    """Write the picture; iterations with a verdict are vertical lines."""
    sheet = Image.new("RGB", (COLUMNS * WIDTH, 22 + -(-len(KINDS) // COLUMNS) * HEIGHT), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((6, 5), title, fill="black")
    by_kind: dict[str, list[str]] = {}
    for name in sorted(curves.names()):
        by_kind.setdefault(kind_of(name), []).append(name)
    for number, (kind, (caption, logarithmic)) in enumerate(KINDS.items()):
        left, top = number % COLUMNS * WIDTH, 22 + number // COLUMNS * HEIGHT
        lines = {name: curves.points(name) for name in by_kind.get(kind, ())}
        plot(pen, (left, top), caption, lines, logarithmic, curves.marks)
    with whole(path, durable=False) as file:
        sheet.save(file, format="PNG")


def plot(
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    caption: str,
    lines: dict[str, list[tuple[float, float]]],
    logarithmic: bool,
    marks: Sequence[int],
) -> None:
    """One plot with its own axes; lines are points (iteration, value) by name."""
    left, top = corner[0] + MARGIN, corner[1] + 16
    right, bottom = corner[0] + WIDTH - 8, corner[1] + HEIGHT - 16
    pen.text((corner[0] + MARGIN, corner[1] + 2), caption + (" (log)" if logarithmic else ""), fill="black")
    pen.rectangle((left, top, right, bottom), outline=(180, 180, 180))
    scaled = {
        name: [(x, log10(max(abs(y), 1e-12)) if logarithmic else y) for x, y in points]
        for name, points in lines.items()
    }
    points = [point for each in scaled.values() for point in each]
    if not points:
        return
    x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
    y0, y1 = min(y for _, y in points), max(y for _, y in points)
    x1, y1 = (x1 if x1 > x0 else x0 + 1), (y1 if y1 > y0 else y0 + 1)
    across = lambda x: left + (x - x0) / (x1 - x0) * (right - left)  # noqa: E731
    up = lambda y: bottom - (y - y0) / (y1 - y0) * (bottom - top)  # noqa: E731
    for mark in marks:
        if x0 <= mark <= x1:
            pen.line((across(mark), top, across(mark), bottom), fill=(255, 190, 190))
    for number, (name, each) in enumerate(scaled.items()):
        color = COLORS[number % len(COLORS)]
        places = [(across(x), up(y)) for x, y in each]
        pen.line(places, fill=color) if len(places) > 1 else pen.point(places, fill=color)
        if number < 12:
            pen.text((left + 4 + number // 6 * 145, top + 2 + 11 * (number % 6)), label_of(name), fill=color)
    show = lambda y: f"{10**y:.1e}" if logarithmic else f"{y:.2f}"  # noqa: E731
    pen.text((corner[0] + 1, top - 2), show(y1), fill=(90, 90, 90))
    pen.text((corner[0] + 1, bottom - 9), show(y0), fill=(90, 90, 90))
    pen.text((left, bottom + 2), f"{x0:.0f}", fill=(90, 90, 90))
    pen.text((right - 40, bottom + 2), f"{x1:.0f}", fill=(90, 90, 90))
