"""A small residual net on pictures, trained by Keras: a way past each pair of convolutions."""

from __future__ import annotations

from automl.candidates import Candidate
from automl.candidates._pictures import PictureFamily

REQUIRES = ("keras", "tensorflow")

plugin: Candidate = PictureFamily(
    "keras_resnet", "Keras residual net", "residual", cost=120.0, width=(8, 16, 48), blocks=1, rate=3e-3
)
