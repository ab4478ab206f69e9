"""Folders and archives of pictures, arrays of them, and tables that refer to them, as data sets."""

from __future__ import annotations

import gzip
import io
import os
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from automl import picture_arrays as arrays
from automl.data.collections import find_collection
from automl.data.load import find_test, load_dataset, read_table
from automl.errors import DataError, UsageError
from automl.pictures import probe_cell
from automl.recipe import Recipe
from automl.schema import Role


def picture(value: int, side: int = 12) -> bytes:
    buffer = io.BytesIO()
    value %= 256
    pixels = np.full((side, side, 3), value, dtype=np.uint8)
    pixels[0, 0] = (value, 0, 255 - value)
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def fill(root: Path, classes: dict[str, int], start: int = 0) -> Path:
    for offset, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True)
        for at in range(count):
            (root / name / f"{at:02d}.png").write_bytes(picture(start + 100 * offset + at))
    return root


def pack(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def texts(dataset: object) -> str:
    return " / ".join(f"{notice.text} ({notice.reason})" for notice in dataset.notices)  # type: ignore[attr-defined]


def test_a_folder_with_one_folder_a_class_is_a_data_set(tmp_path: Path) -> None:
    dataset = load_dataset(fill(tmp_path / "pets", {"cat": 12, "dog": 8}), target=None, recipe=Recipe())
    assert dataset.task.classes == ("cat", "dog")
    assert np.bincount(dataset.target).tolist() == [12, 8]
    column = dataset.schema["path"]
    assert column.role is Role.IMAGE
    assert column.picture is not None
    assert column.picture.shape == (12, 12, 3)
    assert dataset.pixels["path"].shape == (20, 12, 12, 3)
    assert dataset.pixels["path"].dtype == np.uint8
    assert dataset.pixels["path"][3, 5, 5].tolist() == [3, 3, 3]


def test_folders_named_by_numbers_are_classes(tmp_path: Path) -> None:
    folder = fill(tmp_path / "ages", {str(at): 5 for at in range(1990, 2015)})
    dataset = load_dataset(folder, target=None, recipe=Recipe())
    assert dataset.task.n_classes == 25
    assert dataset.task.classes[0] == "1990"


def test_a_zip_of_the_folder_is_the_same_data_set(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", {"cat": 12, "dog": 8})
    plain = load_dataset(folder, target=None, recipe=Recipe())
    packed = load_dataset(pack(folder, tmp_path / "pets.zip"), target=None, recipe=Recipe())
    assert (packed.target == plain.target).all()
    assert (packed.pixels["path"] == plain.pixels["path"]).all()
    assert read_table(tmp_path / "pets.zip").names[:2] == ("cat/00.png", "cat/01.png")


def test_train_is_learned_from_and_test_is_kept(tmp_path: Path) -> None:
    fill(tmp_path / "pets" / "train", {"cat": 12, "dog": 8})
    fill(tmp_path / "pets" / "test", {"cat": 3, "dog": 2}, start=50)
    for place in (tmp_path / "pets", pack(tmp_path / "pets", tmp_path / "pets.zip")):
        assert load_dataset(place, target=None, recipe=Recipe()).n_rows == 20
        assert len(read_table(place, part="test").frame) == 5
        every = read_table(place)
        assert every.frame["label"].value_counts().to_dict() == {"cat": 15, "dog": 10}
        assert not every.notices
        kept = find_test(place)
        assert kept is not None
        assert read_table(kept, part="test").frame["label"].tolist() == ["cat"] * 3 + ["dog"] * 2


def test_two_classes_named_like_parts_are_classes_when_they_hold_no_folders(tmp_path: Path) -> None:
    folder = fill(tmp_path / "signs", {"test": 10, "stop": 10})
    assert load_dataset(folder, target=None, recipe=Recipe()).task.classes == ("stop", "test")


def test_pictures_without_folders_can_be_predicted_and_not_learned_from(tmp_path: Path) -> None:
    for at in range(12):
        (tmp_path / f"{at}.png").write_bytes(picture(at))
    table = read_table(tmp_path)
    assert table.names == tuple(sorted(f"{at}.png" for at in range(12)))
    assert list(table.frame) == ["path"]
    with pytest.raises(DataError, match="lie in no class folders"):
        load_dataset(tmp_path, target=None, recipe=Recipe())


def test_litter_strays_and_empty_folders_are_never_classes(tmp_path: Path) -> None:
    root = fill(tmp_path / "pets", {"cat": 12, "dog": 8})
    (root / ".DS_Store").write_bytes(b"x")
    (root / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "cat" / "._00.png").write_bytes(b"x")
    (root / ".ipynb_checkpoints").mkdir()
    (root / ".ipynb_checkpoints" / "0.png").write_bytes(picture(1))
    (root / "bird").mkdir()
    (root / "loose.png").write_bytes(picture(1))
    (root / "cat" / "notes.txt").write_text("mine")
    dataset = load_dataset(root, target=None, recipe=Recipe())
    assert dataset.task.classes == ("cat", "dog")
    assert dataset.n_rows == 20
    said = texts(dataset)
    for part in ("1 file(s) are no pictures and are left out: cat/notes.txt", "loose.png", "empty folders", "bird"):
        assert part in said


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    root = fill(tmp_path / "pets", {"cat": 12, "dog": 8})
    os.symlink(root, root / "cat" / "again")
    assert load_dataset(root, target=None, recipe=Recipe()).n_rows == 20


def test_few_broken_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    root = fill(tmp_path / "pets", {"cat": 12, "dog": 12})
    (root / "cat" / "03.png").write_bytes(b"")
    (root / "dog" / "05.png").write_bytes(picture(7)[:60])
    dataset = load_dataset(root, target=None, recipe=Recipe())
    assert dataset.n_rows == 22
    assert np.bincount(dataset.target).tolist() == [11, 11]
    assert "2 picture(s) are left out: cat/03.png (empty, 0 bytes), dog/05.png (cut off or damaged)" in texts(dataset)
    assert 3 not in dataset.row_ids.tolist()
    assert dataset.pixels["path"][3, 5, 5].tolist() == [4, 4, 4]


def test_many_broken_pictures_are_refused(tmp_path: Path) -> None:
    root = fill(tmp_path / "pets", {"cat": 12, "dog": 12})
    for at in range(4):
        (root / "cat" / f"{at:02d}.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"4 of 24 pictures in 'path' cannot be read \(17%\): cat/00.png"):
        load_dataset(root, target=None, recipe=Recipe())


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "C:evil.png"])
def test_a_zip_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr(name, picture(1))
        archive.writestr("cat/1.png", picture(1))
    with pytest.raises(DataError, match="leads out of the archive"):
        read_table(tmp_path / "p.zip")


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("cat/1.png")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match="is a link or a device"):
        read_table(tmp_path / "p.zip")


