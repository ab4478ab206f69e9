"""TensorFlow's SavedModel of the whole ensemble, with version folder and signature as TF Serving wants them."""

from __future__ import annotations

from pathlib import Path

from automl.export import Facts, Format, Source
from automl.export._answer import answer
from automl.export.onnx import build_graph, copy_scripts
from automl.files import write_json
from automl.matrix import FloatArray

REQUIRES = ("tensorflow",)
VERSION = "1"


class SavedModel:
    title = "a SavedModel"
    executes = True
    from_graph = True

    def write(self, source: Source, folder: Path) -> Facts:
        from automl.export._tensorflow import build_function, start_tensorflow

        graph, signature = build_graph(source.predictor)
        with start_tensorflow() as tf:
            module, serve = build_function(graph, narrow=False)
            tf.saved_model.save(module, str(folder / VERSION), signatures={"serving_default": serve})
        inputs = signature["inputs"]
        specs = serve.get_concrete_function().structured_input_signature[0]
        tensors = dict(zip(graph.inputs, (spec.name for spec in specs), strict=True))
        for entry in inputs:
            entry["tensor"] = tensors[entry["name"]]
        write_json(folder / "signature.json", signature)
        copy_scripts(folder, signature)
        (folder / "predict.py").unlink()  # it runs another format
        return Facts(
            summary="A SavedModel that takes the raw columns and gives the label and the probabilities, the whole "
            "ensemble with its preprocessing inside.",
            run=(
                'docker run --rm -p 8501:8501 -v "$PWD":/models/model tensorflow/serving',
                "curl -s localhost:8501/v1/models/model/metadata",
            ),
            needs=(f"tensorflow>={tf.__version__}",),
            limits=(
                "Each column is a tensor (rows, 1) under the name that signature.json gives it: numbers float32 with "
                "NaN for missing, texts with '' for missing; prepare.py makes them of raw cells.",
            ),
            notes={"nodes": len(graph.nodes)},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return answer("savedmodel", folder, rows)


plugin: Format = SavedModel()
