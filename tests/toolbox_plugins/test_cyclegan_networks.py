"""CycleGAN's networks against the official files' layout, and implementations from the state dictionary alone."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.training.instance_norm import make_instance_norm_safe
from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator
from toolbox_plugins.cyclegan.generator import ResnetGenerator

State = dict[str, Tensor]
WIDTH, BLOCKS = 4, 2


def normalise(state: State, name: str, x: Tensor, norm: str) -> Tensor:
    if norm == "none":
        return x
    if norm == "instance":
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt()
    weight, bias, mean, variance = (
        state[f"{name}.{each}"][:, None, None] for each in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


def translate(state: State, images: Tensor, *, norm: str, second: int, blocks: int = BLOCKS) -> Tensor:
    """The official generator in evaluation mode; `second` is the place of a block's second convolution."""

    def conv(name: str, x: Tensor, **keywords: int) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **keywords)

    def reflect(x: Tensor, by: int) -> Tensor:
        return F.pad(x, (by,) * 4, mode="reflect")

    x = conv("model.1", reflect(images * 2 - 1, 3))
    x = normalise(state, "model.2", x, norm).relu()
    for place in (4, 7):
        x = conv(f"model.{place}", x, stride=2, padding=1)
        x = normalise(state, f"model.{place + 1}", x, norm).relu()
    for place in range(10, 10 + blocks):
        block = f"model.{place}.conv_block"
        y = normalise(state, f"{block}.2", conv(f"{block}.1", reflect(x, 1)), norm).relu()
        y = normalise(state, f"{block}.{second + 1}", conv(f"{block}.{second}", reflect(y, 1)), norm)
        x = x + y
    for place in (10 + blocks, 13 + blocks):
        weight, bias = state[f"model.{place}.weight"], state.get(f"model.{place}.bias")
        x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)
        x = normalise(state, f"model.{place + 1}", x, norm).relu()
    x = conv(f"model.{17 + blocks}", reflect(x, 3)).tanh()
    return (x + 1) / 2


def add_norm(state: State, name: str, channels: int, norm: str, stale: bool) -> None:
    if norm == "batch":
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.rand(channels) + 0.5, torch.randn(channels) * 0.2
    if norm == "batch" or stale:
        state[f"{name}.running_mean"] = torch.randn(channels)
        state[f"{name}.running_var"] = torch.rand(channels) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(3)


