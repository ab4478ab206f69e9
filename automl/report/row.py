"""One row's explanation as blocks; it shows the row's values, for the terminal of who asked."""

from __future__ import annotations

from typing import Any

from automl.report.blocks import Block, Facts, Table
from automl.report.text import format_figure, is_figure

SHOWN_CHARACTERS = 60
SHOWN_WORDS = 12
LEAST_SHOWN = 0.0005


def row_blocks(record: dict[str, Any], *, number: int, target: str, known: dict[str, Any]) -> tuple[Block, ...]:
    """What `RowExplanation.to_json` holds, for a reader. It shows the row's values: for the terminal of who asked."""
    explained = f"probability of “{record['class']}”" if record.get("class") else target
    with_class = f"{explained} {format_figure(record['output'])}" if record.get("class") else ""
    facts = [
        ("Row", f"{number}", ""),
        ("Prediction", _show(record["prediction"]), with_class),
        ("Usual", format_figure(record["base"]), f"mean over {record['background_rows']} rows of the training data"),
    ]  # fmt: skip
    if "truth" in known:
        facts.append(("Truth", _show(known["truth"]), ""))
    if "out_of_fold_output" in known:
        note = f"{explained}, by models that had not seen the row"
        facts.append(("Out of fold", format_figure(known["out_of_fold_output"]), note))
    contributions = record["contributions"]
    rows = tuple(
        (
            str(entry["column"]),
            _show(entry["value"]),
            _signed(entry["contribution"]),
            format_figure(entry["standard_error"], 2),
        )
        for entry in contributions
    )
    total = record["check"]["output_minus_base"]
    table = Table(
        headings=("column", "value", "adds", "± standard error"),
        rows=rows,
        numeric=(False, False, True, True),
        caption=f"What each column adds to the {explained}",
        note=f"Together {_signed(total)}: from {format_figure(record['base'])} to {format_figure(record['output'])}. "
        f"Shapley values of the deployed model, {record['walks']} pairs of walks.",
    )
    return (
        Facts(items=tuple(facts)),
        table,
        *_word_blocks(record, explained),
        *_place_blocks(record, explained),
        *_change_blocks(record, explained),
    )


def _place_blocks(record: dict[str, Any], explained: str) -> list[Block]:
    lines = record["places"]
    if not lines:
        return []
    return [
        Table(
            headings=tuple(str(at + 1) for at in range(len(lines[0]))),
            rows=tuple(
                tuple(f"{value:+.3f}" if abs(value) >= LEAST_SHOWN else "·" for value in line) for line in lines
            ),
            numeric=(True,) * len(lines[0]),
            caption=f"What each part of the picture adds to the {explained}",
            note="From top to bottom and left to right: by how much it falls when that part alone is covered.",
        )
    ]


def _word_blocks(record: dict[str, Any], explained: str) -> list[Block]:
    words = [entry for entry in record["words"] if entry["effect"]][:SHOWN_WORDS]
    if not words:
        return []
    several = len({entry["column"] for entry in words}) > 1
    rows = tuple(
        (_show(entry["text"]), *((str(entry["column"]),) if several else ()), _signed(entry["effect"]))
        for entry in words
    )
    return [
        Table(
            headings=("word", *(("column",) if several else ()), "adds"),
            rows=rows,
            numeric=(False, *((False,) if several else ()), True),
            caption=f"What each word adds to the {explained}",
            note="By how much it falls when the word alone is left out.",
        )
    ]


def _change_blocks(record: dict[str, Any], explained: str) -> list[Block]:
    changes = record["what_if"]
    if not changes:
        return []
    rows = tuple(
        (
            str(change["column"]),
            _show(change["instead"]),
            float(change["output"]),
            "other class" if change["flips"] else "",
            _show(change["value"]),
        )
        for change in changes[:10]
    )
    return [
        Table(
            headings=("change", "to", explained, "", "instead of"),
            rows=rows,
            numeric=(False, False, True, False, False),
            caption="One change alone",
            note="What the model would answer, not what would happen: values are those of other rows, all else stays.",
        )
    ]


def _signed(value: float) -> str:
    return ("+" if value >= 0 else "-") + format_figure(abs(float(value)))


def _show(value: Any) -> str:
    if is_figure(value) or value is None:
        return format_figure(value, 6)
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
