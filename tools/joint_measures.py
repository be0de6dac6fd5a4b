"""What a joint network does between its ends, whether it hides codes, and what it costs beside a cascade.

    python tools/joint_measures.py configs/joint/palette_small.yaml CHECKPOINT [--cascade CONFIG]...

On the config's test photographs: PSNR and lite0 distance to the oracle's picture (style) and lite0 distance to the
photograph (content) over the strength; the cycle's mean error with and without the damage that destroys codes. Then
parameters, multiply-accumulates, and the median time of a 128x128 input over rounds in turn, on one thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from toolbox.build import build_component, build_generators
from toolbox.config import load_config
from toolbox.inference import load_algorithm
from toolbox.macs import count_macs
from toolbox.outputs import Style

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
ROUNDS = 15


def samples(config: Any) -> list[tuple[Tensor, Tensor]]:
    """Test photographs and the oracle's pictures of them, each (1, 3, H, W)."""
    dataset = build_component("datasets", config.data["test_dataloader"]["dataset"])
    found = (dataset.sample(index, np.random.default_rng(0)) for index in range(len(dataset)))
    return [(batch(each["real_a"]), batch(each["oracle_b"])) for each in found]


def batch(image: Any) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image.copy()).movedim(2, 0)[None].float() / 255


def metric(name: str, **arguments: Any) -> Any:
    """A metric of two pictures, (3, H, W) each."""
    return build_component("metrics", {"type": name, "prediction": "fake_b", "reference": "real_a", **arguments})


def over_strengths(algorithm: Any, pictures: list[tuple[Tensor, Tensor]]) -> None:
    """Print what each strength reaches."""
    psnr, distance = metric("PSNR", channel="RGB"), metric("FeatureDistance", features={"type": "EfficientNetLite0"})
    print("| strength | PSNR to the ground truth | style distance | content distance |\n|---:|---:|---:|---:|")
    for strength in STRENGTHS:
        rows = []
        for photo, truth in pictures:
            small = algorithm.shrink(photo)
            with torch.no_grad():
                fake = algorithm.predict(small, "fake_b", Style(strength=strength)).round(decimals=6)[0]
            rows.append([psnr.measure(fake, truth[0]), *(distance.measure(fake, x[0]) for x in (truth, photo))])
        means = [sum(float(row[i]) for row in rows) / len(rows) for i in range(3)]
        print(f"| {strength} | {means[0]:.2f} | {means[1]:.3f} | {means[2]:.3f} |")


def codes(algorithm: Any, pictures: list[tuple[Tensor, Tensor]]) -> None:
    """Print the cycle's error with and without noise and JPEG on the way back."""
    torch.manual_seed(0)
    plain = damaged = 0.0
    back = algorithm.averaged_network("generator_ba")
    for photo, _ in pictures:
        small = algorithm.shrink(photo)
        with torch.no_grad():
            output = algorithm.shrink(algorithm.predict(small, "fake_b"))
            plain += float((back(output) - small).abs().mean())
            damaged += float((back(algorithm.destroy(output)) - small).abs().mean())
    share = 100 * (damaged / plain - 1)
    count = len(pictures)
    print(f"\ncycle: {plain / count:.5f} without, {damaged / count:.5f} with damage on the way back ({share:+.1f} %)")


class Chain(nn.Module):
    """An algorithm's first output as a function of images."""

    def __init__(self, algorithm: Any) -> None:
        super().__init__()
        self.slots = next(iter(algorithm.outputs.values()))[1:]
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
    codes(algorithm, pictures)
    chains = {"joint": Chain(algorithm)}
    for path in options.cascade:
        chains[path.stem] = Chain(build_generators(load_config(path).data["model"]).eval())
    costs(chains)


if __name__ == "__main__":
    main()
