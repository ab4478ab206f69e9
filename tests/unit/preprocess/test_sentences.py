"""The sentence encoder, on a tiny one of the same format: pieces of words, files without code, batches that agree."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.errors import MissingExtraError, UsageError
from automl.matrix import Needs
from automl.preprocess import embeddings, multilingual, sentences
from automl.preprocess.bert_files import read_safetensors
from automl.preprocess.corpus import Texts
from automl.preprocess.embeddings import embed
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.sentences import (
    WIDTH,
    Encoder,
    check_encoder,
    gelu,
    gelu_by_tanh,
    load_encoder,
)
from automl.preprocess.table import Layout, TableEncoder
from automl.schema import Column, Role, Schema
from automl.task import Task, TaskKind

TASK = Task(kind=TaskKind.BINARY, target="y", classes=("a", "b"), metric="accuracy", maximize=True)
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "cafe", ",", "漢", "字", "good", "food"]


def write_encoder(folder: Path, width: int = WIDTH) -> Path:
    """One layer of so many numbers with random weights."""
    rng = np.random.default_rng(0)
    shapes = {
        "embeddings.word_embeddings.weight": (len(VOCABULARY), width),
        "embeddings.position_embeddings.weight": (sentences.MAX_PIECES, width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
        shapes[f"encoder.layer.0.{name}.weight"] = (width, width)
    shapes["encoder.layer.0.intermediate.dense.weight"] = (64, width)
    shapes["encoder.layer.0.output.dense.weight"] = (width, 64)
    for name in ("embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"):
        shapes[f"{name}.LayerNorm.weight"] = (width,)
    for name in [name for name in shapes if "embeddings.weight" not in name and "_embeddings" not in name]:
        shapes[name.removesuffix("weight") + "bias"] = (shapes[name][0],)
    header, content = {}, b""
    for name, shape in shapes.items():
        part = rng.normal(scale=0.1, size=shape).astype("<f4").tobytes()
        offsets = [len(content), len(content) + len(part)]
        header[f"bert.{name}"] = {"dtype": "F32", "shape": list(shape), "data_offsets": offsets}
        content += part
    said = json.dumps(header).encode()
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(np.uint64(len(said)).tobytes() + said + content)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    config = {"model_type": "bert", "num_hidden_layers": 1, "num_attention_heads": 12, "layer_norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Encoder]:
    folder = write_encoder(tmp_path / "encoder")
    monkeypatch.setattr(sentences, "_folder", lambda: folder)
    sentences.load_encoder.cache_clear()
    yield sentences.load_encoder()
    sentences.load_encoder.cache_clear()


def test_words_are_split_into_the_longest_known_pieces(encoder: Encoder) -> None:
    names = [VOCABULARY[number] for number in encoder.split("UNAFFABLE Café, 漢字 xyz")]
    assert names == ["[CLS]", "un", "##aff", "##able", "cafe", ",", "漢", "字", "[UNK]", "[SEP]"]


def test_a_long_text_is_read_to_a_limit(encoder: Encoder) -> None:
    assert len(encoder.split("good " * 1000)) == sentences.MAX_PIECES


def test_a_text_has_the_embedding_that_it_has_among_others(encoder: Encoder) -> None:
    texts = ["good food", "good", "", None, "cafe, " * 30]
    together = encoder.encode(texts)
    assert together.shape == (5, WIDTH) and together.dtype == np.float32
    for row, text in enumerate(texts):
        np.testing.assert_allclose(encoder.encode([text])[0], together[row], atol=2e-3)
    assert not together[2].any() and not together[3].any()
    np.testing.assert_allclose(np.linalg.norm(together[0]), np.sqrt(WIDTH), rtol=1e-3)


def test_what_one_worker_encoded_no_other_encodes_again(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "CHUNK", 2)
    values = ["good food", "cafe", "food", "good", "un"]
    first = embed(Texts(Texts.pack(values).corpus, np.array([4, 0, 2]), tmp_path / "store"), "sentences")
    monkeypatch.setattr(Encoder, "encode", lambda self, texts: pytest.fail("encoded twice"))
    again = embed(Texts(Texts.pack(values).corpus, np.array([4, 0, 2]), tmp_path / "store"), "sentences")
    np.testing.assert_array_equal(first, again)


def test_gelu_is_that_of_the_error_function() -> None:
    from math import erf

    x = np.linspace(-6, 6, 101, dtype=np.float32)
    expected = [value * 0.5 * (1 + erf(value / 2**0.5)) for value in x.tolist()]
    np.testing.assert_allclose(gelu(x), expected, atol=2e-6)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\x80\x04" + b"\xff" * 100)
    with pytest.raises(ValueError, match="no safetensors"):
        read_safetensors(tmp_path / "x.safetensors")


def test_without_the_package_the_choice_is_not_there_and_a_model_that_needs_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sentences, "_folder", lambda: None)
    monkeypatch.setattr(multilingual, "is_available", lambda: False)
    sentences.load_encoder.cache_clear()
    layout = Layout(numbers=(), categories=(), levels=(), dates=(), texts=("t",), text_bytes=100)
    assert "text_features" not in plan_space(Needs(), layout).parameters
    with pytest.raises(MissingExtraError, match="encoder is not installed") as refusal:
        embed(Texts.pack(["good food"]), "sentences")
    assert "automl[text]" in refusal.value.hint


def test_with_it_a_dense_matrix_can_be_made_of_embeddings(encoder: Encoder) -> None:
    layout = Layout(numbers=(), categories=(), levels=(), dates=(), texts=("t",), text_bytes=100)
    space = plan_space(Needs(), layout)
    transformer = Transformer(Needs(), space.complete({"text_features": "sentences"}), layout)
    assert len(transformer.features()) == WIDTH


def test_a_recipe_can_leave_the_encoder_out_where_it_is_installed(encoder: Encoder) -> None:
    layout = Layout(numbers=(), categories=(), levels=(), dates=(), texts=("t",), text_bytes=100)
    assert "text_features" in plan_space(Needs(), layout).parameters
    told = Layout.from_json(dataclasses.replace(layout, encoder=False).to_json())
    assert "text_features" not in plan_space(Needs(), told).parameters


def test_a_given_encoder_reads_the_texts_and_is_named_by_the_model(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "bert", width=24)
    check_encoder(folder)
    encoder = TableEncoder(
        Schema((Column(name="said", role=Role.TEXT, reason=""),)), sentences=True, backbone=str(folder)
    )
    table = encoder.encode(pd.DataFrame({"said": ["good food", "cafe", "good"]}))
    needs = Needs(text="dense")
    params = plan_space(needs, table.layout).complete({"text_features": "sentences"})
    transformer = Transformer(needs, params, table.layout)
    fit_rows = FitRows(task=TASK, target=np.array([0, 1, 0]), seed=0)
    matrix = transformer.fit(table, fit_rows)
    assert len(transformer.features()) == matrix.shape[1] == 24 + len(table.layout.numbers)
    transformer.save(tmp_path / "transform.npz")

    plain = TableEncoder(Schema((Column(name="said", role=Role.TEXT, reason=""),))).encode(
        pd.DataFrame({"said": ["good food", "cafe", "good"]})
    )
    loaded = Transformer.load(tmp_path / "transform.npz", plain.layout)  # who predicts names no encoder
    np.testing.assert_array_equal(loaded.transform(plain), matrix)

    (folder / "model.safetensors").rename(tmp_path / "away")
    load_encoder.cache_clear()
    with pytest.raises(MissingExtraError, match="which is not there"):
        Transformer.load(tmp_path / "transform.npz", plain.layout).transform(
            TableEncoder(Schema((Column(name="said", role=Role.TEXT, reason=""),))).encode(
                pd.DataFrame({"said": ["another"]})
            )
        )


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: shutil.rmtree(folder), "There is no folder"),
        (lambda folder: (folder / "vocab.txt").unlink(), "has no vocab.txt"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "roberta"}'), "a roberta with gelu, not"),
        (lambda folder: (folder / "config.json").write_text("no json"), "holds no BERT that can be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100), "holds no BERT that can be read"),
        (lambda folder: (folder / "vocab.txt").write_text("a\nb"), "holds no BERT that can be read"),
    ],
)
def test_what_is_no_encoder_is_refused_in_one_sentence(tmp_path: Path, break_it: Any, said: str) -> None:
    folder = write_encoder(tmp_path / "bert", width=24)
    break_it(folder)
    with pytest.raises(UsageError, match=said) as caught:
        check_encoder(folder)
    assert "save_pretrained" in caught.value.hint


def test_a_vocabulary_of_both_cases_keeps_them(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "bert", width=24)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    names = [VOCABULARY[number] for number in Encoder(folder).split("good Good café")]
    assert names == ["[CLS]", "good", "[UNK]", "[UNK]", "[SEP]"]


def write_preset(folder: Path, like: Path, heads: int = 4) -> Path:
    """The encoder in the folder `like` as KerasHub's `save_to_preset` lays it out."""
    import h5py

    weights = read_safetensors(like / "model.safetensors")
    width = weights["embeddings.LayerNorm.bias"].shape[0]
    arrays: dict[str, tuple[Any, ...]] = {
        "reversible_embedding": (weights["embeddings.word_embeddings.weight"],),
        "position_embedding": (weights["embeddings.position_embeddings.weight"],),
        "embedding": (weights["embeddings.token_type_embeddings.weight"],),
    }
    for place, name in {
        "layer_normalization": "embeddings.LayerNorm",
        "transformer_encoder/_self_attention_layer_norm": "encoder.layer.0.attention.output.LayerNorm",
        "transformer_encoder/_feedforward_intermediate_dense": "encoder.layer.0.intermediate.dense",
        "transformer_encoder/_feedforward_output_dense": "encoder.layer.0.output.dense",
        "transformer_encoder/_feedforward_layer_norm": "encoder.layer.0.output.LayerNorm",
    }.items():
        arrays[place] = (weights[f"{name}.weight"].T, weights[f"{name}.bias"])
    block = "encoder.layer.0.attention"
    for part in ("query", "key", "value"):
        kernel, bias = weights[f"{block}.self.{part}.weight"].T, weights[f"{block}.self.{part}.bias"]
        shaped = kernel.reshape(width, heads, -1), bias.reshape(heads, -1)
        arrays[f"transformer_encoder/_self_attention_layer/{part}_dense"] = shaped
    kernel = weights[f"{block}.output.dense.weight"].T.reshape(heads, -1, width)
    shaped = kernel, weights[f"{block}.output.dense.bias"]
    arrays["transformer_encoder/_self_attention_layer/output_dense"] = shaped
    (folder / "assets" / "tokenizer").mkdir(parents=True)
    with h5py.File(folder / "model.weights.h5", "w") as file:
        for place, parts in arrays.items():
            for number, part in enumerate(parts):
                file[f"layers/{place}/vars/{number}"] = part
    (folder / "assets" / "tokenizer" / "vocabulary.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    config = {"num_layers": 1, "num_heads": heads, "hidden_dim": width}
    (folder / "config.json").write_text(json.dumps({"class_name": "BertBackbone", "config": config}))
    (folder / "tokenizer.json").write_text(json.dumps({"config": {"lowercase": True, "strip_accents": False}}))
    return folder


def write_both(folder: Path) -> tuple[Path, Path]:
    """One BERT of four heads in Hugging Face's layout, and in KerasHub's."""
    like = write_encoder(folder / "bert", width=24)
    config = json.loads((like / "config.json").read_text()) | {"num_attention_heads": 4}
    (like / "config.json").write_text(json.dumps(config))
    return like, write_preset(folder / "preset", like)


def test_a_preset_of_kerashub_is_read_as_the_same_bert_in_the_other_layout(tmp_path: Path) -> None:
    like, preset = (Encoder(folder) for folder in write_both(tmp_path))
    check_encoder(tmp_path / "preset")
    assert set(preset.weights) == set(like.weights)
    for name, array in like.weights.items():
        np.testing.assert_array_equal(preset.weights[name], array)
    texts: list[str | None] = ["good food", "unaffable, good", None]
    # but for the activation, whose form with the hyperbolic tangent differs by less than a thousandth
    np.testing.assert_allclose(preset.encode(texts), like.encode(texts), atol=5e-3)
    assert (preset.encode(texts) != 0).any(axis=1).tolist() == [True, True, False]


def test_a_preset_says_itself_what_is_done_to_accents_and_cases(tmp_path: Path) -> None:
    folder = write_both(tmp_path)[1]
    assert [VOCABULARY[number] for number in Encoder(folder).split("Good café")][1:-1] == ["good", "[UNK]"]
    (folder / "tokenizer.json").write_text(json.dumps({"config": {"lowercase": False, "strip_accents": True}}))
    assert [VOCABULARY[number] for number in Encoder(folder).split("Good café")][1:-1] == ["[UNK]", "cafe"]


def test_gelu_by_tanh_is_that_of_keras() -> None:
    import keras

    x = np.linspace(-6, 6, 101, dtype=np.float32)
    np.testing.assert_allclose(gelu_by_tanh(x), np.asarray(keras.ops.gelu(x, approximate=True)), atol=2e-6)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: (folder / "model.weights.h5").unlink(), "has no model.weights.h5"),
        (lambda folder: (folder / "assets/tokenizer/vocabulary.txt").unlink(), "has no assets/tokenizer/vocab"),
        (lambda folder: (folder / "config.json").write_text('{"class_name": "GemmaBackbone"}'), "a GemmaBackbone, not"),
        (lambda folder: (folder / "config.json").write_text("[]"), "holds no BERT that can be read"),
        (lambda folder: (folder / "model.weights.h5").write_bytes(b"x" * 100), "holds no BERT that can be read"),
    ],
)
def test_a_preset_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, break_it: Any, said: str) -> None:
    folder = write_both(tmp_path)[1]
    break_it(folder)
    with pytest.raises(UsageError, match=said) as caught:
        check_encoder(folder)
    assert "BertBackbone" in caught.value.hint
