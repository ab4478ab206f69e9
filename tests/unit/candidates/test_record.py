"""The record beside a saved model: nothing but what was written is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from automl.candidates._record import read_arrays, read_record, write_arrays, write_record
from automl.errors import ArtifactError


def test_facts_come_back_when_the_files_are_unchanged(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"abc")
    write_record(tmp_path, "linear", {"n_outputs": 2})
    assert read_record(tmp_path, "linear", ("model.bin",)) == {"n_outputs": 2}


def test_each_fault_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"abc")
    write_record(tmp_path, "linear", {"n_outputs": 2})
    with pytest.raises(ArtifactError, match="'linear', not a 'xgboost'"):
        read_record(tmp_path, "xgboost", ("model.bin",))
    with pytest.raises(ArtifactError, match=r"should hold other\.bin"):
        read_record(tmp_path, "linear", ("other.bin",))
    (tmp_path / "model.bin").write_bytes(b"abd")
    with pytest.raises(ArtifactError, match="checksum"):
        read_record(tmp_path, "linear", ("model.bin",))
    record = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    (tmp_path / "record.json").write_text(json.dumps({**record, "version": 99}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="version 99"):
        read_record(tmp_path, "linear", ("model.bin",))
    (tmp_path / "record.json").unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_record(tmp_path, "linear", ("model.bin",))


def test_arrays_come_back_and_objects_are_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", {"x": np.arange(3), "y": np.ones((2, 2), dtype=np.float32)})
    arrays = read_arrays(tmp_path / "a.npz", ("x", "y"))
    assert arrays["x"].tolist() == [0, 1, 2] and arrays["y"].dtype == np.float32
    with pytest.raises(ArtifactError, match="other arrays"):
        read_arrays(tmp_path / "a.npz", ("x",))
    np.savez(tmp_path / "objects.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ArtifactError):
        read_arrays(tmp_path / "objects.npz", ("x",))
    np.save(tmp_path / "single.npy", np.arange(3))
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    with pytest.raises(ArtifactError):
        read_arrays(tmp_path / "single.npz", ("x",))