def test_a_table_may_refer_to_pictures_beside_it(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    rows = []
    for at in range(24):
        (tmp_path / "img" / f"{at}.png").write_bytes(picture(at * 10))
        rows.append((f"img/{at}.png", at % 5, at * 1.5))
    pd.DataFrame(rows, columns=["photo", "rooms", "price"]).to_csv(tmp_path / "houses.csv", index=False)
    dataset = load_dataset(tmp_path / "houses.csv", target="price", recipe=Recipe(task="regression"))
    assert not dataset.task.is_classification
    assert dataset.schema["photo"].role is Role.IMAGE
    assert dataset.schema["rooms"].role is Role.NUMBER
    assert dataset.pixels["photo"][2, 5, 5].tolist() == [20, 20, 20]


def test_a_row_without_its_picture_stays_where_other_columns_tell_something(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    for at in range(23):
        (tmp_path / "img" / f"{at}.png").write_bytes(picture(at * 10))
    frame = pd.DataFrame({"photo": [f"img/{at}.png" for at in range(24)], "x": range(24), "y": ["a", "b"] * 12})
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    dataset = load_dataset(tmp_path / "t.jsonl", target="y", recipe=Recipe())
    assert dataset.n_rows == 24
    assert not dataset.pixels["photo"][23].any()
    assert "1 picture(s) count as missing: img/23.png (no such file)" in texts(dataset)


def test_arrays_with_their_labels_are_a_data_set(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 10, 9), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x_train=x[:30], y_train=np.arange(30) % 3, x_test=x[30:], y_test=np.arange(10) % 3)
    dataset = load_dataset(tmp_path / "d.npz", target=None, recipe=Recipe())
    assert dataset.task.classes == ("0", "1", "2")
    assert (dataset.pixels["path"][..., 0] == x[:30]).all()
    kept = find_test(tmp_path / "d.npz")
    assert kept is not None
    assert len(read_table(kept, part="test").frame) == 10


def test_the_files_that_mnist_came_in_are_read(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    images = struct.pack(">BBBBIII", 0, 0, 8, 3, 30, 28, 28) + x.tobytes()
    labels = struct.pack(">BBBBI", 0, 0, 8, 1, 30) + bytes(at % 3 for at in range(30))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    dataset = load_dataset(tmp_path / "train-images-idx3-ubyte.gz", target=None, recipe=Recipe())
    assert dataset.target.tolist() == [at % 3 for at in range(30)]
    assert (dataset.pixels["path"][..., 0] == x).all()


def test_an_array_file_with_objects_or_cut_off_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="not a sound file of arrays"):
        read_table(tmp_path / "o.npz")
    (tmp_path / "c-images-idx3-ubyte").write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, 30, 28, 28) + b"123")
    with pytest.raises(DataError, match="not a sound file of arrays"):
        read_table(tmp_path / "c-images-idx3-ubyte")


