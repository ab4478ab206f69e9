"""A depthwise separable net on pictures, trained by Keras: each channel by itself, then all channels at each place."""

from __future__ import annotations

from automl.candidates import Candidate
from automl.candidates._pictures import PictureFamily

REQUIRES = ("keras", "tensorflow")

plugin: Candidate = PictureFamily(
    "keras_separable", "Keras separable CNN", "separable", cost=50.0, width=(16, 32, 96), blocks=2, rate=3e-3
)
