"""The README's examples of a cluster fit together, and their commands are Dask's."""

from __future__ import annotations

import importlib
import shlex
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.docs.readme import PATH, code_blocks


def read_example(file: str) -> list[dict[str, Any]]:
    blocks = code_blocks(PATH.read_text(encoding="utf-8"))
    (text,) = (block.text for block in blocks if block.text.startswith(f"# {file}\n"))
    return list(yaml.safe_load_all(text))


def parse_command(words: list[str]) -> dict[str, Any]:
    """What Dask's own command line makes of the words; an option that it does not have is a fault."""
    assert words[0] == "dask"
    command = importlib.import_module(f"distributed.cli.dask_{words[1]}").main
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    for word in words:  # Dask itself hands unknown ones to its plug-ins
        assert not word.startswith("--") or word in known, f"dask {words[1]} has no option {word}"
    found: dict[str, Any] = command.make_context(f"dask {words[1]}", list(words[2:]), resilient_parsing=True).params
    return found


def check_pair(scheduler: list[str], worker: list[str], host: str) -> None:
    offered, asked = parse_command(scheduler), parse_command(worker)
    assert asked["scheduler"] == f"tcp://{host}:{offered['port']}"
    assert int(asked["nthreads"]) == 1
    assert asked["memory_limit"] == "4GiB"


def test_the_services_of_docker_compose_find_each_other() -> None:
    (compose,) = read_example("docker-compose.yaml")
    services = compose["services"]
    check_pair(*(shlex.split(services[name]["command"]) for name in ("scheduler", "worker")), host="scheduler")
    assert services["worker"]["depends_on"] == ["scheduler"]
    assert services["scheduler"]["ports"] == ["127.0.0.1:8786:8786"]  # not for everybody on the network
    assert services["worker"]["deploy"]["resources"]["limits"] == {"cpus": "1", "memory": "6G"}


def test_the_manifests_of_kubernetes_keep_the_schemas_of_their_kinds() -> None:
    known = kubernetes_validate.latest_version()
    manifests = read_example("cluster.yaml")
    assert len(manifests) >= 4
    for manifest in manifests:
        assert known.startswith(kubernetes_validate.validate(manifest, known, strict=True))
        with pytest.raises(kubernetes_validate.ValidationError):  # a word that no kind has
            kubernetes_validate.validate({**manifest, "specs": {}}, known, strict=True)


def test_the_manifests_of_kubernetes_find_each_other() -> None:
    found = {(each["kind"], each["metadata"]["name"]): each["spec"] for each in read_example("cluster.yaml")}
    pods = {}
    for name in ("automl-scheduler", "automl-worker"):
        deployment = found["Deployment", name]
        assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"] == {"app": name}
        (pods[name],) = deployment["template"]["spec"]["containers"]
    service = found["Service", "automl-scheduler"]
    assert service["selector"] == {"app": "automl-scheduler"}
    assert service["ports"][0]["port"] == pods["automl-scheduler"]["ports"][0]["containerPort"] == 8786
    check_pair(pods["automl-scheduler"]["args"], pods["automl-worker"]["args"], host="automl-scheduler")
    policy = found["NetworkPolicy", "automl-scheduler"]
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app": "automl-worker"}}}]


@pytest.mark.parametrize("words", ["dask worker tcp://a:1 --nthread-count 1", "dask scheduler --dashboards"])
def test_an_option_that_dask_does_not_have_is_found_out(words: str) -> None:
    with pytest.raises(AssertionError, match="has no option"):
        parse_command(words.split())
