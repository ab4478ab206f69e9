"""Inline SVG: elements whose every text is escaped on its way in, axes and round ticks."""

from __future__ import annotations

import dataclasses
import math

from markupsafe import Markup, escape

CHARACTER = 7.2  # width of a 12 px character of the page's font, in px, on the generous side


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """One element. Children that are not Markup and all attributes are escaped; `class_name` and `stroke_width`
    become `class` and `stroke-width`; None leaves an attribute out."""
    parts = [
        Markup(' {}="{}"').format(key.replace("class_name", "class").replace("_", "-"), plain(value))
        for key, value in attributes.items()
        if value is not None
    ]
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup("").join(parts), inside)


def plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round figures (1, 2, 2.5 or 5 times a power of ten) in [low, high], about `count` of them."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return []
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # no round figure between them that a float could hold
        return [low]
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1.0, 2.0, 2.5, 5.0) if factor * power >= raw * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    places = min(300, max(0, 3 - math.floor(math.log10(step))))
    return [round(index * step, places) for index in range(first, last + 1)]


def format_tick(value: float, step: float) -> str:
    """A tick with as many digits as the step needs: 0.5, 0.55; 1,000; 2M."""
    if abs(value) >= 1e6:
        digits = max(3, math.floor(math.log10(abs(value))) - math.floor(math.log10(step)) + 2) if step > 0 else 3
        return f"{value / 1e6:.{max(6, digits)}g}M" if abs(value) < 1e9 else f"{value:.{digits}g}"
    if value == 0:
        return "0"
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2
    if places > 6:
        return f"{value:.3g}"
    # a step of 2.5 needs one digit more than its size says
    while places < 6 and abs(round(value, places) - value) > abs(step) * 1e-6:
        places += 1
    text = f"{value:,.{places}f}"
    return text.replace(",", "") if abs(value) < 10_000 and step <= 100 else text  # years have no comma


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten in [low, high], with 2 and 5 times them where there are few; both ends are positive."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = math.log10(high / low)
    factors = (1.0,) if decades > 3 else (1.0, 2.0, 5.0) if decades < 1.2 else (1.0, 3.0)
    ticks = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside[:: max(1, math.ceil(len(inside) / 6))]


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """From figures to pixels; with `log`, equal factors are equal lengths."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        if self.log:
            share = math.log(max(value, 1e-300) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def shorten(text: str, limit: int) -> str:
    """Text that fits into `limit` characters, cut with an ellipsis."""
    return text if len(text) <= max(3, limit) else text[: max(2, limit - 1)] + "…"
