"""The smallest net on pictures, trained by Keras: all pixels into one hidden layer, dropout, and out."""

from __future__ import annotations

from automl.candidates import Candidate
from automl.candidates._pictures import PictureFamily

REQUIRES = ("keras", "tensorflow")

plugin: Candidate = PictureFamily(
    "keras_dense", "Keras dense net", "dense", cost=10.0, width=(32, 128, 512), blocks=1, rate=1e-3
)
