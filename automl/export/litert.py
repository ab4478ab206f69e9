"""One .tflite file of the whole ensemble for LiteRT's interpreter; categories enter as codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.export import Facts, Format, Source
from automl.export._answer import answer
from automl.export.onnx import build_graph, copy_scripts
from automl.files import write_bytes, write_json
from automl.graph import Graph, NoGraphError
from automl.matrix import FloatArray

REQUIRES = ("tensorflow",)
FILE = "model.tflite"


class LiteRT:
    title = "a LiteRT model"
    executes = False
    from_graph = True

    def write(self, source: Source, folder: Path) -> Facts:
        from automl.export._tensorflow import build_function, start_tensorflow

        graph, signature = build_graph(source.predictor)
        _refuse_texts(graph)
        _only_outputs(graph, signature)
        with start_tensorflow() as tf:
            module, serve = build_function(graph, narrow=True)
            concrete = serve.get_concrete_function()
            converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
            try:
                content = converter.convert()
            except Exception as error:  # the converter's own kinds, and whatever MLIR raises
                missing = [line for line in str(error).splitlines() if line.startswith("TF Select ops")]
                reason = next(iter([*missing, *str(error).splitlines()]), type(error).__name__)
                raise NoGraphError(f"LiteRT cannot take this model: {reason[:200]}", hint="--format onnx") from error
        write_bytes(folder / FILE, content)
        inputs = signature["inputs"]
        specs = concrete.structured_input_signature[0]
        tensors = dict(zip(graph.inputs, (spec.name for spec in specs), strict=True))
        codes = {n.inputs[0]: n.attributes for n in graph.nodes if "keys_strings" in n.attributes}
        for entry in inputs:
            entry["tensor"] = tensors[entry["name"]]
            if entry["name"] in codes:
                table = codes[entry["name"]]
                entry["codes"] = dict(zip(table["keys_strings"], table["values_int64s"], strict=True))
                entry["unseen"] = table["default_int64"]
        write_json(folder / "signature.json", signature)
        copy_scripts(folder, signature)
        (folder / "predict.py").unlink()  # it runs another format
        return Facts(
            summary="A .tflite file for LiteRT that takes the columns and gives the probabilities, the whole "
            "ensemble with its preprocessing inside.",
            run=(
                "python -c \"import tensorflow as t; print(t.lite.Interpreter('model.tflite').get_signature_list())\"",
            ),
            needs=("ai-edge-litert or tensorflow",),
            limits=(
                "LiteRT takes no texts: a category enters as the int64 code that `codes` of signature.json gives its "
                "text (`unseen` for any other); prepare.py brings texts into that spelling.",
                "It gives the outputs only; signature.json has the classes in their order and the threshold.",
            ),
            notes={"nodes": len(graph.nodes)},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return answer("litert", folder / FILE, rows)


def _refuse_texts(graph: Graph) -> None:
    named = [name for name, source in graph.sources.items() if source["kind"] in ("ngrams", "words")]
    if named:
        raise NoGraphError(
            f"LiteRT has no look-up by keys, which the words of the column {graph.sources[named[0]]['column']!r} need",
            hint="--format onnx",
        )


def _only_outputs(graph: Graph, signature: dict[str, Any]) -> None:
    """Labels are texts, which LiteRT does not have."""
    outputs = signature["outputs"]
    if len(outputs) > 1:
        name = outputs[0]["name"]
        graph.outputs.pop(name)
        place = next(at for at, node in enumerate(graph.nodes) if node.outputs == (name,))
        used = {given for at, node in enumerate(graph.nodes) if at != place for given in node.inputs}
        label = graph.nodes[place].inputs[0]
        graph.nodes[:] = [n for n in graph.nodes if name not in n.outputs and (label not in n.outputs or label in used)]
        needed = {given for node in graph.nodes for given in node.inputs}
        graph.constants = {key: array for key, array in graph.constants.items() if key in needed}
        signature["outputs"] = outputs[1:]


plugin: Format = LiteRT()
