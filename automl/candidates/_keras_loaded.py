"""Importing this imports Keras as the fits do; a pool of workers names it among what it has loaded before it forks."""

from __future__ import annotations

from automl.candidates._keras import import_keras

import_keras()
