"""Formats of tables: one file a format."""

from __future__ import annotations

from automl.data.table import Reader
from automl.registry import Registry

registry: Registry[Reader] = Registry("automl.data.readers", noun="format")
