"""The Open Inference Protocol, spoken by a public client over HTTP and over gRPC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.serve.oip_messages import message_classes
from tests.unit.serve.server import Server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")


def tensors(kind: Any, specs: list[dict[str, Any]], rows: list[dict[str, Any]], *, binary: bool | None) -> list[Any]:
    made = []
    for spec in specs:
        cells = [row[spec["name"]] for row in rows]
        if spec["datatype"] == "FP64":
            array = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)[:, None]
        else:
            array = np.array(["" if cell is None else str(cell) for cell in cells], dtype=object)[:, None]
        tensor = kind(spec["name"], list(array.shape), spec["datatype"])
        tensor.set_data_from_numpy(array, **({} if binary is None else {"binary_data": binary}))
        made.append(tensor)
    return made


def expected_shares(server: Server, rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    answer = server.client.post("/predict", json={"rows": rows}).json()
    return np.array([list(one["probabilities"].values()) for one in answer["predictions"]])


@pytest.mark.parametrize("binary", [True, False])
def test_a_triton_client_over_http_gets_what_predict_gives(
    server: Server, rows: list[dict[str, Any]], binary: bool
) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="the test extra brings it")
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("shop")
    if not binary:  # JSON has no NaN, which is what such a client writes for no value
        rows = [row for row in rows if row["age"] is not None]
    described = client.get_model_metadata("shop")
    assert described["versions"] == [server.record["version"]]
    inputs = tensors(triton.InferInput, described["inputs"], rows, binary=binary)
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("label", "probabilities")]
    found = client.infer("shop", inputs, request_id="seven", outputs=wanted)
    assert found.get_response()["id"] == "seven"
    assert np.abs(found.as_numpy("probabilities") - expected_shares(server, rows)).max() < 1e-6
    assert found.as_numpy("label").shape == (len(rows),)
    client.close()


def test_a_triton_client_over_grpc_gets_what_predict_gives(server: Server, rows: list[dict[str, Any]]) -> None:
    triton = pytest.importorskip("tritonclient.grpc", reason="the test extra brings it")
    client = triton.InferenceServerClient(server.record["grpc"])
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("shop")
    described = client.get_model_metadata("shop", as_json=True)
    specs = server.client.get("/v2/models/shop").json()["inputs"]
    assert [entry["name"] for entry in described["inputs"]] == [spec["name"] for spec in specs]
    found = client.infer("shop", tensors(triton.InferInput, specs, rows, binary=None))
    assert np.abs(found.as_numpy("probabilities") - expected_shares(server, rows)).max() < 1e-6
    labels = {label.decode() for label in found.as_numpy("label")}
    assert labels == {"no", "yes"}
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="There is no such model"):
        client.infer("other", tensors(triton.InferInput, specs, rows, binary=None))
    with pytest.raises(InferenceServerException, match="The rows lack 4 of the model's columns"):
        client.infer("shop", tensors(triton.InferInput, specs[:1], rows, binary=None))
    client.close()


def test_our_messages_are_those_of_the_public_definition() -> None:
    """Field by field, name, number, type and label, as a public client's generated code has them."""
    public = pytest.importorskip("tritonclient.grpc.service_pb2", reason="the test extra brings it")
    for name, made in message_classes().items():
        other = public
        for part in name.split("."):
            other = getattr(other, part)
        theirs = {field.name: field for field in other.DESCRIPTOR.fields}
        assert made.DESCRIPTOR.full_name == other.DESCRIPTOR.full_name
        for field in made.DESCRIPTOR.fields:
            same = theirs[field.name]
            assert (field.number, field.type, field.is_repeated) == (same.number, same.type, same.is_repeated)


BAD = {
    "no inputs": {},
    "inputs is no list": {"inputs": 1},
    "no shape": {"inputs": [{"name": "age", "datatype": "FP64", "data": [1]}]},
    "a shape that lies": {"inputs": [{"name": "age", "datatype": "FP64", "shape": [2, 1], "data": [1]}]},
    "a shape without end": {"inputs": [{"name": "age", "datatype": "FP64", "shape": [1] * 99, "data": [1]}]},
    "a negative shape": {"inputs": [{"name": "age", "datatype": "FP64", "shape": [-1], "data": [1]}]},
    "ragged data": {"inputs": [{"name": "age", "datatype": "FP64", "shape": [2], "data": [[1], 2]}]},
    "one name twice": {"inputs": [{"name": "age", "datatype": "FP64", "shape": [1], "data": [1]}] * 2},
    "bytes that are not there": {
        "inputs": [{"name": "age", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}]
    },
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_tensor_is_refused(server: Server, name: str) -> None:
    answer = server.client.post("/v2/models/shop/infer", json=BAD[name])
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]


def test_a_length_of_the_head_that_lies_is_refused(server: Server) -> None:
    for header in ("99999", "x", "-1", "²"):
        answer = server.client.post(
            "/v2/models/shop/infer",
            content=b'{"inputs": []}',
            headers={"inference-header-content-length": header.encode()},
        )
        assert answer.status_code == 400
