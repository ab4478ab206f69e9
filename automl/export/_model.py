"""A graph of `automl.graph` as an ONNX model."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.graph import TREES, Graph

# The oldest operator sets that hold everything a graph uses: TreeEnsemble came with 5 of ai.onnx.ml.
OPSETS = {"": 21, TREES: 5}
IR_VERSION = 10


def build_model(graph: Graph, *, name: str, facts: dict[str, str]) -> Any:
    """An `onnx.ModelProto`, checked.

    Args:
        facts: texts kept as the model's metadata.
    """
    import onnx
    from onnx import helper, numpy_helper

    types = {
        "float32": onnx.TensorProto.FLOAT,
        "float64": onnx.TensorProto.DOUBLE,
        "int32": onnx.TensorProto.INT32,
        "int64": onnx.TensorProto.INT64,
        "bool": onnx.TensorProto.BOOL,
        "str": onnx.TensorProto.STRING,
        "uint8": onnx.TensorProto.UINT8,
        "int8": onnx.TensorProto.INT8,
    }
    nodes = []
    for node in graph.nodes:
        attributes = {
            key: numpy_helper.from_array(value, key)
            if isinstance(value, np.ndarray)
            else types[value]
            if node.op == "Cast"
            else value
            for key, value in node.attributes.items()
        }
        nodes.append(helper.make_node(node.op, node.inputs, node.outputs, domain=node.domain, **attributes))
    inputs = [
        helper.make_tensor_value_info(name, types[dtype], ["rows", *graph.shapes[name]])
        for name, dtype in graph.inputs.items()
    ]
    outputs = [
        helper.make_tensor_value_info(key, types[dtype], ["rows", columns] if columns else ["rows"])
        for key, (_, dtype, columns) in graph.outputs.items()
    ]
    constants = [numpy_helper.from_array(array, key) for key, array in graph.constants.items()]
    body = helper.make_graph(nodes, name, inputs, outputs, constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(body, opset_imports=opsets, ir_version=IR_VERSION, producer_name="automl")
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model)
    return model
