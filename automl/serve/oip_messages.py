"""The messages of the Open Inference Protocol's gRPC service, built from its public definition at run time.

They live in a pool of their own, so that a client library in the same process may have its own copy of them.
https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
"""

from __future__ import annotations

from functools import cache
from typing import Any

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

# message → its fields in order of their numbers; `*` is repeated, `<>` a map from names to parameters, `|` one of
_TENSOR = "name:string datatype:string shape:*int64 parameters:<> contents:InferTensorContents"
_MESSAGES = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live:bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready:bool",
    "ModelReadyRequest": "name:string version:string",
    "ModelReadyResponse": "ready:bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name:string version:string extensions:*string",
    "ModelMetadataRequest": "name:string version:string",
    "ModelMetadataResponse": "name:string versions:*string platform:string "
    "inputs:*ModelMetadataResponse.TensorMetadata outputs:*ModelMetadataResponse.TensorMetadata",
    "ModelMetadataResponse.TensorMetadata": "name:string datatype:string shape:*int64",
    "InferParameter": "|bool_param:bool |int64_param:int64 |string_param:string |double_param:double "
    "|uint64_param:uint64",
    "InferTensorContents": "bool_contents:*bool int_contents:*int32 int64_contents:*int64 uint_contents:*uint32 "
    "uint64_contents:*uint64 fp32_contents:*float fp64_contents:*double bytes_contents:*bytes",
    "ModelInferRequest": "model_name:string model_version:string id:string parameters:<> "
    "inputs:*ModelInferRequest.InferInputTensor outputs:*ModelInferRequest.InferRequestedOutputTensor "
    "raw_input_contents:*bytes",
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": "name:string parameters:<>",
    "ModelInferResponse": "model_name:string model_version:string id:string parameters:<> "
    "outputs:*ModelInferResponse.InferOutputTensor raw_output_contents:*bytes",
    "ModelInferResponse.InferOutputTensor": _TENSOR,
}
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")


@cache
def message_classes() -> dict[str, Any]:
    """Name → class of every message."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="open_inference_grpc.proto", package=PACKAGE, syntax="proto3")
    made: dict[str, Any] = {}
    for name, text in sorted(_MESSAGES.items(), key=lambda item: item[0].count(".")):
        outer, _, inner = name.rpartition(".")
        message = made[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=name)
        made[name] = message
        _add_fields(message, name, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


def _add_fields(message: Any, owner: str, text: str) -> None:
    from google.protobuf import descriptor_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    for number, entry in enumerate(text.split(), start=1):
        name, _, kind = entry.removeprefix("|").partition(":")
        repeated = kind.startswith("*") or kind == "<>"
        field = message.field.add(
            name=name, number=number, label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        )
        kind = kind.removeprefix("*")
        if kind == "<>":
            field.type, field.type_name = kinds.TYPE_MESSAGE, f".{PACKAGE}.{owner}.ParametersEntry"
            _add_map(message)
        elif kind[0].isupper():
            field.type, field.type_name = kinds.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
        else:
            field.type = getattr(kinds, f"TYPE_{kind.upper()}")
        if entry.startswith("|"):
            if not message.oneof_decl:
                message.oneof_decl.add(name="parameter_choice")
            field.oneof_index = 0


def _add_map(message: Any) -> None:
    from google.protobuf import descriptor_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    entry = message.nested_type.add(name="ParametersEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=kinds.LABEL_OPTIONAL, type=kinds.TYPE_STRING)
    entry.field.add(
        name="value",
        number=2,
        label=kinds.LABEL_OPTIONAL,
        type=kinds.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.InferParameter",
    )
