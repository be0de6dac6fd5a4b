"""A discriminator that sees fine detail by itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from runs import command, style_config, write_config
from toolbox.io.errors import UserError
from toolbox.testing import check_discriminator
from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator
from toolbox_plugins.detail.discriminator import DetailDiscriminator


class Watching(PatchDiscriminator):
    """Keeps what it is shown."""

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        self.seen = images
        return super().forward(images)


def test_it_keeps_to_the_contract() -> None:
    check_discriminator(DetailDiscriminator(discriminator=PatchDiscriminator(in_channels=6, width=8, layers=1)))


def test_the_other_sees_the_images_and_what_a_blur_takes_away() -> None:
    inner = Watching(in_channels=2, width=4, layers=1)
    image = torch.zeros(1, 1, 9, 9)
    image[..., 4, 4] = 0.9
    DetailDiscriminator(discriminator=inner, window=3, gain=4.0)(image)
    assert torch.equal(inner.seen[:, :1], image)
    detail = inner.seen[0, 1]
    assert detail[4, 4] == pytest.approx(0.5 + 4 * (0.9 - 0.1))
    assert detail[4, 5] == pytest.approx(0.5 - 4 * 0.1)
    assert detail[0, 0] == 0.5


def test_flat_images_have_no_detail_up_to_their_edges() -> None:
    inner = Watching(in_channels=6, width=4, layers=1)
    DetailDiscriminator(discriminator=inner, window=5)(torch.full((1, 3, 12, 12), 0.3))
    assert torch.allclose(inner.seen[:, 3:], torch.tensor(0.5), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"window": 4}, "window must be odd"), ({"gain": 0.0}, "gain must")]
)
def test_other_windows_and_gains_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DetailDiscriminator(discriminator=PatchDiscriminator(in_channels=6, width=4), **arguments)


def test_it_wraps_any_discriminator_from_yaml(tmp_path: Any) -> None:
    config = style_config(tmp_path)
    inner = {"type": "PatchDiscriminator", "in_channels": 6, "width": 4, "layers": 1, "norm": "none"}
    config["model"]["discriminator_a"] = {"type": "DetailDiscriminator", "discriminator": inner, "pool": 2}
    config["model"]["variant"] = {"type": "SpectralNorm", "base": {"type": "WGANGP"}}
    config["train_cfg"] = {"max_iters": 5, "val_interval": 5}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
