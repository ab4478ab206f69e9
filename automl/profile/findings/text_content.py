"""What texts are made of: their script, HTML remains, empty and very long ones."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from automl.profile import Finding
from automl.schema import MAX_TEXT_CHARACTERS, Role

if TYPE_CHECKING:
    import pandas as pd

    from automl.data import Dataset

SAMPLE = 2_000  # texts looked at for their script
LOOKED_AT = 500  # characters of each
LEAST_SHARE = 0.05  # of the letters, for a script to be named
MUCH_HTML, MANY_EMPTY = 0.05, 0.05
_HTML = re.compile(
    r"</?(?:a|b|br|div|em|h[1-6]|i|img|li|p|span|strong|table|td|tr|u|ul)(?:\s[^<>]{0,200})?/?>|&(?:amp|lt|gt|quot|nbsp|#\d{2,5});",
    re.IGNORECASE,
)
_SPACELESS = {"Chinese characters", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"}
_NAMES = {"CJK": "Chinese characters", "KATAKANA-HIRAGANA": "Katakana"}


class TextContent:
    """One note a text column, and a warning where many of its texts are empty."""

    def find(self, dataset: Dataset, new: pd.DataFrame | None) -> list[Finding]:
        findings = []
        for column in dataset.schema.of(Role.TEXT):
            cells = dataset.frame[column.name]
            texts = [text for text in cells if isinstance(text, str) and text.strip()]
            findings += self._describe(column.name, texts, len(cells))
        return findings

    def _describe(self, name: str, texts: list[str], rows: int) -> list[Finding]:
        step = max(1, len(texts) // SAMPLE)
        scripts = find_scripts(text[:LOOKED_AT] for text in texts[::step])
        findings = []
        if scripts:
            listed = ", ".join(f"{script} {share:.0%}" for script, share in scripts.items())
            spaceless = sum(share for script, share in scripts.items() if script in _SPACELESS) > 0.3
            how = (
                "Its script has no blanks between words: each character is a token, and chains of them are learned"
                if spaceless
                else "Words and chains of characters are learned"
            )
            findings.append(self._make(name, "note", f"The texts of {name!r} are written in: {listed}", how))
        html = sum(_HTML.search(text[:MAX_TEXT_CHARACTERS]) is not None for text in texts)
        if html and html > MUCH_HTML * len(texts):
            said = f"{html:,} texts of {name!r} ({html / rows:.0%}) hold remains of HTML"
            findings.append(self._make(name, "note", said, "Tags are taken out and entities read as characters"))
        long = sum(len(text) > MAX_TEXT_CHARACTERS for text in texts)
        if long:
            said = f"{long:,} texts of {name!r} are longer than {MAX_TEXT_CHARACTERS:,} characters"
            findings.append(self._make(name, "note", said, "Only their beginning is read"))
        empty = rows - len(texts)
        if empty > MANY_EMPTY * rows:
            said = f"{empty:,} texts of {name!r} ({empty / rows:.0%}) are empty"
            findings.append(self._make(name, "warning", said, "They are told apart by nothing but being empty"))
        return findings

    def _make(self, name: str, severity: str, text: str, action: str) -> Finding:
        return Finding(
            kind="text_content",
            severity="warning" if severity == "warning" else "note",
            columns=(name,),
            text=text,
            action=action,
            taken=True,
        )


def find_scripts(texts: Iterable[str]) -> dict[str, float]:
    """Share of the letters that each script has, the commonest first; scripts below 5% are left out."""
    letters: Counter[str] = Counter()
    for text in texts:
        letters.update(text)
    scripts: Counter[str] = Counter()
    for character, count in letters.items():
        if character.isalpha():
            first = unicodedata.name(character, "unknown").split(" ")[0]
            scripts[_NAMES.get(first, first.capitalize())] += count
    total = sum(scripts.values())
    return {script: count / total for script, count in scripts.most_common() if count >= LEAST_SHARE * total}


plugin = TextContent()
