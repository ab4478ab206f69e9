"""The page that a server brings, in a real browser: it predicts, explains, and asks nobody but its own server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Page
from tests.unit.export.models import store_model
from tests.unit.serve.server import serving, wait_until


@pytest.mark.slow
def test_a_row_is_predicted_and_explained_by_hand(page: Page, tmp_path: Path) -> None:
    model = store_model(tmp_path / "shop").run.path
    token = "a-token-that-is-long-enough"
    with serving(model, tmp_path, env={"AUTOML_SERVE_TOKEN": token}) as server:
        page.driver.get_log("browser")
        page.driver.get_log("performance")
        page.driver.get(server.url + "/")
        wait_until(lambda: page.run("return !document.getElementById('access').hidden"))
        refused = [line for line in page.complaints() if "401" not in line and "favicon" not in line]
        page.run(
            f"document.getElementById('token').value = '{token}'; document.querySelector('#access button').click()"
        )
        wait_until(lambda: page.run("return document.querySelectorAll('#cells [data-column]').length") == 5)
        page.run("document.getElementById('predict').click()")
        answer = "return document.getElementById('answer').textContent"
        wait_until(lambda: page.run(answer).startswith("bought: "))
        assert page.run("return document.querySelectorAll('#answer meter').length") == 2
        page.run("document.getElementById('explain').click()")
        wait_until(lambda: "What each column adds" in page.run(answer))
        assert page.run("return document.querySelectorAll('#answer tr').length") == 5
        assert refused + page.complaints() == []
        assert all(url.startswith(server.url) for url in page.requests())
