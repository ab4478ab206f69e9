"""A small convolutional net on pictures, trained by Keras: convolution and pooling by turns."""

from __future__ import annotations

from automl.candidates import Candidate
from automl.candidates._pictures import PictureFamily

REQUIRES = ("keras", "tensorflow")

plugin: Candidate = PictureFamily("keras_cnn", "Keras CNN", "plain", cost=60.0, width=(8, 24, 64), blocks=1, rate=3e-3)