def test_large_pictures_of_many_shapes_are_brought_to_one_size(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for at in range(10):
            Image.new("L", (400 + at, 200)).save(tmp_path / name / f"{at}.png")
    dataset = load_dataset(tmp_path, target=None, recipe=Recipe())
    assert dataset.pixels["path"].shape == (20, 47, 96, 1)
    assert "pictures of 'path' are stretched to 96×47 (they are 400 to 409 wide and 200 to 200 high)" in texts(dataset)


def test_equal_pictures_are_equal_rows(tmp_path: Path) -> None:
    root = fill(tmp_path / "pets", {"cat": 12, "dog": 8})
    (root / "dog" / "again.png").write_bytes(picture(3))
    dataset = load_dataset(root, target=None, recipe=Recipe())
    assert dataset.contents["path"].duplicated().sum() == 1


def test_a_table_without_a_target_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 12)
    with pytest.raises(UsageError, match="Which column is to be learned"):
        load_dataset(tmp_path / "t.csv", target=None, recipe=Recipe())


def test_without_time_a_hundred_pictures_are_read_and_the_other_rows_left_out(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", {"cat": 90, "dog": 60})
    dataset = load_dataset(folder, target=None, recipe=Recipe(), deadline=0.0)
    assert dataset.n_rows == len(dataset.pixels["path"]) == len(dataset.frame) == 100
    assert min(np.bincount(dataset.target)) > 20  # drawn at random
    assert "learned from 100 of 150 rows, drawn at random (the time was too short to read all pictures)" in texts(
        dataset
    )
    whole = load_dataset(folder, target=None, recipe=Recipe())
    np.testing.assert_array_equal(dataset.pixels["path"], whole.pixels["path"][dataset.row_ids])


def test_a_test_part_without_classes_is_not_scored_and_said_so(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    fill(root / "train", {"cat": 12, "dog": 12})
    (root / "test").mkdir()
    for at in range(5):
        (root / "test" / f"{at}.png").write_bytes(picture(at))
    assert find_test(root) is None
    assert "test/ is not scored (it has no class folders" in texts(load_dataset(root, target=None, recipe=Recipe()))


def test_a_third_part_is_said_to_be_unused(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for part in ("train", "val", "test"):
        fill(root / part, {"cat": 12, "dog": 12})
    dataset = load_dataset(root, target=None, recipe=Recipe())
    assert len(dataset.target) == 24
    assert "val/ is not used (test/ is scored)" in texts(dataset)


@pytest.mark.parametrize("name", ["NA", "null", "nan"])
def test_a_class_may_be_called_as_if_it_were_missing(tmp_path: Path, name: str) -> None:
    dataset = load_dataset(fill(tmp_path / "pets", {"cat": 12, name: 12}), target=None, recipe=Recipe())
    assert set(dataset.task.classes) == {"cat", name}
    assert len(dataset.target) == 24


def test_a_damaged_member_of_a_zip_is_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for at in range(24):
            archive.writestr(f"pets/{'cat' if at < 12 else 'dog'}/{at:02d}.png", picture(at) + bytes(5000))
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("pets/cat/03.png")
    data = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(entry.filename)
    data[start] ^= 0xFF  # the kind of the first block of what was packed
    path.write_bytes(data)
    dataset = load_dataset(path, target=None, recipe=Recipe())
    assert len(dataset.target) == 23
    assert "03.png (cannot be read)" in texts(dataset)


def test_all_arrays_of_a_file_are_answered_and_one_of_a_test_alone_too(tmp_path: Path) -> None:
    pictures = np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8)
    np.savez(tmp_path / "both.npz", x_train=pictures[:4], y_train=[0, 1, 0, 1], x_test=pictures[4:], y_test=[0, 1])
    table = read_table(tmp_path / "both.npz")
    assert list(table.names) == [*(f"x_train/{row}" for row in range(4)), "x_test/0", "x_test/1"]
    assert table.frame["label"].tolist() == [0, 1, 0, 1, 0, 1]
    np.savez(tmp_path / "new.npz", x_test=pictures)
    assert list(read_table(tmp_path / "new.npz").frame.columns) == ["path"]
    with pytest.raises(DataError, match="no array of pictures"):
        read_table(tmp_path / "new.npz", part="train")


def test_arrays_of_a_test_without_labels_are_not_scored(tmp_path: Path) -> None:
    pictures = np.zeros((4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x_train=pictures, y_train=[0, 1, 0, 1], x_test=pictures)
    assert find_test(tmp_path / "a.npz") is None


def test_the_columns_of_a_frame_may_be_numbered(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", {"cat": 12, "dog": 12})
    files = sorted(str(path) for path in folder.rglob("*.png"))
    frame = pd.DataFrame({0: files, 1: [Path(file).parent.name for file in files]})
    dataset = load_dataset(frame, target="1", recipe=Recipe())
    assert dataset.schema["0"].role is Role.IMAGE and dataset.task.classes == ("cat", "dog")


def test_without_time_no_more_than_a_hundred_headers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fill(tmp_path / "pets", {"cat": 80, "dog": 80})
    asked = []
    monkeypatch.setattr("automl.pictures.probe_cell", lambda cell: asked.append(cell) or probe_cell(cell))
    dataset = load_dataset(root, target=None, recipe=Recipe(), deadline=time.monotonic() - 1.0)
    assert len(asked) == len(dataset.target) == 100
    assert "learned from 100 of 160 rows" in texts(dataset)


def fill_parts(root: Path, *parts: str) -> Path:
    for at, part in enumerate(parts):
        fill(root / part, {"cat": 12, "dog": 8}, start=10 * at)
    return root


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(3))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training_set", "test_set"),
        ("Training", "test-images"),
        ("TrainSet", "ValidationSet"),
        ("20news-bydate-train", "20news-bydate-test"),
        ("train", "holdout_test/holdout_test"),
    ],
)
def test_parts_may_have_longer_names_be_doubled_and_lie_beside_other_pictures(
    tmp_path: Path, train: str, test: str
) -> None:
    root = fill_parts(tmp_path / "scenes", train, test)
    put(root / "seg_pred" / "seg_pred" / "1.png")
    for place in (root, pack(root, tmp_path / "scenes.zip")):
        dataset = load_dataset(place, target=None, recipe=Recipe())
        assert dataset.task.classes == ("cat", "dog") and dataset.n_rows == 20
        assert f"{train}/ is learned from" in texts(dataset) and "seg_pred/ is not used" in texts(dataset)
        kept = find_test(place)
        assert kept is not None
        assert read_table(kept, part="test").frame["label"].value_counts().to_dict() == {"cat": 12, "dog": 8}
        every = read_table(place)
        assert set(every.frame["label"].dropna()) == {"cat", "dog"}
        assert every.frame["label"].isna().sum() == 1  # of the picture that is in no part


def test_a_copy_of_the_whole_beside_the_parts_is_not_used(tmp_path: Path) -> None:
    parts = ("train", "test", "val", "chest_xray/train", "chest_xray/test", "chest_xray/val")
    dataset = load_dataset(fill_parts(tmp_path / "xrays", *parts), target=None, recipe=Recipe())
    assert dataset.task.classes == ("cat", "dog") and dataset.n_rows == 20
    assert "chest_xray/ is not used" in texts(dataset) and "val/ is not used (test/ is scored)" in texts(dataset)


def test_folders_without_pictures_are_no_parts_and_no_classes(tmp_path: Path) -> None:
    root = fill_parts(tmp_path / "pets", "train", "test")
    (root / "annotations").mkdir()
    (root / "annotations" / "boxes.xml").write_text("<boxes/>")
    assert load_dataset(root, target=None, recipe=Recipe()).task.classes == ("cat", "dog")
    assert find_test(root) == root / "test"


def test_parts_of_loose_pictures_are_not_taken_for_classes(tmp_path: Path) -> None:
    for at in range(12):
        put(tmp_path / "train_images" / f"{at}.png"), put(tmp_path / "test_images" / f"{at}.png")
    with pytest.raises(DataError, match="lie in no class folders"):
        load_dataset(tmp_path, target=None, recipe=Recipe())


@pytest.mark.parametrize(
    "parts", [("train_a", "train_b", "test"), ("pool", "test"), ("test", "val"), ("train_a", "train_b")]
)
def test_parts_that_are_not_clear_are_asked_for(tmp_path: Path, parts: tuple[str, ...]) -> None:
    root = fill_parts(tmp_path / "pets", *parts)
    for asked in ("train", "test"):
        with pytest.raises(DataError, match=f"classes or parts of the data: {parts[0]}/, {parts[1]}/") as caught:
            read_table(root, part=asked)  # type: ignore[arg-type]
        assert str(root / parts[0]) in caught.value.hint and "--test" in caught.value.hint
    assert find_test(root) is None
    assert list(read_table(root).frame) == ["path"]  # what is only answered needs no classes


@pytest.mark.parametrize("names", [("train", "bus", "car"), ("valid", "invalid"), ("trained", "untrained")])
def test_classes_named_like_parts_beside_others_are_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = fill(tmp_path / "signs", dict.fromkeys(names, 8))
    put(root / "bus" / "red" / "1.png"), put(root / "bus" / "blue" / "1.png")
    assert set(names) <= set(load_dataset(root, target=None, recipe=Recipe()).task.classes)


def test_classes_that_hold_the_same_folders_are_told_of(tmp_path: Path) -> None:
    """Scans with their masks, one folder a class, and pictures in colour and in grey, are laid out alike."""
    root = fill_parts(tmp_path / "leaves", "color", "grey")
    dataset = load_dataset(root, target=None, recipe=Recipe())
    assert dataset.task.classes == ("color", "grey")
    assert f"color/, grey/ are the classes (each holds cat/, dog/: name {root / 'color'} if those are)" in texts(
        dataset
    )


def write_arrays(path: Path, **labels: object) -> Path:
    """An .npz file with as many pictures as there are labels; an array of labels is named `train_labels`."""
    arrays = {name: np.asarray(found) for name, found in labels.items()}
    shades = {name: np.arange(len(found), dtype=np.uint8)[:, None, None] for name, found in arrays.items()}
    pictures = {name.replace("labels", "images"): shade + np.zeros((8, 8), np.uint8) for name, shade in shades.items()}
    np.savez(path, **pictures, **arrays)
    return path


@pytest.mark.parametrize("kind", [np.float64, np.int64, bool])
def test_labels_of_one_column_a_class_are_its_numbers_and_that_is_said(tmp_path: Path, kind: type) -> None:
    classes = np.arange(30) % 5
    path = write_arrays(tmp_path / "d.npz", train_labels=np.eye(5, dtype=kind)[classes])
    dataset = load_dataset(path, target=None, recipe=Recipe())
    assert dataset.target.tolist() == classes.tolist() and dataset.task.n_classes == 5
    assert "train_labels has 5 columns with a single 1 a row: its place is the class, 0 to 4" in texts(dataset)


def test_labels_in_a_single_column_are_read_as_they_are(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "d.npz", train_labels=np.arange(30)[:, None] % 2)
    dataset = load_dataset(path, target=None, recipe=Recipe())
    assert dataset.target.tolist() == [0, 1] * 15
    assert "column" not in texts(dataset)


@pytest.mark.parametrize(
    "labels", [np.ones((30, 3), dtype=int), np.zeros((30, 2)), np.eye(30) * 0.5, np.full((30, 2), "a"), np.array(3)]
)
def test_labels_that_are_not_one_a_picture_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((30, 8, 8), np.uint8), y=labels)
    with pytest.raises(DataError, match=r"d\.npz has") as caught:
        read_table(tmp_path / "d.npz")
    assert "one label a picture" in caught.value.hint


