"""What a joint network does between its ends, whether it hides codes, and what it costs beside a cascade.

    python tools/joint_measures.py configs/joint/palette_small.yaml CHECKPOINT [--cascade CONFIG]...

On the config's test photographs, over the strength: PSNR and lite0 distance to the oracle's picture (style), or where
there is none KID to the pictures of domain B, and lite0 distance to the photograph (content); the cycle's mean error
with and without the damage that destroys codes. Then parameters, multiply-accumulates, and the median time of a
128x128 input over rounds in turn, on one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from toolbox.assembly.build import build_component, build_generators
from toolbox.config import load_config
from toolbox.inference import load_algorithm
from toolbox.training.macs import count_macs

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
ROUNDS = 15
Judge = Callable[[list[Tensor]], dict[str, float]]
"""What is measured of the fakes (1, 3, H, W) of one strength, by its name."""


class Pictures(NamedTuple):
    """The test set, (1, 3, H, W) each."""

    photos: list[Tensor]
    truths: list[Tensor]
    """The oracle's pictures of the photographs, or none."""
    domain_b: list[Tensor]


def samples(config: Any) -> Pictures:
    """What the config's test set holds."""
    dataset = build_component("datasets", config.data["test_dataloader"]["dataset"])
    found = [dataset.sample(index, np.random.default_rng(0)) for index in range(len(dataset))]
    return Pictures(*([batch(x[name]) for x in found if name in x] for name in ("real_a", "oracle_b", "real_b")))


def batch(image: Any) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image.copy()).movedim(2, 0)[None].float() / 255


def metric(name: str, **arguments: Any) -> Any:
    """A metric of two pictures, (3, H, W) each."""
    return build_component("metrics", {"type": name, "prediction": "fake_b", "reference": "real_a", **arguments})


def over_strengths(algorithm: Any, pictures: Pictures) -> None:
    """Print what each strength reaches."""
    distance = metric("FeatureDistance", features={"type": "EfficientNetLite0"})
    judge = against_truths(pictures.truths, distance) if pictures.truths else against_domain_b(pictures.domain_b)
    for number, strength in enumerate(STRENGTHS):
        fakes = [stylised(algorithm, photo, strength) for photo in pictures.photos]
        found = {**judge(fakes), "content distance": mean_of(distance, fakes, pictures.photos)}
        if number == 0:
            print(f"| strength | {' | '.join(found)} |\n|---:|{'---:|' * len(found)}")
        print(f"| {strength} | {' | '.join(f'{value:.3f}' for value in found.values())} |")


def stylised(algorithm: Any, photo: Tensor, strength: float) -> Tensor:
    """The large picture (1, 3, H, W) of a photograph that was made small."""
    with torch.no_grad():
        return algorithm.predict(algorithm.shrink(photo), "fake_b", {"strength": strength}).round(decimals=6)


def mean_of(metric: Any, fakes: list[Tensor], references: list[Tensor]) -> float:
    """The mean over pairs of (1, 3, H, W)."""
    return fmean(float(metric.measure(fake[0], other[0])) for fake, other in zip(fakes, references, strict=True))


def against_truths(truths: list[Tensor], distance: Any) -> Judge:
    """Distances to the oracle's pictures of the same photographs."""
    psnr = metric("PSNR", channel="RGB")
    return lambda fakes: {
        "PSNR to the ground truth": mean_of(psnr, fakes, truths),
        "style distance": mean_of(distance, fakes, truths),
    }


def against_domain_b(pictures: list[Tensor]) -> Judge:
    """Kernel distances to domain B, of whole pictures and of crops as large as they are."""
    whole = metric("KID", features={"type": "EfficientNetLite0"}, resize=299)
    crops = metric("KID", features={"type": "EfficientNetLite0"}, crops=128, resize=224)
    kids = {"KID": (whole, described(whole, pictures)), "KID of crops": (crops, described(crops, pictures))}
    return lambda fakes: {name: kid.compare(described(kid, fakes), known) for name, (kid, known) in kids.items()}


def described(kid: Any, images: list[Tensor]) -> list[Tensor]:
    """What a metric of sets keeps of (1, 3, H, W) each."""
    return [kid.describe(image[0]) for image in images]


def codes(algorithm: Any, photos: list[Tensor]) -> None:
    """Print the cycle's error with and without noise and JPEG on the way back."""
    torch.manual_seed(0)
    plain = damaged = 0.0
    back = algorithm.averaged_network("generator_ba")
    for photo in photos:
        small = algorithm.shrink(photo)
        with torch.no_grad():
            output = algorithm.shrink(algorithm.predict(small, "fake_b"))
            plain += float((back(output) - small).abs().mean())
            damaged += float((back(algorithm.destroy(output)) - small).abs().mean())
    share = 100 * (damaged / plain - 1)
    count = len(photos)
    print(f"\ncycle: {plain / count:.5f} without, {damaged / count:.5f} with damage on the way back ({share:+.1f} %)")


class Chain(nn.Module):
    """An algorithm's first output as a function of images."""

    def __init__(self, algorithm: Any) -> None:
        super().__init__()
        self.slots = next(iter(algorithm.outputs.values())).networks
        self.networks = nn.ModuleList(algorithm.averaged_network(slot) for slot in self.slots)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 3, scale*h, scale*w)."""
        for network in self.networks:
            images = network(images)
        return images


def costs(chains: dict[str, Chain]) -> None:
    """Print parameters, multiply-accumulates and times."""
    image = torch.rand(1, 3, 128, 128).to(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {name: [] for name in chains}
    with torch.inference_mode():
        for turn in range(ROUNDS + 2):
            for name, chain in chains.items():
                start = time.perf_counter()
                chain(image)
                times[name] += [time.perf_counter() - start] if turn >= 2 else []
    first = next(iter(times.values()))
    print("\n| | parameters | GMACs, 128² in | time over the first's, median of rounds |\n|---|---:|---:|---:|")
    for name, chain in chains.items():
        ratio = median(own / base for own, base in zip(times[name], first, strict=True))
        parameters = sum(p.numel() for p in chain.parameters())
        print(f"| {name} | {parameters:,} | {(count_macs(chain) or 0) / 1e9:.2f} | {ratio:.2f} |")


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--cascade", type=Path, action="append", default=[], help="a cascade whose costs to compare")
    parser.add_argument("--cfg-options", nargs="*", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = load_config(
        options.config,
        {key: yaml.safe_load(value) for key, _, value in (each.partition("=") for each in options.cfg_options)},
    )
    algorithm = load_algorithm(config, options.checkpoint)
    pictures = samples(config)
    over_strengths(algorithm, pictures)
    codes(algorithm, pictures.photos)
    chains = {"joint": Chain(algorithm)}
    for path in options.cascade:
        chains[path.stem] = Chain(build_generators(load_config(path).data["model"]).eval())
    costs(chains)


if __name__ == "__main__":
    main()
