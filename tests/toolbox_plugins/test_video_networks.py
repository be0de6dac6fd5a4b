"""Networks over clips: they begin as the network of pictures that they hold, and see what their kind may see."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from toolbox import UserError
from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.clips import windows
from toolbox.testing import assemble, check_generator, check_training
from toolbox.testing.clips import moving_clips
from toolbox.testing.networks import TinyGenerator
from toolbox.testing.objective import LeastSquares
from toolbox_plugins.basicvsr.generator import ForwardVSR
from toolbox_plugins.painter.generator import StyleSPAN
from toolbox_plugins.recurrent_painter.algorithm import PaintedVideo
from toolbox_plugins.recurrent_painter.generator import RecurrentStyleSPAN
from toolbox_plugins.tspan.generator import TemporalSPAN
from toolbox_plugins.video_super_resolution.algorithm import VideoSuperResolution, over_clip

SMALL: dict[str, Any] = {"styles": ["first", "second"], "width": 8, "blocks": 1, "upscaler_width": 8, "scale": 2}


def enlargers() -> list[Any]:
    return [ForwardVSR(width=8, scale=2), TemporalSPAN(width=8, scale=2, frames=3)]


def awake(network: Any) -> Any:
    """The network with other values in what starts at zero, and lets no gradient through."""
    for name, parameter in network.named_parameters():
        if name.split(".")[0] in ("recall", "fuse", "stay"):
            torch.nn.init.normal_(parameter, std=0.05)
    return network


@pytest.mark.parametrize("network", [*enlargers(), RecurrentStyleSPAN(**SMALL)], ids=lambda each: type(each).__name__)
def test_it_keeps_to_the_contract_of_generators(network: Any) -> None:
    check_generator(awake(network), inputs=network.example_inputs())


@pytest.mark.parametrize("network", enlargers(), ids=lambda each: type(each).__name__)
def test_untrained_it_is_its_trunk_frame_by_frame(network: Any) -> None:
    clip = moving_clips(1, 4)
    with torch.no_grad():
        made = over_clip(network, clip, whole=True)
        assert torch.allclose(made[:, 2], network.trunk(clip[:, 2]), atol=1e-5)


@pytest.mark.parametrize(
    ("network", "seen"),
    [
        (TemporalSPAN(width=8, scale=2, frames=3), (2 * 3, 3, 3)),  # windows of frames 2 to 4 of two clips
        (TinyGenerator(scale=2), (2 * 5, 3)),
        (ForwardVSR(width=8, scale=2), (2, 6, 3)),  # the frames of the warmup fill its memory
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_network_is_given_no_frame_that_is_dropped(network: Any, seen: tuple[int, ...]) -> None:
    clips, given = moving_clips(2, 6), []
    awake(network).register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].shape[:-2]))
    with torch.no_grad():
        asked = over_clip(network, clips, warmup=1)
        every = over_clip(network, clips, whole=True)
    margin = (network.frames if isinstance(network, TemporalSPAN) else 1) // 2
    assert given[0] == seen and torch.allclose(asked, every[:, 1 + margin : 6 - margin], atol=1e-6)


def test_no_window_is_made_that_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[int]] = []

    def counted(clips: Any, frames: int, around: Any) -> Any:
        made.append([*around])
        return windows(clips, frames, around)

    monkeypatch.setattr("toolbox_plugins.video_super_resolution.algorithm.windows", counted)
    network, clips = TemporalSPAN(width=8, scale=2, frames=5), moving_clips(2, 7)
    with torch.no_grad():
        for warmup, whole in ((0, False), (2, False), (0, True)):
            over_clip(network, clips, warmup=warmup, whole=whole)
    assert made == [[2, 3, 4], [4], [0, 1, 2, 3, 4, 5, 6]]
    assert torch.equal(windows(clips, 5, [2, 3, 4]), windows(clips, 5)[:, 2:5])


def test_a_memory_sees_what_came_before_and_nothing_that_comes_after() -> None:
    network, clip = ForwardVSR(width=8, scale=2), moving_clips(1, 4)
    torch.nn.init.normal_(network.recall.weight, std=0.1)
    changed = clip.clone()
    changed[:, 1, :, 4:8, 4:8] += 0.02  # little enough to agree still
    with torch.no_grad():
        moved = (network(clip) - network(changed)).abs().amax((0, 2, 3, 4))
    assert moved[0] == 0 and (moved[1:] > 0).all()


def test_steps_with_a_memory_give_the_clip() -> None:
    network, clip = RecurrentStyleSPAN(**SMALL), moving_clips(1, 3)
    style, memory, made = torch.tensor([[0.0, 1.0]]), None, []
    with torch.no_grad():
        for frame in clip.unbind(1):
            picture, memory = network.step(frame, memory, 0.5, style)
            made.append(picture)
        assert torch.equal(torch.stack(made, 1), network(clip, 0.5, style))


def test_a_painter_of_films_begins_as_the_painter_of_pictures_and_keeps_what_still_fits() -> None:
    painter, network, clip = StyleSPAN(**SMALL), RecurrentStyleSPAN(**SMALL), moving_clips(1, 3)
    network.load_state_dict(network.fitted(painter.state_dict()))
    with torch.no_grad():
        films, pictures = network(clip), painter(clip.flatten(0, 1)).unflatten(0, (1, 3))
        still = network(clip[:, :1].expand(-1, 4, -1, -1, -1))
        assert torch.allclose(films[:, 0], pictures[:, 0], atol=1e-5)
        assert not torch.allclose(films[:, 1], pictures[:, 1], atol=1e-5)  # a part of the old picture stays
        assert (still[:, 3] - still[:, 0]).abs().mean() < 0.01
        enlarged = network.enlarge(clip.flatten(0, 1)).unflatten(0, (1, 3))
        assert torch.allclose(network(clip, 0.0), enlarged, atol=1e-5)


@pytest.mark.parametrize("network", enlargers(), ids=lambda each: type(each).__name__)
def test_clips_train_networks_of_every_kind(network: Any) -> None:
    inputs = [{"hr": moving_clips(2, 5, 32)}]
    algorithm = assemble(VideoSuperResolution, LeastSquares, networks={"generator": awake(network)})
    check_training(algorithm, inputs=inputs)


def test_of_a_window_the_frames_without_neighbours_are_made_in_use_and_left_out_in_training() -> None:
    network, clip = TemporalSPAN(width=8, scale=2, frames=3), moving_clips(1, 5)
    with torch.no_grad():
        assert over_clip(network, clip).shape[1] == 3 and over_clip(network, clip, whole=True).shape[1] == 5
        assert torch.equal(over_clip(network, clip), over_clip(network, clip, whole=True)[:, 1:4])


def test_clips_that_are_too_short_are_refused_with_what_they_need() -> None:
    network = TemporalSPAN(width=8, scale=2, frames=5)
    algorithm = assemble(VideoSuperResolution, LeastSquares, losses=False)
    algorithm.generator, algorithm.warmup = network, 1  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(UserError, match="clips have 4 frames, and TemporalSPAN and warmup need 6 or more"):
        algorithm.translate({"lr": torch.rand(1, 4, 3, 16, 16), "hr": torch.rand(1, 4, 3, 32, 32)})


def test_a_film_goes_frame_by_frame_with_the_state_of_the_frame_before() -> None:
    algorithm: Any = assemble(
        PaintedVideo, LeastSquares, networks={"generator": RecurrentStyleSPAN(**SMALL)}, losses=False
    ).eval()
    clip = moving_clips(1, 3)
    state, made = algorithm.conditioned("fake_b", {"style": "second"}), []
    whole = algorithm.predict_in(dict(state), {"lr_a": clip}, "fake_b")
    for frame in clip.unbind(1):
        made.append(algorithm.predict_in(state, {"lr_a": frame}, "fake_b"))
        state = algorithm.next_state("fake_b", {"lr_a": frame}, made[-1], state)
    assert torch.allclose(torch.stack(made, 1), whole, atol=1e-6)


@pytest.mark.parametrize("kind", [PaintedVideo, VideoSuperResolution], ids=lambda kind: kind.__name__)
def test_a_trained_output_steps_over_a_film_as_over_a_clip(kind: Any) -> None:
    network = RecurrentStyleSPAN(**SMALL) if kind is PaintedVideo else ForwardVSR(width=8, scale=2)
    algorithm = assemble(kind, LeastSquares, networks={"generator": awake(network)}, losses=False).eval()
    output, clip = TrainedOutput(algorithm), moving_clips(1, 3)[0]
    memory, made = None, []
    for frame in clip.split(1):
        picture, memory = output.step(frame, memory)
        made.append(picture)
    assert torch.allclose(torch.cat(made), output(clip), atol=1e-5)


def test_films_are_painted_frame_by_frame_by_a_painter_of_pictures() -> None:
    check_training(assemble(PaintedVideo, LeastSquares, generator=lambda scale: TinyGenerator(scale=2)))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UserError, match="frames must be odd, 3 or more, got 4"):
        TemporalSPAN(frames=4)
    with pytest.raises(UserError, match="reach must be 1 or more levels, got 0"):
        ForwardVSR(reach=0)
    with pytest.raises(UserError, match="warmup must be 0 or more frames, got -1"):
        assemble(VideoSuperResolution, LeastSquares, warmup=-1)


def test_only_the_memory_of_a_painter_may_be_missing_in_a_file() -> None:
    small, large = (RecurrentStyleSPAN(styles=["a"], width=8, blocks=n, upscaler_width=8) for n in (1, 2))
    pictures = StyleSPAN(styles=["a"], width=8, blocks=1, upscaler_width=8).state_dict()
    small.load_state_dict(small.fitted(pictures))
    with pytest.raises(RuntimeError, match=r"Missing key.*blocks\.1"):
        large.load_state_dict(large.fitted(pictures))
