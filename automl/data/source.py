"""The bytes behind a name: a plain or packed file or the standard input, within limits, and never a foreign thing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from automl.data.table import Source
from automl.errors import DataError
from automl.schema import Notice

MAX_RATIO = 200  # a table packs 3 to 30 times; only bombs and constant columns pack better
FREE_BYTES = 64 << 20  # so much may be unpacked at any ratio
CHUNK = 1 << 20

_PACKED = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
_EXTENSIONS = {".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd", ".zip"}
_TEXT_SUFFIXES = {".csv", ".tsv", ".txt", ".tab", ".dat", ".data", ".arff", ".jsonl", ".ndjson", ".json", ""}
_FOREIGN = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"SQLite format 3", "an SQLite database"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"RDX", "an R workspace"),
    (b"ORC\0", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
)
_CONVERT = "Export the table as CSV or Parquet, then try that file"
_SECRETS = re.compile(r"(?<=/)[^/@]*(?=@)|(?<=[?#]).*", re.DOTALL)
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+:/{1,2}(?!/)")


def open_source(path: Path) -> Source:
    """Read and unpack a file; "-" is the standard input.

    Compression is told by the first bytes, not by the name.

    Raises:
        DataError: if there is no such file, it is not a regular one, it may not be read, is cut off, unpacks to more
            than 200 times its size, or is something else than a table (a web page, a picture, a pickle, …).
    """
    data = _read_stdin() if str(path) == "-" else _read_file(path)
    name = "stdin" if str(path) == "-" else path.name
    if not data:
        raise DataError(f"{name} is empty (0 bytes)", hint="Check that the export or download was completed")
    kind = next((kind for magic, kind in _PACKED if data.startswith(magic)), "")
    notices: tuple[Notice, ...] = ()
    if data.startswith(b"PK\x03\x04") and not _is_workbook(data):
        data, name = _unzip(data, name)
        kind = "zip"
    elif kind:
        data = _unpack(data, kind, name)
        name = _without_packing(name)
    if kind:
        notices = (Notice(topic="file", text=f"unpacked a {kind} file", reason="told by its first bytes"),)
        if any(data.startswith(magic) for magic, _ in _PACKED):
            raise DataError(f"{name} is packed twice", hint="Unpack it once, then try again")
        if not data:
            raise DataError(f"{name} is empty once unpacked", hint="Check that the export was completed")
    source = Source(path=path, name=name, data=data, notices=notices)
    refuse_foreign(source)
    return source


def open_head(path: Path, size: int) -> Source | None:
    """The first bytes of a file that is not packed, in place of all of them; None if it is packed.

    Raises:
        DataError: as `open_source`, but for the file's size.
    """
    data = _read_file(path, size)
    if not data or data.startswith(b"PK\x03\x04") or any(data.startswith(magic) for magic, _ in _PACKED):
        return None
    source = Source(path=path, name=path.name, data=data)
    refuse_foreign(source)
    return source


def refuse_foreign(source: Source) -> None:
    """Tell what a file is, if its first bytes say that it is no table.

    Raises:
        DataError: naming what it is.
    """
    head, name = source.data[:4096], source.name
    what = next((what for magic, what in _FOREIGN if head.startswith(magic)), "")
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1:
        raise DataError(f"{name} is a pickle, and reading one would run the code in it", hint=_CONVERT)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        what = "a WebP picture"
    if head[257:262] == b"ustar":
        what = "a tar archive"
    if what:
        raise DataError(f"{name} is {what}, not a table", hint=_CONVERT)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().replace(b"\0", b"").lstrip(b"\xff\xfe")
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (
        text.startswith(b"<?xml") and b"<html" in text
    ):
        raise DataError(
            f"{name} is an HTML page, not a table",
            hint="The link probably answered with an error or a log-in page; open the file in a browser to see it",
        )
    if text.startswith((b"<?xml", b"<svg")):
        raise DataError(f"{name} is an XML document, not a table", hint=_CONVERT)
    if source.suffix in _TEXT_SUFFIXES - {""} and head.startswith(b"PK\x03\x04"):
        raise DataError(
            f"{name} is an Excel or OpenDocument workbook, although its name ends in {source.suffix}",
            hint="Rename it so that it ends in .xlsx or .ods",
        )


def _read_stdin() -> bytes:
    return sys.stdin.buffer.read()


def _read_file(path: Path, size: int | None = None) -> bytes:
    """All of it, or its first `size` bytes."""
    text = str(path)
    if _URL.match(text):
        shown = _SECRETS.sub("…", text)  # a password or token must not reach logs
        raise DataError(f"{shown!r} is an address, and automl never uses the network", hint="Download the file first")
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise DataError(
                f"{text!r} is a folder, and most of its files are of no kind that makes a data set together",
                hint="Name a folder with one folder a class, or one file: CSV, Parquet, Feather, JSON lines or Excel",
            )
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{text!r} is not a regular file", hint="To read from a pipe, give - as the file")
        if size is None:
            _refuse_too_large(status.st_size, text)
            return path.read_bytes()
        with path.open("rb") as file:
            return file.read(size)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {text!r}", hint=_near_file(path)) from error
    except PermissionError as error:
        raise DataError(f"No permission to read {text!r}", hint=f"chmod u+r {text}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"Cannot read {text!r}: {reason}", hint="Check the path") from error


def _near_file(path: Path) -> str:
    from automl.errors import did_you_mean

    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    except OSError:
        return f"There is no folder {str(path.parent)!r} either"
    return did_you_mean(path.name, names) or f"There is no file at all in {str(path.parent)!r}"


def _limit() -> int:
    import psutil

    return int(psutil.virtual_memory().available // 2)


def _refuse_too_large(size: int, name: str) -> None:
    if size > _limit():
        raise DataError(
            f"{name} has {size / 2**30:.1f} GiB, more than half of the free memory ({_limit() / 2**29:.1f} GiB)",
            hint="Take a sample of the rows, or use a machine with more memory",
        )


def _without_packing(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix.lower() in _EXTENSIONS and path.stem else name


def _unpack(data: bytes, kind: str, name: str) -> bytes:
    try:
        return _collect(_pieces(data, kind), len(data), name)
    except (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise DataError(
            f"{name} is a damaged {kind} file: it is cut off or changed ({str(error)[:80]})",
            hint="Copy or download it again",
        ) from error


def _pieces(data: bytes, kind: str) -> Iterator[bytes]:
    if kind == "zstd":
        yield from _zstd_pieces(data)
        return
    stream = io.BytesIO(data)
    opened: Any = {"gzip": gzip.GzipFile, "bzip2": bz2.BZ2File, "xz": lzma.LZMAFile}[kind]
    with opened(fileobj=stream) if kind == "gzip" else opened(stream) as file:
        while piece := file.read(CHUNK):
            yield piece


def _zstd_pieces(data: bytes) -> Iterator[bytes]:
    # The library's stream reader ends without a word where a file is cut off; its decompressor object tells.
    import zstandard

    rest = data
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            for start in range(0, len(rest), 4096):
                yield frame.decompress(rest[start : start + 4096])
                if frame.eof:
                    rest = frame.unused_data + rest[start + 4096 :]
                    break
            else:
                raise EOFError("the last frame has no end")
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error


def _collect(pieces: Iterator[bytes], packed: int, name: str) -> bytes:
    limit = min(max(FREE_BYTES, MAX_RATIO * packed), _limit())
    parts: list[bytes] = []
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise DataError(
                f"{name} unpacks to more than {limit / 2**20:.0f} MiB, from {packed / 2**20:.1f} MiB",
                hint="Unpack it yourself if you trust it, and give the file inside",
            )
        parts.append(piece)
    return b"".join(parts)


def _is_workbook(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return "[Content_Types].xml" in names or (bool(names) and names[0] == "mimetype")


def _unzip(data: bytes, name: str) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _only_member(archive, name)
            with archive.open(member) as file:
                content = _collect(iter(lambda: file.read(CHUNK), b""), member.compress_size, name)
    except (
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        NotImplementedError,
        OSError,
        ValueError,
    ) as error:
        raise DataError(
            f"{name} is a damaged zip file: it is cut off or changed ({str(error)[:80]})",
            hint="Copy or download it again",
        ) from error
    return content, PurePosixPath(member.filename.replace("\\", "/")).name


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    entries = archive.infolist()
    if len(entries) > 1000:
        raise DataError(f"{name} holds {len(entries)} files", hint="Unpack it and give one table")
    members = [entry for entry in entries if not entry.is_dir() and not _is_litter(entry.filename)]
    if len(members) != 1:
        listed = ", ".join(repr(entry.filename[:40]) for entry in members[:5]) + (" …" if len(members) > 5 else "")
        raise DataError(
            f"{name} holds {len(members)} files{': ' + listed if members else ''}, and one table is needed",
            hint="Unpack it and give one of them",
        )
    if members[0].flag_bits & 1:
        raise DataError(f"{name} is encrypted", hint="Unpack it with its password, then give the file inside")
    return members[0]


def _is_litter(filename: str) -> bool:
    parts = PurePosixPath(filename).parts or ("",)
    return "__MACOSX" in parts or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini") or parts[-1].startswith("._")
