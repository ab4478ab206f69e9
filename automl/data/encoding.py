"""Bytes to text: marks at the start, UTF-8, UTF-16 and UTF-32 without marks, then the older encodings by statistics."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from automl.errors import DataError, UsageError, did_you_mean
from automl.schema import Notice

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
# Told apart by statistics of the language; where several of them fit, the earlier of the Western ones is meant.
_LEGACY = ["cp1252", "gb18030", "cp932", "euc_jp", "cp949", "big5", "cp1251", "cp1250"]
_COMMON = ("utf-8", "utf-16", "utf-32", "latin-1", "cp1252", "gbk", "gb18030", "shift_jis", "big5", "euc-kr", "cp1251")
_TITLES = {
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
    "gb18030": "GB18030 (GBK)",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "cp949": "EUC-KR",
    "big5": "Big5",
    "cp1251": "Windows-1251",
    "cp1250": "Windows-1250",
}
_SAMPLE_BYTES = 64 * 1024
TELLING_BYTES = 1024  # of lines that are not ASCII, which tell the encoding of a text by themselves
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_CENTRAL = re.compile(r"[a-zA-Z][¹³¾¿]|[¹³¾¿][a-z]")  # ą ł ľ ż of Windows-1250, read as Windows-1252


def decode_texts(contents: Iterable[bytes], encoding: str | None) -> tuple[list[str | None], list[Notice]]:
    """Texts that were written alike, each as `decode` reads it, None for what is binary.

    What is not UTF-8, and too short to tell its encoding by itself, tells it together with all others that are so. A
    text in UTF-8 with a few broken bytes, such as one that was cut within a character, is read without them.

    Raises:
        UsageError: if the encoding is unknown.
    """
    texts: list[str | None] = []
    unknown: dict[int, bytes] = {}
    for place, content in enumerate(contents):
        text = _read_utf8(content) if encoding is None else None
        if text is None and encoding is None and not _is_told(content) and _is_short(content):
            unknown[place] = content
        elif text is None:
            try:
                text = decode(content, encoding, "it")[0].decode("utf-8", "replace")
            except DataError:
                text = None
        texts.append(text)
    if not unknown:
        return texts, []
    codec = _guess_legacy(b"\n".join(unknown.values()))
    for place, content in unknown.items():
        texts[place] = _decode_with(content, codec)
    title = _TITLES.get(codec, codec)
    reason = "not UTF-8, and together their letters fit; --encoding overrides"
    notice = Notice(topic="encoding", text=f"{len(unknown):,} text(s) decoded as {title}", reason=reason)
    return texts, [notice]


def _read_utf8(content: bytes) -> str | None:
    """The text, without what is broken if that is little; None if it is no UTF-8."""
    if b"\0" in content or any(content.startswith(mark) for mark, _, _ in _MARKS):
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and not content[: error.start].isascii():
            return content[: error.start].decode("utf-8")
        text = content.decode("utf-8", "replace")
        sound = len(_MULTIBYTE.findall(content))
        return text.replace("\ufffd", "") if sound > 10 * max(text.count("\ufffd"), 1) else None


def _is_told(content: bytes) -> bool:
    """Whether the bytes themselves say what they are: by a mark, or as every other one is zero."""
    return b"\0" in content or any(content.startswith(mark) for mark, _, _ in _MARKS)


def _is_short(content: bytes) -> bool:
    return sum(len(line) for line in content.splitlines() if not line.isascii()) < TELLING_BYTES


def _decode_with(content: bytes, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError:  # in Latin-1 every byte is a character
        return content.decode(_guess_legacy(content), "replace")


def decode(data: bytes, encoding: str | None, name: str) -> tuple[bytes, list[Notice]]:
    """The content as UTF-8 bytes without a byte order mark.

    Args:
        encoding: a codec's name that overrides the guess.
        name: what to call the file in messages.

    Raises:
        UsageError: if the encoding is unknown.
        DataError: if the bytes are not text in it, or are binary.
    """
    if encoding is not None:
        return _recode(data, _known_codec(encoding), encoding, name), []
    for mark, codec, title in _MARKS:
        if data.startswith(mark):
            return _decode_marked(data[len(mark) :], codec, title, name)
    wide = _wide_codec(data)
    if wide:
        text = _recode(data, wide, wide.upper(), name)
        return text, [_notice(wide.upper(), "every other byte is zero, and there is no byte order mark")]
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{name} is not text: line {line} holds a NUL byte", hint="Is this a CSV file? Export it again")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_legacy(data, error, name)
    return data, []


def _decode_marked(data: bytes, codec: str, title: str, name: str) -> tuple[bytes, list[Notice]]:
    notices = [] if codec == "utf-8" else [_notice(title, "the file begins with its byte order mark")]
    return _recode(data, codec, title, name), notices


def _known_codec(encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding)
        "".encode(codec.name)  # bytes-to-bytes codecs such as "hex" fail here
    except (LookupError, UnicodeError, TypeError) as error:
        raise UsageError(f"Unknown encoding {encoding!r}", hint=did_you_mean(encoding, _COMMON)) from error
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _recode(data: bytes, codec: str, title: str, name: str) -> bytes:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name} is not {title} text: line {line}, byte {error.start} ({data[error.start : error.start + 1]!r})",
            hint="Leave --encoding out to have it found, or name another: " + ", ".join(_COMMON),
        ) from error
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{name} is not {title} text: line {line} holds a NUL character", hint="Export it again")
    return text.encode("utf-8", "replace")


def _wide_codec(data: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, by where the zero bytes of separators and line ends stand; "" if neither."""
    head = data[: 1 << 16]
    if b"\0" not in head or not head.strip(b"\0"):
        return ""
    zeros = [head[offset::4].count(0) for offset in range(4)]
    quarter = len(head) / 4
    if len(data) % 4 == 0 and min(zeros[1:]) > 0.9 * quarter and zeros[0] < 0.1 * quarter:
        return "utf-32-le"
    if len(data) % 4 == 0 and min(zeros[:3]) > 0.9 * quarter and zeros[3] < 0.1 * quarter:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if len(data) % 2 == 0 and odd > 20 * even and b"\n\0" in head:
        return "utf-16-le"
    if len(data) % 2 == 0 and even > 20 * odd and b"\0\n" in head:
        return "utf-16-be"
    return ""