def test_an_array_without_pictures_is_refused_as_too_few_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((0, 8, 8), np.uint8), y=np.zeros(0, int))
    with pytest.raises(DataError, match="no rows"):
        load_dataset(tmp_path / "d.npz", target=None, recipe=Recipe())


def test_a_damaged_array_file_is_refused_wherever_it_is_damaged(tmp_path: Path) -> None:
    whole = write_arrays(tmp_path / "d.npz", train_labels=np.arange(30) % 3).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.npz is not a sound file of arrays"):
        read_table(tmp_path / "cut.npz")
    refused = 0
    for place in range(4, len(whole), 7):
        (tmp_path / "bad.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_table(tmp_path / "bad.npz")
        except DataError:
            refused += 1
    assert refused > 100


def test_the_spare_arrays_of_a_file_are_told_of(tmp_path: Path) -> None:
    labels = np.arange(40)[:, None] % 3
    path = write_arrays(tmp_path / "m.npz", train_labels=labels, val_labels=labels[:9], test_labels=labels[:12])
    dataset = load_dataset(path, target=None, recipe=Recipe())
    assert dataset.n_rows == 40
    said = texts(dataset)
    assert "train_images is learned from (the file has train_images, val_images and test_images)" in said
    assert "val_images is not used (test_images is scored)" in said
    kept = find_test(path)
    assert kept is not None
    assert len(read_table(kept, part="test").frame) == len(read_table(path, part="test").frame) == 12


@pytest.mark.parametrize("word", ["val", "valid", "validation"])
def test_arrays_for_validation_are_scored_where_there_are_none_for_a_test(tmp_path: Path, word: str) -> None:
    labels = np.arange(40) % 3
    path = write_arrays(tmp_path / "m.npz", **{f"{word}_labels": labels[:9], "train_labels": labels})
    assert f"the file has train_images and {word}_images" in texts(load_dataset(path, target=None, recipe=Recipe()))
    kept = find_test(path)
    assert kept is not None
    table = read_table(kept, part="test")
    assert len(table.frame) == 9
    assert f"{word}_images is scored" in table.notices[0].text


def refusal(tmp_path: Path, cells: list[str]) -> tuple[str, str]:
    frame = pd.DataFrame({"photo": cells, "rooms": np.arange(24) % 5, "sold": ["no", "yes"] * 12})
    frame.to_csv(tmp_path / "houses.csv", index=False)
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path / "houses.csv", target="sold", recipe=Recipe())
    for said in ({"drop": ("photo",)}, {"roles": {"photo": "category"}}):  # what the hint names is a way out
        dataset = load_dataset(tmp_path / "houses.csv", target="sold", recipe=Recipe.model_validate({"data": said}))
        assert dataset.n_rows == 24
    return caught.value.message, caught.value.hint


