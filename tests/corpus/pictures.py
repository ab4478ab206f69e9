"""Folders of pictures and texts, and tables that name pictures."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.corpus import Case, Maker

EACH = 12


def collect() -> Iterator[Case]:
    for name, (arrange, code, says) in PICTURES.items():
        yield Case("pictures", name, _folder(arrange), code, says)
    for name, (arrange, code, says) in TEXTS.items():
        yield Case("texts", name, _folder(arrange), code, says)
    for name, (names, code, says) in REFERRED.items():
        yield Case("pictures in tables", name, _table(names), code, says)


def png(value: int, size: tuple[int, int] = (12, 12), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    picture = Image.new("RGB", size, (value % 256, value * 7 % 256, value * 31 % 256)).convert(mode)
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=form, **options)
    return buffer.getvalue()


def claimed(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and that holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _pets(root: Path, ending: str = ".png", make: Callable[[int], bytes] = png, each: int = EACH) -> None:
    for offset, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for at in range(each):
            (root / name / f"{at:02d}{ending}").write_bytes(make(100 * offset + at))


def _folder(arrange: Callable[[Path], object]) -> Maker:
    def make(folder: Path) -> list[str]:
        root = folder / "set"
        root.mkdir()
        arrange(root)
        name = "set.zip" if (folder / "set.zip").exists() else "set"
        return ["plan", name, "--json"]

    return make


def _and(content: bytes | None, *names: str) -> Callable[[Path], None]:
    """Cats and dogs, and some files with this content (None: folders)."""

    def arrange(root: Path) -> None:
        _pets(root)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                (root / name).mkdir()
            else:
                (root / name).write_bytes(content)

    return arrange


def _looped(root: Path) -> None:
    _pets(root)
    (root / "cat" / "again").symlink_to(root, target_is_directory=True)


def _dangling(root: Path) -> None:
    _pets(root)
    (root / "cat" / "gone.png").symlink_to("nowhere.png")


def _pipe(root: Path) -> None:
    _pets(root)
    os.mkfifo(root / "cat" / "pipe.png")


def _outside(root: Path) -> None:
    _pets(root)
    (root / "cat" / "passwd.png").symlink_to("/etc/passwd")


def _one_class(root: Path) -> None:
    _pets(root)
    for path in (root / "dog").iterdir():
        path.unlink()


def _one_dog(root: Path) -> None:
    _pets(root)
    for path in sorted((root / "dog").iterdir())[1:]:
        path.unlink()


def _zip(*more: tuple[str, bytes, int]) -> Callable[[Path], None]:
    """A zip of cats and dogs, and members with a name, a content and a Unix mode."""

    def arrange(root: Path) -> None:
        with zipfile.ZipFile(root.parent / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for at in range(EACH):
                archive.writestr(f"cat/{at}.png", png(at))
                archive.writestr(f"dog/{at}.png", png(100 + at))
            for name, content, mode in more:
                entry = zipfile.ZipInfo("x")
                entry.filename = name
                entry.external_attr = mode << 16
                archive.writestr(entry, content)

    return arrange


def _hostile_names(root: Path) -> None:
    for offset, name in enumerate(("<img src=x onerror=alert(1)>", "\x1b[2J", "=cmd|' '!A1")):
        (root / name).mkdir()
        for at in range(EACH):
            (root / name / f"{at}.png").write_bytes(png(80 * offset + at))


FILE = 0o100644
GREY16 = Image.fromarray(np.arange(144, dtype=np.uint16).reshape(12, 12) * 455)
FLOAT = Image.fromarray(np.linspace(0, 1, 144, dtype=np.float32).reshape(12, 12))
MOVING = [Image.new("RGB", (12, 12), (i * 40, 0, 0)) for i in range(4)]

PICTURES: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "cats and dogs": (_pets, 0, ""),
    "one that is empty": (_and(b"", "cat/a.png"), 0, "empty, 0 bytes"),
    "one that is text": (_and(b"no picture", "cat/a.png"), 0, "left out"),
    "one that is cut off": (_and(png(1)[:-30], "cat/a.png"), 0, "left out"),
    "one that is SVG": (_and(b"<svg/>", "cat/a.png"), 0, "left out"),
    "one that is a web page": (_and(b"<html>", "cat/a.jpg"), 0, "left out"),
    "one that is a pickle": (_and(b"\x80\x04]\x94.", "cat/a.png"), 0, "left out"),
    "one that claims 60,000 by 60,000": (_and(claimed(60_000, 60_000), "cat/a.png"), 0, "left out"),
    "one that claims 100,000 by 1": (_and(claimed(100_000, 1), "cat/a.png"), 0, "left out"),
    "one of a single pixel": (_and(png(1, (1, 1)), "cat/a.png"), 0, "less than 8 pixels"),
    "one of 1 by 3,000": (_and(png(1, (1, 3000)), "cat/a.png"), 0, "less than 8 pixels"),
    "all broken": (lambda root: _pets(root, make=lambda i: b"no"), 3, "cannot be read"),
    "four in 24 broken": (_and(b"no", *(f"cat/x{i}.png" for i in range(5))), 3, "cannot be read"),
    "grey": (lambda root: _pets(root, make=lambda i: png(i, mode="L")), 0, "grey"),
    "black and white": (lambda root: _pets(root, make=lambda i: png(i, mode="1")), 0, ""),
    "with an alpha channel": (lambda root: _pets(root, make=lambda i: png(i, mode="RGBA")), 0, "transparent"),
    "with a palette": (lambda root: _pets(root, make=lambda i: png(i, mode="P")), 0, ""),
    "16-bit grey": (lambda root: _pets(root, make=lambda i: encoded(GREY16, "PNG")), 0, "more than 8 bits"),
    "floating point": (lambda root: _pets(root, ".tif", lambda i: encoded(FLOAT, "TIFF")), 0, "more than 8 bits"),
    "CMYK": (lambda root: _pets(root, ".jpg", lambda i: encoded(MOVING[1].convert("CMYK"), "JPEG")), 0, "CMYK"),
    "moving GIFs": (
        lambda root: _pets(root, ".gif", lambda i: encoded(MOVING[0], "GIF", save_all=True, append_images=MOVING[1:])),
        0,
        "first frame",
    ),
    "all equal": (lambda root: _pets(root, make=lambda i: png(0)), 0, ""),
    "a class without pictures": (_and(None, "bird"), 0, "bird"),
    "one class alone": (_one_class, 3, ""),
    "a class of one": (_one_dog, 3, "two rows or more"),
    "three pictures": (lambda root: _pets(root, each=1), 3, "at least 10"),
    "litter": (_and(b"x", ".DS_Store", "cat/Thumbs.db", "cat/._00.png", "desktop.ini"), 0, ""),
    "a folder of checkpoints": (_and(png(1), ".ipynb_checkpoints/1.png"), 0, ""),
    "pictures beside the folders": (_and(png(1), "loose.png"), 0, "loose.png"),
    "folders in folders": (_and(png(1), "cat/a/b/c/1.png"), 0, ""),
    "classes that differ in case": (_and(png(1), *(f"Cat/{i}.png" for i in range(5))), 0, ""),
    "a link in a circle": (_looped, 0, ""),
    "a link to nothing": (_dangling, 0, ""),
    "a link to a secret": (_outside, 0, "left out"),
    "a pipe": (_pipe, 0, ""),
    "classes with hostile names": (_hostile_names, 0, ""),
    "a zip": (_zip(), 0, ""),
    "a zip member above the folder": (_zip(("../../evil.png", png(1), FILE)), 3, "leads out of the archive"),
    "a zip member with an absolute path": (_zip(("/evil.png", png(1), FILE)), 3, "leads out of the archive"),
    "a zip member with a drive": (_zip(("C:/evil.png", png(1), FILE)), 3, "leads out of the archive"),
    "a zip member with backslashes": (_zip(("..\\evil.png", png(1), FILE)), 3, "leads out of the archive"),
    "a zip member that is a link": (_zip(("cat/l.png", b"/etc/passwd", 0o120777)), 3, "a link or a device"),
    "a zip member that is a device": (_zip(("cat/d.png", b"", 0o020666)), 3, "a link or a device"),
    "a zip member twice": (_zip(("cat/0.png", png(1), FILE)), 3, "twice"),
    "a zip member that is a bomb": (_zip(("cat/b.png", bytes(300 << 20), FILE)), 0, "left out"),
}


def _texts(root: Path, make: Callable[[int], bytes] = lambda i: f"text number {i} of {i * 7}".encode()) -> None:
    _pets(root, ".txt", make)


def _some_texts(content: bytes, count: int = 1) -> Callable[[Path], None]:
    def arrange(root: Path) -> None:
        _texts(root)
        for i in range(count):
            (root / "cat" / f"x{i}.txt").write_bytes(content)

    return arrange


TEXTS: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "plain": (_texts, 0, ""),
    "one that is empty": (_some_texts(b""), 0, ""),
    "one that is a picture": (_some_texts(png(1)), 0, "cannot be read as text"),
    "one of NUL bytes": (_some_texts(bytes(500)), 0, ""),
    "one of three megabytes": (_some_texts(b"word " * 600_000), 0, "read to 1 MiB"),
    "one in Latin-1": (_some_texts("Gr\xfc\xdfe aus K\xf6ln".encode("latin-1")), 0, ""),
    "one in UTF-16": (_some_texts("Gr\xfc\xdfe aus K\xf6ln".encode("utf-16")), 0, ""),
    "one with a broken character": (_some_texts("Grüße".encode()[:-2] + b" and more"), 0, ""),
    "all binary": (lambda root: _texts(root, lambda i: bytes([0, i, 255]) * 99), 3, "not text"),
    "all empty": (lambda root: _texts(root, lambda i: b""), 3, "empty"),
    "all equal": (lambda root: _texts(root, lambda i: b"the same"), 3, "the same"),
    "hostile": (lambda root: _texts(root, lambda i: b"<script>%d</script>\x1b[2J" % i), 0, ""),
}

# names of pictures in a column beside a number and a target
REFERRED: dict[str, tuple[Callable[[int], str], int, str]] = {
    "pictures beside the table": (lambda i: f"p/{i}.png", 0, ""),
    "pictures that are not there": (lambda i: f"q/{i}.png", 3, "cannot be read"),
    "pictures by address": (lambda i: f"https://127.0.0.1/{i}.png", 3, ""),
    "pictures outside the folder": (lambda i: "../../../../etc/passwd.png", 3, ""),
    "pictures by absolute path": (lambda i: "/etc/hostname.png", 3, ""),
    "data URIs that are broken": (lambda i: f"data:image/png;base64,AAA{i}", 3, ""),
}


def _table(name: Callable[[int], str]) -> Maker:
    def make(folder: Path) -> list[str]:
        (folder / "p").mkdir()
        for i in range(24):
            (folder / "p" / f"{i}.png").write_bytes(png(i * 10))
        rows = "".join(f'"{name(i)}",{i * 7 % 11},{"np"[i % 3 == 0]}\n' for i in range(24))
        (folder / "t.csv").write_text("photo,rooms,y\n" + rows)
        return ["plan", "t.csv", "--target", "y", "--json"]

    return make