def _decode_legacy(data: bytes, error: UnicodeDecodeError, name: str) -> tuple[bytes, list[Notice]]:
    sound = len(_MULTIBYTE.findall(data[: 1 << 20]))
    broken = len(re.findall("\ufffd", data[: 1 << 20].decode("utf-8", "replace")))
    if sound > 10 * max(broken, 1):
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name} is damaged UTF-8: line {line}, byte {error.start} ({data[error.start : error.start + 1]!r})",
            hint="Mend that line, or name the encoding: --encoding cp1252",
        )
    codec = _guess_legacy(data)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        codec = "latin-1"  # every byte is a character there
        text = data.decode(codec)
    sample = next((line.strip()[:40] for line in text.splitlines() if not line.isascii()), "")
    title = _TITLES.get(codec, codec)
    reason = f"it is not UTF-8, and its letters fit; it reads {sample!r}; --encoding overrides"
    return text.encode("utf-8"), [_notice(title, reason)]


def _guess_legacy(data: bytes) -> str:
    from charset_normalizer import from_bytes

    lines = [line for line in re.split(rb"[\r\n]+", data[: 1 << 22]) if not line.isascii()]
    sample = b"\n".join(lines)[:_SAMPLE_BYTES]
    if len(b"\n".join(lines)) > _SAMPLE_BYTES:
        sample = sample[: sample.rfind(b"\n")] if b"\n" in sample else sample
    found = [match.encoding for match in from_bytes(sample, cp_isolation=_LEGACY)]
    best = found[0] if found else "cp1252"
    if best in ("cp1250", "cp1252"):
        western = sample.decode("cp1252", "replace")
        best = "cp1250" if _CENTRAL.search(western) else "cp1252"
    if best == "cp1252" and not re.search(rb"[\x80-\x9f]", data):
        return "latin-1"
    return best


def _notice(title: str, reason: str) -> Notice:
    return Notice(topic="encoding", text=f"decoded as {title}", reason=reason)
