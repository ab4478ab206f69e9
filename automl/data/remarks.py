"""Many columns, few sentences: the same remark on several columns becomes one notice."""

from __future__ import annotations

from automl.schema import Notice

_MOST_NAMES = 8


class Remarks:
    """Collects what is said of columns, in order."""

    def __init__(self) -> None:
        self._columns: dict[tuple[str, str, str], list[str]] = {}

    def add(self, topic: str, column: str, text: str, reason: str = "") -> None:
        """Say `text` of `column`, e.g. topic "missing", text "'?' counts as missing"."""
        names = self._columns.setdefault((topic, text, reason), [])
        if column not in names[-1:]:
            names.append(column)

    def notices(self) -> list[Notice]:
        return [
            Notice(topic=topic, text=f"{_list_names(names)}: {text}", reason=reason)
            for (topic, text, reason), names in self._columns.items()
        ]


def _list_names(names: list[str]) -> str:
    listed = ", ".join(names[:_MOST_NAMES])
    return f"{listed}, … ({len(names)} columns)" if len(names) > _MOST_NAMES else listed
