"""What is kept of an earlier run is known by the network's identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from toolbox.assembly.loading import trained_network
from toolbox.inference.exported import ExportedNetwork
from toolbox.inference.identity import identity_of
from toolbox_plugins.srgan.srresnet import SRResNet


def network(seed: int, blocks: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return SRResNet(width=8, blocks=blocks, scale=2)


def test_layers_weights_and_what_is_chosen_make_a_network_another_one() -> None:
    known = identity_of(network(0))
    assert identity_of(network(0)) == known
    others = [network(1), network(0, blocks=2)]
    others += [trained_network("palette-x4", chosen={"strength": strength}) for strength in (0.3, 0.7)]
    assert len({known, *map(identity_of, others)}) == 5
    assert identity_of(network(0), torch.zeros(2)) != identity_of(network(0), torch.zeros(1, 2))


def test_a_style_is_the_picture_that_its_file_holds(tmp_path: Path) -> None:
    network, found = SRResNet(width=8, blocks=1, scale=2), set[str]()
    for content in (b"one", b"other"):
        (tmp_path / "style.jpg").write_bytes(content)
        network.chosen = {"style": tmp_path / "style.jpg"}  # pyright: ignore[reportAttributeAccessIssue]
        found.add(identity_of(network))
    assert len(found) == 2


def test_a_file_of_another_runtime_is_known_by_what_it_holds(tmp_path: Path) -> None:
    class Doubled:
        names: Sequence[str] = ("images",)
        metadata: Mapping[str, str] = {}

        def __call__(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
            return tensors[0].repeat_interleave(2, -1).repeat_interleave(2, -2)

    file, found = tmp_path / "x.xml", set()
    for content, weights in ((b"a", b"a"), (b"b", b"a"), (b"b", b"b")):
        file.write_bytes(content)
        file.with_suffix(".bin").write_bytes(weights)
        found.add(identity_of(ExportedNetwork(file, Doubled(), "openvino", {})))
    assert len(found) == 3
    network = ExportedNetwork(file, Doubled(), "openvino", {})
    for strength in (0.2, 0.9):
        network.values = {"strength": torch.tensor([strength])}
        found.add(identity_of(network))
    assert len(found) == 5
