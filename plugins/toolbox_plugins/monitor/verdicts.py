"""When a GAN is ill, and what to try: rules over the history of measures, each with its sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median

NOTHING = 1e-7
"""A gap or a gradient that is none, whatever it was before."""
Look = Mapping[str, float]
"""What was measured at one look: `accuracy_real/d`, `gradient/g/cycle`, and `iteration`."""


@dataclass(frozen=True)
class Verdict:
    """One illness: its name, in which measure it was seen, and one line that says what it is and what to try."""

    name: str
    place: str
    sentence: str


@dataclass(frozen=True)
class Thresholds:
    """From where a measure is ill, and for how many looks in a row it must be."""

    looks: int = 3
    sure: float = 0.99
    growth: float = 10.0
    faint: float = 1e-3
    alike: float = 0.5
    shift: float = 0.25


def judge(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """The verdicts at the newest look, worst first."""
    if not history:
        return []
    found = [verdict for rule in RULES for verdict in rule(history, limits)]
    blinded = {verdict.place for verdict in found if verdict.name == "d_blind"}  # which says why the gradient is gone
    return [verdict for verdict in found if verdict.name != "vanishing" or verdict.place not in blinded]


def named(look: Look, kind: str) -> list[str]:
    """The measures of a kind: `accuracy_real` gives `accuracy_real/d_a`, ..."""
    return [name for name in look if name.startswith(f"{kind}/")]


def lately(history: Sequence[Look], name: str, looks: int) -> list[float]:
    """The newest values of a measure, none if there are too few."""
    values = [look[name] for look in history[-looks:] if name in look]
    return values if len(values) == looks else []


def before(history: Sequence[Look], name: str, looks: int, least: int = 2) -> float | None:
    """What a measure usually was before the newest looks: the median, from `least` looks on."""
    values = [look[name] for look in history[:-looks] if name in look and isfinite(look[name])]
    return median(values) if len(values) >= least else None


def not_finite(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """A number that is none."""
    bad = [name for name, value in history[-1].items() if not isfinite(value)]
    if not bad:
        return []
    text = f"{bad[0]} is not finite: the run is lost from here; go back to a checkpoint, with lower rates"
    return [Verdict("not_finite", bad[0], text)]


def exploding(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """A gradient or a loss that has grown many times over what it usually was."""
    found = []
    for name in [*named(history[-1], "gradient"), *named(history[-1], "loss")]:
        # gradients begin near nothing, and grow honestly at first
        usual, now = before(history, name, 1, 4 if name.startswith("gradient/") else 2), history[-1][name]
        growth = limits.growth
        if usual is None and len(history) > 1 and name in history[-2] and name.startswith("loss/"):
            # the second look of all: be slower to speak
            usual, growth = history[-2][name], 10 * limits.growth
        if usual and isfinite(now) and abs(now) > growth * max(abs(usual), 1e-3):
            found.append((abs(now) / max(abs(usual), 1e-3), name, usual, now))
    if not found:
        return []
    times, name, usual, now = max(found)
    text = (
        f"exploding: {name} is {now:.3g}, {times:.0f} times its median of {usual:.3g}; lower the rates, clip gradients "
        "(optim_wrapper.*.clip_grad), or add R1 or spectral norm"
    )
    return [Verdict("exploding", name, text)]


def discriminator_wins(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """Real and fake told apart without a mistake, look after look."""
    found = []
    for name in named(history[-1], "accuracy_real"):
        slot = name.split("/", 1)[1]
        real, fake = (lately(history, f"accuracy_{side}/{slot}", limits.looks) for side in ("real", "fake"))
        if real and fake and min(*real, *fake) >= limits.sure:
            since = history[-1]["iteration"] - history[-limits.looks]["iteration"]
            text = (
                f"{slot} wins: accuracy {min(*real, *fake):.2f} for {since:.0f} iterations; try a lower rate for the "
                "discriminator, R1, DiffAugment or instance noise, or a smaller discriminator"
            )
            found.append(Verdict("d_wins", name, text))
    return found


def discriminator_blind(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """Real and fake all one to a discriminator that gives no gradient any more; chance alone is a balanced pair."""
    found = []
    for name in named(history[-1], "gap"):
        slot = name.split("/", 1)[1]
        place = f"gradient/g/adversarial{slot[1:]}"
        gaps, gradients = (lately(history, each, limits.looks) for each in (name, place))
        real, fake = (lately(history, f"accuracy_{side}/{slot}", limits.looks) for side in ("real", "fake"))
        if not (gaps and gradients and real and fake) or max(map(sum, zip(real, fake, strict=True))) > 1.1:
            continue
        widest, steepest = (max(abs(look.get(each, 0.0)) for look in history) for each in (name, place))
        shut = max(map(abs, gaps)) <= max(limits.faint * widest, NOTHING)
        if shut and max(gradients) <= max(limits.faint * steepest, NOTHING):
            text = (
                f"{slot} is blind: accuracy {(real[-1] + fake[-1]) / 2:.2f}, gap {gaps[-1]:.1g}, and no gradient for "
                "the generator, which wins unjudged; try a higher rate or d_steps 2 for the discriminator, a larger "
                "one, a weaker regularizer, or another seed"
            )
            found.append(Verdict("d_blind", place, text))
    return found


def vanishing(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """An adversarial gradient that has all but gone, beside what it was or beside the others."""
    found = []
    for name in named(history[-1], "gradient"):
        if not name.startswith("gradient/g/adversarial"):
            continue
        values, usual = lately(history, name, limits.looks), before(history, name, limits.looks)
        if values and usual and max(values) < limits.faint * usual:
            text = (
                f"{name} fell from {usual:.3g} to {values[-1]:.3g}: the generator learns nothing from this "
                "discriminator; try the non-saturating or the hinge loss, label_smoothing, R1, or a lower rate for it"
            )
            found.append(Verdict("vanishing", name, text))
    return found


def collapse(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """Fakes that are all alike though the real ones are not."""
    found = []
    for name in named(history[-1], "diversity"):
        values = lately(history, name, limits.looks)
        if values and max(values) < limits.alike:
            text = (
                f"mode collapse: fakes differ {values[-1]:.2f} times as much as real images do ({name.split('/')[1]}); "
                "try RpGAN with R1 and R2, WGANGP, a larger batch, or a lower rate for the generator"
            )
            found.append(Verdict("collapse", name, text))
    return found


def color_drift(history: Sequence[Look], limits: Thresholds) -> list[Verdict]:
    """Fakes far brighter, darker or otherwise coloured than the real ones."""
    found = []
    for kind in ("brightness", "color"):
        for name in named(history[-1], kind):
            values = lately(history, name, limits.looks)
            if values and min(map(abs, values)) > limits.shift:
                text = (
                    f"{kind} of the fakes is {values[-1]:+.2f} off the real ones' ({name.split('/')[1]}); try a pixel, "
                    "identity or luminance loss, or a lower adversarial weight"
                )
                found.append(Verdict("color_drift", name, text))
    return found


RULES: tuple[Callable[[Sequence[Look], Thresholds], list[Verdict]], ...] = (
    not_finite,
    exploding,
    collapse,
    discriminator_wins,
    discriminator_blind,
    vanishing,
    color_drift,
)
"""From the worst to the mildest; each names its verdict."""
NAMES = ("not_finite", "exploding", "collapse", "d_wins", "d_blind", "vanishing", "color_drift")
