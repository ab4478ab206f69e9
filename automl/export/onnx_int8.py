"""The ONNX graph with the weights of its networks and linear models as 8-bit integers; kept if it scores as well."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from automl.errors import ConstraintError
from automl.export import Facts, Format, Source
from automl.export._forms import KEEP, build_plain, measure_forms
from automl.export.onnx import FILE, predict_rows
from automl.export.onnx import plugin as onnx_format
from automl.files import write_bytes
from automl.matrix import FloatArray

REQUIRES = ("onnx", "onnxruntime")
EXTRA = "onnx"


class OnnxInt8:
    """Dynamic quantisation: weights are stored as int8 with a scale, activations are rounded as they come
    (Jacob et al. 2018, arXiv:1712.05877). Trees have no weights and stay as they are."""

    title = "an ONNX graph of 8-bit weights"
    executes = False
    from_graph = True
    proof = "score"

    def write(self, source: Source, folder: Path) -> Facts:
        facts = onnx_format.write(source, folder)
        plain = (folder / FILE).read_bytes()
        small = quantise(plain)
        if len(small) >= len(plain):
            raise ConstraintError(
                f"8-bit weights save nothing here: {len(plain) / 1e6:.2f} MB become {len(small) / 1e6:.2f} MB, for the "
                "model is made of trees or is small",
                hint="automl export RUN --format onnx --max-size 500KB cuts the ensemble",
            )
        builds = {"float32": build_plain, "int8": lambda predictor: quantise(build_plain(predictor))}
        before, after = measure_forms(source, builds)
        if after.kept < KEEP:
            raise ConstraintError(
                f"With 8-bit weights {after.kept:.1%} of the gain over a constant answer is left ({after.score:.4g} in "
                f"place of {before.score:.4g}), and {KEEP:.0%} are demanded",
                hint="automl export RUN --format onnx keeps the weights as they are",
            )
        write_bytes(folder / FILE, small)
        return dataclasses.replace(
            facts,
            summary="One ONNX graph that takes the raw columns, its weights rounded to 8 bits.",
            limits=(
                *facts.limits,
                f"Rounding keeps {after.kept:.1%} of the gain; single answers differ, see manifest.json.",
            ),
            proof=f"Its out-of-fold score is {after.score:.5g}, {before.score:.5g} before the rounding.",
            notes={**facts.notes, "forms": [dataclasses.asdict(form) for form in (before, after)], "kept": after.kept},
        )

    def predict(self, folder: Path, rows: Path) -> FloatArray:
        return predict_rows(folder, rows, FILE)


def quantise(model: bytes) -> bytes:
    """The graph with the constant matrices of its products as int8."""
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises on a preparation that these graphs do not need
    try:
        with tempfile.TemporaryDirectory() as place:
            one, other = Path(place) / "in.onnx", Path(place) / "out.onnx"
            one.write_bytes(model)
            quantize_dynamic(one, other, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8)
            return other.read_bytes()
    finally:
        logger.setLevel(level)


plugin: Format = OnnxInt8()
