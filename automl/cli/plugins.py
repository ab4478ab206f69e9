"""automl plugins: what is installed, and why something is not available."""

from __future__ import annotations

from automl.cli import options as opt

KINDS = (
    ("model", "automl.candidates"),
    ("metric", "automl.metrics"),
    ("format", "automl.data.readers"),
    ("collection", "automl.data.collections"),
    ("finding", "automl.profile.findings"),
    ("section", "automl.report.sections"),
    ("study", "automl.evaluate.jobs"),
    ("export", "automl.export"),
    ("tracker", "automl.track"),
    ("kind of column", "automl.monitor.kinds"),
    ("engine", "automl.engines"),
)


def plugins_command(as_json: opt.JsonOption = False) -> None:
    """Models, metrics, formats, findings, report sections, exports, engines, …; what is missing has its reason."""
    from dataclasses import asdict
    from typing import Any

    from automl.cli.output import clean, print_json
    from automl.registry import Registry

    found = {noun: list(Registry[Any](package, noun=noun).listings()) for noun, package in KINDS}
    if as_json:
        print_json({noun: [asdict(listing) for listing in listings] for noun, listings in found.items()})
        return
    for noun, listings in found.items():
        print({"study": "studies", "kind of column": "kinds of columns"}.get(noun, f"{noun}s"))
        for listing in listings:
            note = f"  unavailable: {listing.reason}" if listing.reason else f"  {listing.summary}"
            print(clean(f"  {listing.name:<24}{note}"))
