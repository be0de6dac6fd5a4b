"""SRGAN's discriminator against its published size, and an implementation from the state dictionary alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.errors import UserError
from toolbox_plugins.srgan.vgg_discriminator import VGGStyleDiscriminator

NORMALISED = [f"{stage}_{step}" for stage in range(5) for step in (0, 1)][1:]


def judge(state: dict[str, Tensor], x: Tensor, norm: str) -> Tensor:
    """The discriminator in evaluation mode, with functions only."""
    for stage in range(5):
        for step in (0, 1):
            name = f"{stage}_{step}"
            x = F.conv2d(x, state[f"conv{name}.weight"], state.get(f"conv{name}.bias"), stride=1 + step, padding=1)
            if name != "0_0" and norm == "batch":
                weight, bias, mean, variance = (
                    state[f"bn{name}.{each}"][:, None, None]
                    for each in ("weight", "bias", "running_mean", "running_var")
                )
                x = (x - mean) / (variance + 1e-5).sqrt() * weight + bias
            elif name != "0_0" and norm == "instance":
                variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
                x = (x - mean) / (variance + 1e-5).sqrt()
            x = F.leaky_relu(x, 0.2)
    x = F.leaky_relu(x.flatten(1) @ state["linear1.weight"].T + state["linear1.bias"], 0.2)
    return x @ state["linear2.weight"].T + state["linear2.bias"]


def random_state(width: int, size: int, norm: str) -> dict[str, Tensor]:
    widths = [width, 2 * width, 4 * width, 8 * width, 8 * width]
    state, into = {}, 3
    for stage, out in enumerate(widths):
        for step in (0, 1):
            name = f"{stage}_{step}"
            state[f"conv{name}.weight"] = (
                torch.randn(out, into, 3 + step, 3 + step) * (2 / (into * (3 + step) ** 2)) ** 0.5
            )
            if name == "0_0" or norm == "none":
                state[f"conv{name}.bias"] = torch.randn(out) * 0.1
            if name != "0_0" and norm == "batch":
                state[f"bn{name}.weight"], state[f"bn{name}.bias"] = torch.rand(out) + 0.5, torch.randn(out)
                state[f"bn{name}.running_mean"], state[f"bn{name}.running_var"] = (
                    torch.randn(out),
                    torch.rand(out) + 0.5,
                )
                state[f"bn{name}.num_batches_tracked"] = torch.tensor(7)
            into = out
    flat = into * (size // 32) ** 2
    state["linear1.weight"], state["linear1.bias"] = torch.randn(100, flat) * flat**-0.5, torch.randn(100)
    state["linear2.weight"], state["linear2.bias"] = torch.randn(1, 100) * 0.1, torch.randn(1)
    return state


@pytest.mark.parametrize(
    ("norm", "size"), [("batch", 128), ("batch", 32), ("instance", 64), ("none", 32), ("none", 96)]
)
def test_a_file_of_basicsrs_layout_gives_what_its_description_computes(norm, size):
    torch.manual_seed(0)
    state = random_state(4, size, norm)
    network = VGGStyleDiscriminator(width=4, image_size=size, norm=norm).eval()
    network.load_state_dict(state, strict=True)
    images = torch.rand(2, 3, size, size)
    (logits,) = network(images)
    assert logits.shape == (2, 1)
    torch.testing.assert_close(logits, judge(state, images, norm), atol=1e-5, rtol=1e-5)


def test_it_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in VGGStyleDiscriminator().parameters()) == 14_499_401


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_only_batch_norm_leaves_bn_keys_and_batch_norm_modules(norm):
    network = VGGStyleDiscriminator(width=4, image_size=64, norm=norm)
    assert {key.split(".")[0] for key in network.state_dict() if key.startswith("bn")} == (
        {f"bn{name}" for name in NORMALISED} if norm == "batch" else set()
    )
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == (9 if norm == "batch" else 0)


@pytest.mark.parametrize("error", [UserError, ValueError])
def test_images_of_another_size_are_refused_with_both_sizes(error):
    network = VGGStyleDiscriminator(width=4, image_size=64)
    with pytest.raises(error, match=r"images of 96x128 .* made for 64x64: .* image_size"):
        network(torch.rand(1, 3, 128, 96))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 100}, "image_size must be a multiple of 32, got 100"),
        ({"image_size": 0}, "image_size must be a multiple of 32, got 0"),
        ({"image_size": 32, "norm": "instance"}, "image_size must be 64 or more"),
        ({"norm": "layer"}, "norm must be batch, instance or none, got 'layer'"),
        ({"width": 0}, "width must be at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        VGGStyleDiscriminator(**arguments)


def test_gradients_reach_the_images_and_every_parameter():
    network = VGGStyleDiscriminator(width=4, image_size=64, norm="none")
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    network(images)[0].sum().backward()
    assert images.grad is not None and (images.grad.flatten(1).abs().amax(1) > 0).all()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
