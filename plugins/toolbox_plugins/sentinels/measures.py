"""What the sentinels measure: pure functions of batches of images (B, C, H, W) in [0, 1]; each gives one scalar."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from toolbox import UserError, resize_to

REC601 = (0.299, 0.587, 0.114)
TILE = 32
"""Side of the windows in which spectra are taken, in pixels."""
GRID = (0, TILE // 4, TILE // 2, 3 * TILE // 4)
"""Frequencies of what repeats every 4 or every 2 pixels, in cycles per tile; 0 is no change along an axis."""
LEVEL = 1 / 255
UNSEEN = 3 * LEVEL
"""Noise that hides a grid of about one level from the eye: its power counts everywhere in a spectrum."""
THUMBNAIL = 32


def light(images: Tensor) -> Tensor:
    """Rec. 601 luminance of RGB images, the mean over the channels of others: (B, H, W), float64."""
    images = images.double()
    if images.shape[1] != 3:
        return images.mean(1)
    return torch.einsum("c,bchw->bhw", images.new_tensor(REC601), images)


def as_large(images: Tensor, others: Tensor) -> Tensor:
    """Images resized to others' height and width, where they differ."""
    height, width = others.shape[-2:]
    return resize_to(images, (height, width))


def luminance_correlation(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Pearson correlation of an output's luminance with its input's, the mean over a batch: 1 kept, -1 inverted.

    Inputs of another size are resized to the outputs'. An image of one luminance throughout counts as 0.
    """
    lights = [light(images).flatten(1) for images in (outputs, as_large(inputs, outputs))]  # (B, H*W)
    lights = [each - each.mean(1, keepdim=True) for each in lights]
    norms = lights[0].norm(dim=1) * lights[1].norm(dim=1)
    products = (lights[0] * lights[1]).sum(1)
    return torch.where(norms > 1e-9, products / norms.clamp_min(1e-9), 0.0).mean()  # rounding leaves about 1e-13


def pairwise_distance(images: Tensor) -> Tensor:
    """Mean root-mean-square difference over all pairs of a set's images (N, ...)."""
    flat = images.flatten(1).double()
    return torch.pdist(flat).mean() / flat.shape[1] ** 0.5


def thumbnails(images: Tensor) -> Tensor:
    """Images of any size as (B, C, 32, 32), averaged: what makes two pictures different, not their grain."""
    return adaptive_avg_pool2d(images, THUMBNAIL)


def diversity_ratio(outputs: Tensor, inputs: Tensor) -> Tensor:
    """How different outputs (N, ...) are from each other, over how different their inputs are: 0 all outputs alike.

    1 where there are no two images, or the inputs are all alike: nothing can then be said.
    """
    among_inputs = pairwise_distance(inputs) if len(inputs) > 1 else inputs.new_zeros(())
    if among_inputs < LEVEL / 10:
        return among_inputs.new_ones(())
    return pairwise_distance(outputs) / among_inputs


def grid_peaks(image: Tensor) -> Tensor:
    """How far an image's spectrum (C, H, W) stands out at periods 2 and 4: 15 ratios, about 1 each without a grid.

    Power at each frequency of the grid (0, 1/4, 1/2, 3/4 of the sampling rate along each axis, but not 0 along both)
    over that of its neighbourhood, the mean over half overlapping tiles. Strokes and weave are spread over the
    neighbourhood; a transposed convolution repeats its pattern exactly (Odena et al. 2016, "Deconvolution and
    Checkerboard Artifacts"). The power of noise of three levels of 255 is added to both, so that nothing counts that
    nobody sees.
    """
    if min(image.shape[-2:]) < TILE:
        raise UserError(f"a checkerboard is looked for in images of at least {TILE} pixels, got {tuple(image.shape)}")
    tiles = image.float().unfold(1, TILE, TILE // 2).unfold(2, TILE, TILE // 2).flatten(1, 2)  # (C, N, 32, 32)
    window = torch.hann_window(TILE, periodic=True, device=image.device)
    window = window[:, None] * window
    waves = torch.fft.fft2((tiles - tiles.mean((-2, -1), keepdim=True)) * window)
    floor = len(image) * UNSEEN**2 * window.square().sum()
    power = waves.abs().square().sum(0) + floor  # (N, 32, 32)
    around = torch.arange(-3, 4, device=image.device)  # a Hann window spreads a peak over 3 bins
    places = (torch.tensor(GRID, device=image.device)[:, None] + around) % TILE  # (4, 7)
    near = power[:, places[:, None, :, None], places[None, :, None, :]]  # (N, 4, 4, 7, 7)
    inner = torch.zeros(7, 7, dtype=torch.bool, device=image.device)
    inner[2:5, 2:5] = True
    ratios = near[..., inner].mean(-1) / near[..., ~inner].mean(-1)
    return ratios.mean(0).flatten()[1:]  # (15,): without (0, 0)


def checkerboard_ratio(outputs: Tensor, inputs: Tensor) -> Tensor:
    """By how much outputs stand out at periods 2 and 4 more than their inputs do: about 1 without a checkerboard.

    The largest of `grid_peaks`' 15 ratios of ratios. A grid that the input has already (JPEG's blocks) does not count;
    inputs of another size are resized to the outputs', which gives them none.
    """
    inputs = as_large(inputs, outputs)
    found, given = (torch.stack([grid_peaks(image) for image in images]).mean(0) for images in (outputs, inputs))
    return (found / given).max()


def cycle_noise_ratio(clean: Tensor, noisy: Tensor, images: Tensor, sigma: float) -> Tensor:
    """The error of a cycle whose intermediate image got noise, over what the noise itself explains.

    `clean` and `noisy` are the reconstructions of `images` without and with noise of `sigma` on the intermediate
    image. Root-mean-square error of `noisy`, over sqrt(that of `clean`^2 + sigma^2): 1 where the way back passes noise
    on as it is, more where it reads fine print (Chu et al. 2017, "CycleGAN, a Master of Steganography"). A way back
    that doubles contrast honestly reaches 2.
    """
    images = as_large(images, clean)
    errors = [(made - images).square().mean() for made in (clean, noisy)]
    return (errors[1] / (errors[0] + sigma**2)).sqrt()
