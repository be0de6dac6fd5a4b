"""Applying a trained network to pictures: `load("x4.pth")(array)`, or many files with `translate`."""

from toolbox.assembly.loading import load_algorithm, usable_device
from toolbox.inference.blending import blend_of as blend_of
from toolbox.inference.chosen import chosen_of
from toolbox.inference.files import Job, jobs, translate
from toolbox.inference.loading import load
from toolbox.inference.options import Options
from toolbox.inference.predictor import Predictor

__all__ = ["Job", "Options", "Predictor", "jobs", "load", "load_algorithm", "chosen_of", "translate", "usable_device"]
