"""A BERT from a folder: its vocabulary, its weights by Hugging Face's names, and what else its arithmetic depends on.

Two layouts are read: that of `save_pretrained` (Hugging Face) and a preset of KerasHub (`save_to_preset`), whose files
are all that is needed of it. Both hold plain numbers and texts; nothing in them can execute.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.matrix import FloatArray

_TYPES = {"F32": "<f4", "F16": "<f2"}
KERAS_VOCABULARY, KERAS_WEIGHTS = "assets/tokenizer/vocabulary.txt", "model.weights.h5"
KERAS_EPSILON = 1e-12  # of its BertBackbone, in code and not in the file
# Layers of one block by KerasHub's names, and Hugging Face's.
_KERAS_LAYERS = {
    "_self_attention_layer/query_dense": "attention.self.query",
    "_self_attention_layer/key_dense": "attention.self.key",
    "_self_attention_layer/value_dense": "attention.self.value",
    "_self_attention_layer/output_dense": "attention.output.dense",
    "_self_attention_layer_norm": "attention.output.LayerNorm",
    "_feedforward_intermediate_dense": "intermediate.dense",
    "_feedforward_output_dense": "output.dense",
    "_feedforward_layer_norm": "output.LayerNorm",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BertFiles:
    """What was read.

    Attributes:
        words: pieces of words; the number of each is its place.
        weights: Hugging Face's name → array.
        layers, heads, epsilon: of the encoder, and what is added to the variances of normalisation.
        lower, strips_accents: what is done to a text before it is split.
        approximates: whether the activation is the hyperbolic tangent's form of gelu.
    """

    words: list[str]
    weights: dict[str, FloatArray]
    layers: int
    heads: int
    epsilon: float
    lower: bool
    strips_accents: bool
    approximates: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to lay out a folder.

    Attributes:
        files: what has to be there.
        describe: config → kind and activation, such as "a roberta with gelu", of what is no BERT; "" for a BERT.
    """

    files: tuple[str, ...]
    describe: Callable[[dict[str, Any]], str]
    read: Callable[[Path], BertFiles]


def find_layout(folder: Path) -> Layout:
    """KerasHub's where a file of its own is there, else Hugging Face's."""
    is_preset = any((folder / name).is_file() for name in (KERAS_VOCABULARY, KERAS_WEIGHTS))
    return KERAS_HUB if is_preset else HUGGING_FACE


def read_json_file(path: Path) -> dict[str, Any]:
    """A JSON object; {} where there is no file.

    Raises:
        ValueError: if the file holds anything else.
    """
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no JSON object")
    return found


def _describe_hugging_face(config: dict[str, Any]) -> str:
    kind, activation = str(config.get("model_type")), str(config.get("hidden_act", "gelu"))
    return "" if (kind, activation) == ("bert", "gelu") else f"a {kind} with {activation}"


def _read_hugging_face(folder: Path) -> BertFiles:
    config = read_json_file(folder / "config.json")
    lower = bool(read_json_file(folder / "tokenizer_config.json").get("do_lower_case", True))
    return BertFiles(
        words=(folder / "vocab.txt").read_text(encoding="utf-8").split("\n"),
        weights=read_safetensors(folder / "model.safetensors"),
        layers=int(config["num_hidden_layers"]),
        heads=int(config["num_attention_heads"]),
        epsilon=float(config["layer_norm_eps"]),
        lower=lower,
        strips_accents=lower,
    )


def read_safetensors(path: Path) -> dict[str, FloatArray]:
    """Arrays of a .safetensors file: eight bytes of length, a JSON header, and plain numbers; nothing can execute."""
    content = np.memmap(path, dtype=np.uint8, mode="r")
    length = int(content[:8].view("<u8")[0])
    if not 0 < length < 10_000_000:
        raise ValueError(f"{path.name} is no safetensors file")
    header = json.loads(content[8 : 8 + length].tobytes())
    found = {}
    for name, facts in header.items():
        if name == "__metadata__" or facts["dtype"] not in _TYPES:
            continue
        start, end = facts["data_offsets"]
        plain = content[8 + length + start : 8 + length + end].view(_TYPES[facts["dtype"]]).reshape(facts["shape"])
        name = name.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
        found[name.replace("LayerNorm.beta", "LayerNorm.bias")] = plain.astype(np.float32, copy=False)
    return found


def _describe_keras(config: dict[str, Any]) -> str:
    kind = str(config.get("class_name"))
    return "" if kind == "BertBackbone" else f"a {kind}"


def _read_keras(folder: Path) -> BertFiles:
    facts = read_json_file(folder / "config.json")["config"]
    tokenizer = read_json_file(folder / "tokenizer.json").get("config", {})
    return BertFiles(
        words=(folder / KERAS_VOCABULARY).read_text(encoding="utf-8").split("\n"),
        weights=_read_keras_weights(folder / KERAS_WEIGHTS, int(facts["num_layers"])),
        layers=int(facts["num_layers"]),
        heads=int(facts["num_heads"]),
        epsilon=KERAS_EPSILON,
        lower=bool(tokenizer.get("lowercase", False)),
        strips_accents=bool(tokenizer.get("strip_accents", False)),
        approximates=True,
    )


def _read_keras_weights(path: Path, layers: int) -> dict[str, FloatArray]:
    """Arrays of a .weights.h5: groups named by the class of each layer and its place among those of its class."""
    import h5py

    found: dict[str, FloatArray] = {}
    with h5py.File(path, "r") as file:
        root = file["layers"]

        def read(place: str, number: int) -> FloatArray:
            return np.asarray(root[f"{place}/vars/{number}"][()], dtype=np.float32)

        found["embeddings.word_embeddings.weight"] = read("reversible_embedding", 0)
        found["embeddings.position_embeddings.weight"] = read("position_embedding", 0)
        found["embeddings.token_type_embeddings.weight"] = read("embedding", 0)
        places = {"layer_normalization": "embeddings.LayerNorm"}
        for layer in range(layers):
            block = f"transformer_encoder_{layer}" if layer else "transformer_encoder"
            places |= {f"{block}/{own}": f"encoder.layer.{layer}.{name}" for own, name in _KERAS_LAYERS.items()}
        for place, name in places.items():
            kernel = read(place, 0)
            bias = read(place, 1).reshape(-1)
            if kernel.ndim > 1:  # heads are axes of their own there, and outputs come last
                kernel = kernel.reshape(-1, len(bias)).T
            found[f"{name}.weight"], found[f"{name}.bias"] = np.ascontiguousarray(kernel), bias
    return found


HUGGING_FACE = Layout(
    files=("config.json", "vocab.txt", "model.safetensors"), describe=_describe_hugging_face, read=_read_hugging_face
)
KERAS_HUB = Layout(files=("config.json", KERAS_VOCABULARY, KERAS_WEIGHTS), describe=_describe_keras, read=_read_keras)