def test_pictures_at_addresses_are_refused_since_no_network_is_used(tmp_path: Path) -> None:
    message, hint = refusal(tmp_path, [f"https://shop.example/{at}.jpg" for at in range(24)])
    assert message == (
        "24 of 24 pictures in 'photo' are addresses, such as https://shop.example/0.jpg, and the network is never used"
    )
    assert hint == (
        "Download them and write their paths, or do without the pictures: --drop photo or --role photo=category"
    )


def test_pictures_that_lie_elsewhere_are_refused_with_the_folder_that_was_searched(tmp_path: Path) -> None:
    message, hint = refusal(tmp_path, [f"{at}.png" for at in range(24)])
    assert "24 of 24 pictures in 'photo' cannot be read (100%)" in message and "0.png (no such file)" in message
    assert hint == (
        f"They were looked for in {tmp_path}: paths begin at the table's own folder. "
        "To do without the pictures: --drop photo or --role photo=category"
    )


def test_pictures_that_are_there_and_damaged_are_to_be_mended(tmp_path: Path) -> None:
    for at in range(24):
        (tmp_path / f"{at}.png").write_bytes(b"no")
    assert refusal(tmp_path, [f"{at}.png" for at in range(24)])[1] == "Mend or remove them; up to a tenth may be broken"


