"""The rules and the dashboard speak of series that there are, in expressions that Prometheus reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from automl.cli.main import run
from automl.serve.metrics import Metrics
from automl.serve.monitoring import make_dashboard, make_rules


def expressions() -> list[str]:
    rules = [str(rule["expr"]) for group in make_rules()["groups"] for rule in group["rules"]]
    queries = [str(query["expr"]) for panel in make_dashboard()["panels"] for query in panel["targets"]]
    return [*rules, *(query.replace("$__rate_interval", "5m") for query in queries)]


def test_every_series_that_is_asked_for_is_one_that_is_told() -> None:
    told = {
        f"{metric.name}{end}"
        for metric in Metrics().registry.collect()
        for end in ("", "_total", "_bucket", "_sum", "_count")
    }
    asked = {name for text in expressions() for name in re.findall(r"automl_\w+", text)}
    assert len(asked) >= 12
    assert asked <= told


def test_the_command_writes_files_that_read_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--write-monitoring", str(tmp_path / "monitoring"), "--json"]) == 0
    files = [Path(name) for name in json.loads(capfd.readouterr().out)["files"]]
    assert [path.name for path in files] == ["automl-rules.yml", "automl-dashboard.json", "prometheus.yml"]
    alerts = {rule["alert"] for rule in yaml.safe_load(files[0].read_text())["groups"][0]["rules"]}
    assert {"AutomlSlow", "AutomlFails", "AutomlDrift", "AutomlClassBalance"} <= alerts
    assert len(json.loads(files[1].read_text())["panels"]) == 12


def test_the_scrape_brings_the_token_that_a_server_demands(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123\n")
    assert run(["serve", "--write-monitoring", str(tmp_path), "--token-file", str(token)]) == 0
    text = (tmp_path / "prometheus.yml").read_text()
    assert yaml.safe_load(text)["scrape_configs"][0]["authorization"] == {"credentials_file": str(token)}
    assert "0123456789" not in text
    assert run(["serve", "--write-monitoring", str(tmp_path), "--token-file", str(tmp_path / "none")]) == 2


def test_without_a_token_the_scrape_has_the_lines_for_one_as_a_remark(tmp_path: Path) -> None:
    assert run(["serve", "--write-monitoring", str(tmp_path)]) == 0
    text = (tmp_path / "prometheus.yml").read_text()
    assert "authorization" not in yaml.safe_load(text)["scrape_configs"][0]
    freed = text.replace("# authorization", "authorization").replace("#   credentials", "  credentials")
    assert yaml.safe_load(freed)["scrape_configs"][0]["authorization"] == {"credentials_file": "/path/to/token"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: package prometheus)")
def test_prometheus_own_tool_finds_nothing_wrong(tmp_path: Path) -> None:
    assert run(["serve", "--write-monitoring", str(tmp_path)]) == 0
    records = [{"record": f"check:{place}", "expr": text} for place, text in enumerate(expressions())]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": records}]}))
    (tmp_path / "token").write_text("0123456789abcdef0123")
    guarded = tmp_path / "guarded"
    assert run(["serve", "--write-monitoring", str(guarded), "--token-file", str(tmp_path / "token")]) == 0
    configs = (["config", "prometheus.yml"], ["config", "guarded/prometheus.yml"])
    for words in (["rules", "automl-rules.yml"], ["rules", "queries.yml"], *configs):
        done = subprocess.run(["promtool", "check", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_prometheus_reads_is_the_server_that_was_asked_for(tmp_path: Path) -> None:
    for host, port, target in (("0.0.0.0", "9000", "localhost:9000"), ("10.0.0.7", "8080", "10.0.0.7:8080")):
        assert run(["serve", "--host", host, "--port", port, "--write-monitoring", str(tmp_path)]) == 0
        assert f"- {target}" in (tmp_path / "prometheus.yml").read_text("utf-8")