def official_generator(*, norm: str, dropout: bool, stale: bool, blocks: int = BLOCKS, width: int = WIDTH) -> State:
    """A random file in the layout of the official ones, made without our module."""
    state: State = {}

    def conv(name: str, *shape: int, out: int, bias: bool = norm != "batch") -> None:
        state[f"{name}.weight"] = torch.randn(*shape) * (shape[1] * shape[2] ** 2) ** -0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(out) * 0.1

    conv("model.1", width, 3, 7, 7, out=width)
    add_norm(state, "model.2", width, norm, stale)
    for place, c in ((4, width), (7, 2 * width)):
        conv(f"model.{place}", 2 * c, c, 3, 3, out=2 * c)
        add_norm(state, f"model.{place + 1}", 2 * c, norm, stale)
    c = 4 * width
    for block in range(10, 10 + blocks):
        for place in (1, 6 if dropout else 5):
            conv(f"model.{block}.conv_block.{place}", c, c, 3, 3, out=c)
            add_norm(state, f"model.{block}.conv_block.{place + 1}", c, norm, stale)
    for place, c in ((10 + blocks, 4 * width), (13 + blocks, 2 * width)):
        conv(f"model.{place}", c, c // 2, 3, 3, out=c // 2)
        add_norm(state, f"model.{place + 1}", c // 2, norm, stale)
    conv(f"model.{17 + blocks}", 3, width, 7, 7, out=3, bias=True)
    return state


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("in_network", [False, True])
def test_official_generator_files_load_with_and_without_dropout(norm, in_file, in_network):
    torch.manual_seed(0)
    state = official_generator(norm=norm, dropout=in_file, stale=False)
    keys = list(state)
    network = ResnetGenerator(width=WIDTH, blocks=BLOCKS, norm=norm, dropout=in_network).eval()
    network.load_state_dict(state, strict=True)
    assert list(state) == keys, "the caller's dictionary is not ours to change"
    images = torch.rand(2, 3, 16, 20)
    expected = translate(state, images, norm=norm, second=6 if in_file else 5)
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("safe", [False, True])
def test_stale_running_statistics_of_old_files_are_left_out(in_file, safe):
    torch.manual_seed(0)
    state = official_generator(norm="instance", dropout=in_file, stale=True)
    network = ResnetGenerator(width=WIDTH, blocks=BLOCKS)
    if safe:
        make_instance_norm_safe(network)
    network.load_state_dict(state, strict=True)
    images = torch.rand(1, 3, 16, 16)
    expected = translate(state, images, norm="instance", second=6 if in_file else 5)
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


def test_an_old_file_loads_into_a_network_inside_another_a_copy_and_an_unpickled_one():
    torch.manual_seed(0)
    state = official_generator(norm="instance", dropout=True, stale=True)
    images = torch.rand(1, 3, 16, 16)
    expected = translate(state, images, norm="instance", second=6)
    network = ResnetGenerator(width=WIDTH, blocks=BLOCKS)
    for each in (network, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        nn.ModuleDict({"net": each}).load_state_dict({f"net.{key}": value for key, value in state.items()})
        torch.testing.assert_close(each(images), expected, atol=1e-5, rtol=1e-5)


def test_strict_loading_still_names_what_is_truly_missing_or_unknown():
    state = official_generator(norm="instance", dropout=True, stale=True)
    del state["model.1.bias"]
    state["model.99.weight"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r"(?s)Missing.*model\.1\.bias.*Unexpected.*model\.99\.weight") as error:
        ResnetGenerator(width=WIDTH, blocks=BLOCKS).load_state_dict(state)
    assert "running_mean" not in str(error.value) and "conv_block" not in str(error.value)


def test_running_statistics_of_batch_norm_are_kept():
    torch.manual_seed(0)
    state = official_generator(norm="batch", dropout=False, stale=False)
    network = ResnetGenerator(width=WIDTH, blocks=BLOCKS, norm="batch")
    network.load_state_dict(state)
    torch.testing.assert_close(network.state_dict()["model.2.running_mean"], state["model.2.running_mean"])


def test_the_generator_has_the_published_size_and_keys():
    network = ResnetGenerator()
    assert sum(p.numel() for p in network.parameters()) == 11_378_179  # published as 11.378 M
    places = [f"model.{place}" for place in (1, 4, 7, 19, 22, 26)]
    places += [f"model.{block}.conv_block.{place}" for block in range(10, 19) for place in (1, 5)]
    assert set(network.state_dict()) == {f"{place}.{kind}" for place in places for kind in ("weight", "bias")}


def test_resizing_instead_of_transposing_changes_the_keys_of_two_layers_alone():
    torch.manual_seed(0)
    usual, resizing = ResnetGenerator(width=WIDTH), ResnetGenerator(width=WIDTH, upsample="resize")
    moved = {f"model.{place}.{kind}" for place in (19, 22) for kind in ("weight", "bias")}
    own = {f"model.{place}.conv.{kind}" for place in (19, 22) for kind in ("weight", "bias")}
    assert set(resizing.state_dict()) == set(usual.state_dict()) - moved | own
    assert resizing(torch.rand(1, 3, 16, 12)).shape == (1, 3, 16, 12)
    layer = resizing.model[19]
    x = torch.rand(1, 4 * WIDTH, 3, 5)
    padded = F.pad(x.repeat_interleave(2, 2).repeat_interleave(2, 3), (1, 1, 1, 1), mode="reflect")
    torch.testing.assert_close(layer(x), F.conv2d(padded, layer.conv.weight, layer.conv.bias))


@pytest.mark.parametrize("make", [ResnetGenerator, PatchDiscriminator])
def test_weights_start_from_a_normal_of_deviation_one_fiftieth_and_biases_at_zero(make):
    torch.manual_seed(0)
    network = make(width=32, norm="batch")
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.1), name
            assert module.bias is None or module.bias.abs().max() == 0
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.5)


def test_the_generator_stays_in_range_and_keeps_to_its_contract():
    torch.manual_seed(0)
    network = ResnetGenerator(in_channels=1, out_channels=5, width=WIDTH, blocks=1)
    output = network(torch.rand(2, 1, 8, 12) * 3 - 1)
    assert output.shape == (2, 5, 8, 12) and output.min() >= 0 and output.max() <= 1
    assert (network.scale, network.multiple) == (1, 4)


def test_gradients_reach_every_weight_of_the_generator():
    torch.manual_seed(0)
    network = ResnetGenerator(width=WIDTH, blocks=1, norm="none")
    network(torch.rand(1, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def official_discriminator(*, norm: str, stale: bool, width: int = WIDTH, layers: int = 3) -> State:
    widths = [3, *(width * min(2**layer, 8) for layer in range(layers + 1)), 1]
    places = [0, *range(2, 3 * layers, 3), 3 * layers + 2]
    state: State = {}
    for place, into, out in zip(places, widths[:-1], widths[1:], strict=True):
        state[f"model.{place}.weight"] = torch.randn(out, into, 4, 4) * (16 * into) ** -0.5
        ends = place in (places[0], places[-1])
        if norm != "batch" or ends:
            state[f"model.{place}.bias"] = torch.randn(out) * 0.1
        if not ends:
            add_norm(state, f"model.{place + 1}", out, norm, stale)
    return state


def judge(state: State, images: Tensor, norm: str, layers: int = 3) -> Tensor:
    x = images * 2 - 1
    last = 3 * layers + 2
    for place in [0, *range(2, 3 * layers, 3), last]:
        stride = 2 if place <= 3 * layers - 4 else 1
        x = F.conv2d(x, state[f"model.{place}.weight"], state.get(f"model.{place}.bias"), stride=stride, padding=1)
        if 0 < place < last:
            x = normalise(state, f"model.{place + 1}", x, norm)
        x = F.leaky_relu(x, 0.2) if place < last else x
    return x


@pytest.mark.parametrize(
    ("norm", "stale"), [("instance", False), ("instance", True), ("batch", False), ("none", False)]
)
@pytest.mark.parametrize("layers", [2, 3, 4])
def test_official_discriminator_files_give_what_their_description_computes(norm, stale, layers):
    torch.manual_seed(0)
    state = official_discriminator(norm=norm, stale=stale, layers=layers)
    network = PatchDiscriminator(width=WIDTH, norm=norm, layers=layers).eval()
    network.load_state_dict(state, strict=True)
    images = torch.rand(2, 3, 80, 64)
    (logits,) = network(images)
    assert logits.shape == (2, 1, 80 // 2**layers - 2, 64 // 2**layers - 2)
    torch.testing.assert_close(logits, judge(state, images, norm, layers), atol=1e-5, rtol=1e-5)


def test_the_discriminator_has_the_published_size_and_keys():
    network = PatchDiscriminator()
    assert sum(p.numel() for p in network.parameters()) == 2_764_737  # published as 2.765 M
    keys = {f"model.{place}.{kind}" for place in (0, 2, 5, 8, 11) for kind in ("weight", "bias")}
    assert set(network.state_dict()) == keys == set(PatchDiscriminator(norm="none").state_dict())


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_logit_sees_as_many_pixels_as_the_paper_says(layers, field):
    torch.manual_seed(0)
    # Without instance norm, whose mean over the whole image lets every logit see all of it.
    network = PatchDiscriminator(width=2, norm="none", layers=layers).double()
    images = torch.rand(1, 3, 224, 224, dtype=torch.float64, requires_grad=True)
    (logits,) = network(images)
    middle = logits.shape[2] // 2
    logits[0, 0, middle, middle].backward()
    assert images.grad is not None
    rows, columns = images.grad[0].abs().sum(0).nonzero().unbind(1)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (field, field)


@pytest.mark.parametrize(("norm", "number"), [("batch", 3), ("instance", 0), ("none", 0)])
def test_a_gan_variant_can_see_batch_norm_in_the_discriminator(norm, number):
    assert sum(isinstance(m, nn.BatchNorm2d) for m in PatchDiscriminator(width=4, norm=norm).modules()) == number


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (ResnetGenerator, {"blocks": 0}, "blocks must be at least 1, got 0"),
        (ResnetGenerator, {"norm": "group"}, "norm must be batch, instance, instance_affine or none, got 'group'"),
        (ResnetGenerator, {"upsample": "bilinear"}, "upsample must be transposed or resize, got 'bilinear'"),
        (PatchDiscriminator, {"layers": 0}, "layers must be at least 1, got 0"),
        (
            PatchDiscriminator,
            {"norm": "spectral"},
            "norm must be batch, instance, instance_affine or none, got 'spectral'",
        ),
    ],
)
def test_wrong_arguments_are_refused(make, arguments, message):
    with pytest.raises(UserError, match=message):
        make(**arguments)
