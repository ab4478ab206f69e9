"""How figures, times and foreign text are written, the same on every look of a report."""

from __future__ import annotations

import dataclasses
import datetime
import math
import re
from collections.abc import Sequence
from typing import Any, TypeGuard, TypeVar

from automl.events import ALL_ROWS

T = TypeVar("T")

# C0 and C1 controls (ESC among them), bidirectional overrides, and halves of surrogate pairs: each can make a
# terminal or a page show something other than what is there. Tab and line ends become a space.
_SPACES = re.compile(r"[\t\r\n\u2028\u2029]+")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+={0,2}")


def clean_line(text: str, limit: int = 2000) -> str:
    """Text from data as one harmless line of at most `limit` characters."""
    line = _UNSAFE.sub("", _SPACES.sub(" ", text))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clean_lines(text: str, limit: int = 20_000) -> str:
    """As `clean_line`, but line ends stay: for code."""
    return "\n".join(clean_line(line) for line in text[:limit].splitlines())


def clean(value: T, *, key: str = "") -> T:
    """A block, section or document with every text harmless and every non-finite figure None.

    Dataclasses are rebuilt; tuples, lists and dicts are walked.
    """
    return _clean(value, key)  # type: ignore[no-any-return]


def _clean(value: Any, key: str) -> Any:
    if isinstance(value, str):
        if key == "uris":
            return value if _PICTURE.fullmatch(value) else ""
        return clean_lines(value) if key == "code" else clean_line(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inside = "code" if type(value).__name__ == "Code" else ""
        changes = {
            field.name: _clean(getattr(value, field.name), "uris" if field.name == "uris" else inside)
            for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(_clean(item, key) for item in value)
    if isinstance(value, list):
        return [_clean(item, key) for item in value]
    if isinstance(value, dict):
        return {clean_line(str(name)): _clean(item, key) for name, item in value.items()}
    return value


def is_figure(value: Any) -> TypeGuard[int | float]:
    """A finite number; True and False are not figures."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def format_figure(value: Any, digits: int = 4) -> str:
    """A number with `digits` significant digits and thousands apart; anything else as its text; None is "–"."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}" if abs(value) < 1e15 else f"{value:.{digits}g}"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude >= 15 or magnitude < -5:
        return f"{value:.{digits}g}"
    places = max(0, digits - 1 - magnitude)
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


SCORE_DECIMALS = 4  # that figures have which are to tell small differences


def format_moment(moment: Any) -> str:
    """A moment as a run's record holds it, in UTC, to the minute."""
    return f"{str(moment)[:16].replace('T', ' ')} UTC" if moment else ""


def score_places(value: float, decimals: int) -> int:
    """Digits after the point: `decimals` for scores below ten, fewer for errors in large units, more in tiny ones."""
    if decimals >= SCORE_DECIMALS and 0 < abs(value) < 10.0 ** (1 - decimals):
        return min(15, 2 - math.floor(math.log10(abs(value))))
    if abs(value) < 10:
        return decimals
    return max(0, min(decimals, 4 - math.floor(math.log10(abs(value)))))


def format_score(value: float | None, decimals: int = 4, *, like: float | None = None) -> str:
    """A score; `like` is another one whose digits it should have."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.{score_places(like if like is not None else value, decimals)}f}"


def format_duration(seconds: float | None) -> str:
    """Seconds as "0.8 s", "42 s", "4 min 58 s" or "2 h 03 min"."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min" + (f" {rest:02d} s" if rest else "")
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h" + (f" {rest:02d} min" if rest else "")


def format_share(share: float | None) -> str:
    """A share of one as a percentage: "0%", "<0.1%", "3.4%", "62%", "99.6%"; what is not all is never 100%."""
    if share is None or not math.isfinite(share):
        return "–"
    if share < 0:  # as an R² may be
        text = format_share(-share)
        return {"<": ">-", ">": "<-"}[text[0]] + text[1:] if text[0] in "<>" else f"-{text}"
    if share == 0:
        return "0%"
    percent = 100 * share
    if percent < 0.1:
        return "<0.1%"
    if percent > 99.9 and share < 1:
        return ">99.9%"
    return f"{percent:.1f}%" if percent < 10 or 99.5 <= percent < 100 else f"{percent:.0f}%"


def format_count(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun: "1 row", "7,043 rows"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def describe_fold(fold: int) -> str:
    """What a job learns from, by the number in its events."""
    return "all rows" if fold == ALL_ROWS else f"fold {fold + 1}"


def format_megabytes(megabytes: float | None) -> str:
    if megabytes is None or not math.isfinite(megabytes):
        return "–"
    if megabytes < 0.1:
        return f"{max(1, round(megabytes * 1000))} kB"
    return f"{megabytes:.1f} MB" if megabytes < 100 else f"{megabytes:,.0f} MB"


def format_date(seconds: float) -> str:
    """Seconds since the epoch as a day, as far as calendars go."""
    try:
        return f"{datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=float(seconds)):%Y-%m-%d}"
    except (OverflowError, ValueError):
        return format_figure(seconds)


def join_words(words: Sequence[str], limit: int = 8) -> str:
    """ "a", "a and b", "a, b and c", "a, b, c and 4 more"."""
    shown = list(words) if len(words) <= limit else [*words[: limit - 1], f"{len(words) - limit + 1} more"]
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]