def test_arrays_that_are_colour_are_learned_in_colour(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "c.npz", x=rng.random((30, 8, 8, 3)).astype(np.float32), y=np.arange(30) % 2)
    column = load_dataset(tmp_path / "c.npz", target=None, recipe=Recipe()).schema["path"]
    assert column.picture is not None and column.picture.shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["png", "txt"])
def test_a_name_that_is_not_utf8_is_told(tmp_path: Path, kind: str) -> None:
    folder = fill(tmp_path / "pets", {"cat": 6, "dog": 6}) if kind == "png" else tmp_path / "pets"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for at in range(6 if kind == "txt" else 0):
            (folder / label / f"{at}.txt").write_text(f"{label} {at}", encoding="utf-8")
    content = picture(1) if kind == "png" else b"a text"
    Path(os.fsdecode(os.fsencode(folder / "cat") + f"/caf\xe9.{kind}".encode("latin-1"))).write_bytes(content)
    with pytest.raises(DataError, match="is not UTF-8"):
        load_dataset(folder, target=None, recipe=Recipe())


def test_a_workbook_with_many_pictures_is_no_collection_of_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "products.xlsx", "w") as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml"):
            archive.writestr(name, "<x/>")
        for at in range(20):
            archive.writestr(f"xl/media/image{at}.png", picture(at))
    assert find_collection(tmp_path / "products.xlsx") is None


def test_an_array_file_is_not_unpacked_beyond_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_BYTES", 10_000)
    head = struct.pack(">BBBBIII", 0, 0, 8, 3, 30, 28, 28)
    (tmp_path / "a-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(30 * 28 * 28)))
    np.savez(tmp_path / "b.npz", x=np.zeros((30, 28, 28), np.uint8), y=np.arange(30) % 2)
    for name in ("a-images-idx3-ubyte.gz", "b.npz"):
        with pytest.raises(DataError, match=r"unpacks to .* MB, more than"):
            read_table(tmp_path / name)
