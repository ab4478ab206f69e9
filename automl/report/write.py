"""The report's files: report.html, report.json and model_card.md, each whole or not there."""

from __future__ import annotations

from pathlib import Path

from automl.files import write_json, write_text
from automl.report.document import build_document
from automl.report.html import render_html
from automl.report.markdown import render_model_card
from automl.run import Run


def write_report(run: Run) -> Path:
    """Write the report of a run, finished or not, over what is there.

    Returns:
        The path of report.html.

    Raises:
        EngineError: if the disk is full or the folder cannot be written.
    """
    document = build_document(run)
    write_json(run.report_json_path, document.to_json())
    write_text(run.model_card_path, render_model_card(document))
    write_text(run.report_path, render_html(document))
    return run.report_path
