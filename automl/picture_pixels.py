"""From the bytes of a picture to pixels of a fixed size: what training, prediction and export share.

This file stands alone: it needs Python 3.9 or newer, numpy and Pillow, and travels beside an exported graph as
pictures.py. A size is anything with the attributes height, width, channels, low and high.
"""

from __future__ import annotations

import base64
import binascii
import io
import stat
from pathlib import Path
from typing import Any

import numpy as np

Array = Any  # a numpy array
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
URI = "data:image/"
MAX_PIXELS = 50_000_000  # told by the header, before anything is unpacked: 50 megapixels are 150 MB
MAX_FILE_BYTES = 256 << 20
# What each orientation of EXIF asks of Pillow: flips, and turns by so many quarters (`Image.Transpose`).
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


class PictureError(ValueError):
    """A cell that cannot be made a picture; the text says why, in a few words."""


def open_picture(data: Any) -> Any:
    """A Pillow image whose header is sound, of the bytes of a file or a file that is open; nothing is unpacked yet.

    Raises:
        PictureError: if it is none, is empty, or has more than 50 million pixels.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise PictureError("empty, 0 bytes")
    try:
        image = Image.open(io.BytesIO(data) if isinstance(data, bytes) else data, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise PictureError("no picture of a known format") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"more than {MAX_PIXELS // 1_000_000} million pixels") from error
    except Exception as error:  # the decoders of so many formats stumble over damaged files in many ways
        raise PictureError("damaged header") from error
    if image.width * image.height > MAX_PIXELS:
        raise PictureError(f"{image.width}x{image.height}, more than {MAX_PIXELS // 1_000_000} million pixels")
    if image.width < 1 or image.height < 1:
        raise PictureError("no pixels")
    return image


def orientation(image: Any) -> int:
    """How the picture is turned, by its header; of a PNG only by what stands before the pixels."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # what cannot be read says nothing
        return 1


def turn(image: Any) -> Any:
    """The image as a viewer shows it. Pillow's own `exif_transpose` writes the EXIF anew, and fails at some of it."""
    image.load()  # of a PNG, what stands behind the pixels counts now; a TIFF has been turned by this
    place = orientation(image)
    return image.transpose(TURNS[place]) if place in TURNS else image


def to_pixels(image: Any, picture: Any) -> Array:
    """Pixels (h, w, c) uint8: turned by EXIF, on white where it is transparent, stretched to the size of `picture`."""
    from PIL import Image

    size = (picture.width, picture.height)
    if image.mode in ("L", "RGB") and image.format == "JPEG":
        longer = max(size)
        image.draft(image.mode, (2 * longer, 2 * longer))  # decodes a large JPEG at a half, a quarter or an eighth
    image = turn(image)
    if image.mode in DEEP:
        return fit_array(np.asarray(image), picture)
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    image = image.convert("L" if picture.channels == 1 else "RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def fit_array(values: Array, picture: Any) -> Array:
    """uint8 pixels of raw values (h, w) or (h, w, c) of any type; the recorded range, or their own where pictures of
    8 bits were learned, becomes 0 to 255."""
    from PIL import Image

    if values.ndim == 2:
        values = values[:, :, None]
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * 255
    if values.dtype != np.uint8:
        is_whole, values = values.dtype.kind != "f", np.nan_to_num(values.astype(np.float32))
        low, high = picture.low, picture.high
        if (low, high) == (0, 255):
            high = find_white(values, is_whole)
        values = np.clip((values - low) * (255.0 / (high - low)), 0, 255)
    if values.shape[2] == 4:  # on white where it is transparent, as a file is
        share = values[:, :, 3:].astype(np.float32) / 255.0
        values = values[:, :, :3] * share + 255.0 * (1.0 - share)
    if values.shape[2] == 3 and picture.channels == 1:
        values = (values.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))[:, :, None]
    if values.shape[2] == 1 and picture.channels == 3:
        values = np.repeat(values, 3, axis=2)
    size = (picture.width, picture.height)
    if values.shape[:2] != size[::-1]:
        planes = [
            np.asarray(Image.fromarray(values[:, :, at].astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
            for at in range(values.shape[2])
        ]
        values = np.stack(planes, axis=2)
    pixels: Array = np.rint(values).astype(np.uint8)
    return pixels


def find_white(values: Array, is_whole: bool) -> float:
    """What white is in values that are not uint8: 65535 of 16 bits, 1 of shares; of others it is 255."""
    most = values.max(initial=0)
    if is_whole:
        return 65535.0 if most > 255 else 255.0
    return 1.0 if most <= 1 and values.min(initial=0) >= 0 else 255.0


def decode_picture(loaded: Any, picture: Any) -> Array:
    """Pixels (h, w, c) uint8 of the bytes of a file, or of an array (h, w) or (h, w, c) of any numbers.

    Raises:
        PictureError: as `open_picture`, and if the data ends early.
    """
    if isinstance(loaded, np.ndarray):
        return fit_array(loaded, picture)
    try:
        with open_picture(loaded) as image:
            return to_pixels(image, picture)
    except PictureError:
        raise
    except Exception as error:  # as in `open_picture`
        raise PictureError("cut off or damaged") from error


def read_uri(cell: str) -> bytes:
    """The bytes in a data URI.

    Raises:
        PictureError: if they are not base64.
    """
    try:
        return base64.b64decode(cell.partition(",")[2], validate=True)
    except binascii.Error as error:
        raise PictureError("not base64") from error


def read_file(path: Path) -> bytes:
    """The bytes of a file; never those of a pipe or a device, which may have no end.

    Raises:
        PictureError: if it is no regular file, or too large.
        OSError: if it is not there, or may not be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PictureError("no regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise PictureError(f"larger than {MAX_FILE_BYTES >> 20} MB")
    return path.read_bytes()


def read_picture(cell: Any, picture: Any, *, files: bool = True) -> Array:
    """Pixels of a cell: a data URI, the path of a file, or an array; a missing one, None or "", is black.

    Args:
        files: whether paths are read; not where rows come from elsewhere.

    Raises:
        PictureError: if it cannot be read.
    """
    if cell is None or (isinstance(cell, str) and not cell) or (isinstance(cell, float) and cell != cell):
        return np.zeros((picture.height, picture.width, picture.channels), dtype=np.uint8)
    if not isinstance(cell, str):
        return decode_picture(np.asarray(cell), picture)
    if cell.startswith(URI):
        return decode_picture(read_uri(cell), picture)
    if not files:
        raise PictureError("no data URI, and files are not read here")
    try:
        return decode_picture(read_file(Path(cell)), picture)
    except OSError as error:
        raise PictureError("no such file, or it may not be read") from error
