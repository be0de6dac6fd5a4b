"""SRGAN's discriminator against its published size, and an implementation from the state dictionary alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import check_discriminator
from toolbox_plugins.srgan.vgg_discriminator import VGGStyleDiscriminator

NORMALISED = [f"{stage}_{step}" for stage in range(5) for step in (0, 1)][1:]


def judge(state: dict[str, Tensor], x: Tensor, norm: str, stages: int = 5) -> Tensor:
    """The discriminator in evaluation mode, with functions only."""
    for stage in range(stages):
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


def random_state(width: int, size: int, norm: str, stages: int = 5) -> dict[str, Tensor]:
    widths = [width, 2 * width, 4 * width, 8 * width, 8 * width, 8 * width][:stages]
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
    flat = into * (size // 2**stages) ** 2
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


def test_a_sixth_stage_makes_it_basicsrs_for_256_pixels():
    state = random_state(2, 128, "batch", stages=6)
    network = VGGStyleDiscriminator(width=2, image_size=128, stages=6).eval()
    network.load_state_dict(state, strict=True)
    images = torch.rand(1, 3, 128, 128)
    torch.testing.assert_close(network(images)[0], judge(state, images, "batch", 6), atol=1e-5, rtol=1e-5)
    with torch.device("meta"):
        large = VGGStyleDiscriminator(image_size=256, stages=6)
    assert large.linear1.in_features == 512 * 4 * 4 and "bn5_1.weight" in large.state_dict()


@pytest.mark.parametrize(("norm", "size"), [("batch", (33, 70)), ("instance", (64, 65)), ("none", (32, 128))])
def test_the_pooled_head_judges_images_of_any_size(norm, size):
    network = VGGStyleDiscriminator(width=4, norm=norm, head="pool")
    assert network(torch.rand(2, 3, *size))[0].shape == (2, 1)
    check_discriminator(network, size=size[1])


def test_the_pooled_head_is_the_linear_one_where_the_last_stage_is_one_pixel():
    state = random_state(4, 32, "none")
    network = VGGStyleDiscriminator(width=4, norm="none", head="pool")
    network.load_state_dict(state, strict=True)
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(network(images)[0], judge(state, images, "none"), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("norm", "smallest"), [("none", 32), ("instance", 64)])
def test_the_pooled_head_refuses_images_that_leave_no_pixel_to_pool(norm, smallest):
    network = VGGStyleDiscriminator(width=2, norm=norm, head="pool")
    with pytest.raises(UserError, match=f"images of 128x{smallest - 1} .* needs {smallest}x{smallest} at least"):
        network(torch.rand(1, 3, smallest - 1, 128))


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
        ({"image_size": 96, "stages": 6}, "image_size must be a multiple of 64, got 96"),
        ({"head": "mean"}, "head must be linear or pool, got 'mean'"),
        ({"stages": 0}, "stages must be at least 1, got 0"),
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
