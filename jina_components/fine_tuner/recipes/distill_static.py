"""Recipe: distil a transformer embedder into a static table of token vectors.

    python -m jina_components.fine_tuner.recipes.distill_static --teacher FOLDER_OR_HUB_NAME --to FOLDER

The method is Model2Vec's (Tulkens & van Dongen 2024, https://github.com/MinishLab/model2vec): every token
of the vocabulary goes through the teacher alone, the states are reduced by PCA and weighted by how rare the
token is; the vector of a text is the mean of its tokens' rows. With `--data PATH` the table is then fitted
to the teacher's vectors of real texts, and measured.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from jina_components.core.vectors import normalize
from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.data.sources import Source
from jina_components.fine_tuner.recipes.data.table_texts import SOURCES, collect
from jina_components.fine_tuner.recipes.static import fit, quality
from jina_components.fine_tuner.recipes.static.card import Facts, Teacher, write_card
from jina_components.fine_tuner.recipes.training.folders import read_json, teacher_folder

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

    from jina_components.types import FloatArray

RESERVED = ("[PAD]", "[UNK]")  # rows 0 and 1, all zero
UNUSED = re.compile(r"\[unused\d+\]")
# Of a token's vector, the share of the state of [CLS]; the rest is the token's own. Better than either alone.
CLS_SHARE = 2 / 3
SIF = 1e-4


def distill(
    teacher: str,
    to: Path,
    *,
    dimensions: int = 256,
    data: Path | None = None,
    seed: int = 0,
    cache: Path | None = None,
    sources: Sequence[Source[Iterable[str]]] = SOURCES,
) -> None:
    """Distils `teacher` into the folder `to`, model card included.

    Args:
        teacher: A BERT-like embedder with WordPiece tokens and mean pooling: a folder, or a name on the hub.
        to: Folder to write. sentence-transformers and model2vec load it too.
        dimensions: Of the vectors, at most the teacher's.
        data: Folder of `sources` and of the sets to measure on; without it, plain distillation.
        seed: Of the texts drawn and of their order.
        cache: Folder of the teacher's vectors of texts, which a later run reuses; else a temporary one.
        sources: The texts to fit to.

    Raises:
        ConfigError: the dimensions or the teacher do not suit, or `data` lacks a file.
        ModelFilesError: the teacher's files are incomplete.
    """
    folder = teacher_folder(teacher)
    tokenizer = read_tokenizer(folder)
    tokens = kept_tokens(tokenizer)
    trimmed = static_tokenizer(tokenizer, tokens)
    states = token_states(folder, tokenizer, tokens[len(RESERVED) :])
    texts = [] if data is None else collect(data, sources, seed)
    if texts:
        table = fitted_table(folder, trimmed, states, texts, dimensions=dimensions, seed=seed, cache=cache)
    else:
        table = token_table(states, fit_basis(states, dimensions))
    origin = Teacher(Path(teacher).name, licence(folder))
    save(to, table, trimmed, origin.name)
    measured = {} if data is None else quality.evaluate(quality.static_encoder(to), data)
    facts = Facts(origin, table.shape, fidelity(table), len(texts), sources if texts else (), measured)
    write_card(to, facts)


def fitted_table(
    folder: Path,
    tokenizer: Mapping[str, Any],
    states: FloatArray,
    texts: Sequence[str],
    *,
    dimensions: int,
    seed: int,
    cache: Path | None,
) -> FloatArray:
    """The plain table in the space of the teacher's vectors of `texts`, then fitted to them."""
    cache = cache or Path(tempfile.gettempdir()) / "jina-components-distill"
    sentences = fit.sentence_vectors(folder, texts, cache)
    basis = fit_basis(sentences, dimensions)
    bags = fit.token_bags(json.dumps(tokenizer), texts, first=len(RESERVED))
    return fit.fit(token_table(states, basis), bags, project(basis, sentences), seed=seed)


def licence(folder: Path) -> str:
    """The licence in the metadata of the teacher's card, or "unknown"."""
    card = folder / "README.md"
    found = re.search(r"^license: *(\S+)", card.read_text(encoding="utf-8"), re.M) if card.is_file() else None
    return found[1] if found else "unknown"


def read_tokenizer(folder: Path) -> dict[str, Any]:
    """The content of `tokenizer.json`.

    Raises:
        ConfigError: it is not a WordPiece tokenizer.
    """
    tokenizer = read_json(folder / "tokenizer.json")
    # Old files leave the type out; the prefix is WordPiece's alone.
    if "continuing_subword_prefix" not in tokenizer["model"] or "merges" in tokenizer["model"]:
        raise ConfigError(f"Teacher {folder} has no WordPiece tokenizer, the one kind this recipe knows.")
    return tokenizer


def kept_tokens(tokenizer: Mapping[str, Any]) -> list[str]:
    """The vocabulary in its order, after the reserved rows, without unused slots and special tokens."""
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    special = {entry["content"] for entry in tokenizer["added_tokens"]}
    words = (token for token in vocabulary if token not in special and not UNUSED.fullmatch(token))
    return [*RESERVED, *sorted(words, key=vocabulary.__getitem__)]


def token_states(folder: Path, tokenizer: Mapping[str, Any], tokens: Sequence[str]) -> FloatArray:
    """States of each token through the teacher as [CLS] token [SEP]; float32, shape [tokens, hidden]."""
    import torch
    from transformers import AutoModel

    vocabulary = tokenizer["model"]["vocab"]
    framed = torch.tensor([[vocabulary["[CLS]"], vocabulary[token], vocabulary["[SEP]"]] for token in tokens])
    model = AutoModel.from_pretrained(folder, use_safetensors=True).eval()
    states = []
    with torch.inference_mode():
        for inputs in tqdm(framed.split(256), desc="tokens", unit="batch"):
            hidden = model(input_ids=inputs).last_hidden_state
            states.append((CLS_SHARE * hidden[:, 0] + (1 - CLS_SHARE) * hidden[:, 1]).numpy())
    return np.concatenate(states)


def fit_basis(vectors: FloatArray, dimensions: int) -> PCA:
    """The principal components that the table lives in.

    Raises:
        ConfigError: there are fewer than `dimensions`.
    """
    from sklearn.decomposition import PCA

    if not 1 <= dimensions <= min(vectors.shape):
        raise ConfigError(f"dimensions must be within 1 and {min(vectors.shape)} here, got {dimensions}.")
    return PCA(dimensions, svd_solver="covariance_eigh").fit(vectors)


def project(basis: PCA, vectors: FloatArray) -> FloatArray:
    """Coordinates from the vectors' own mean, each over the root of its deviation: half way to whitening.

    Unscaled, the first few components outweigh the rest; wholly whitened, the last are noise.
    """
    centred = vectors - vectors.mean(axis=0)
    return np.asarray(centred @ basis.components_.T / basis.explained_variance_**0.25, np.float32)


def token_table(states: FloatArray, basis: PCA) -> FloatArray:
    """Plain distillation: projected states times their rarity, under the reserved rows."""
    rows = project(basis, states) * rarity(len(states))[:, None]
    return np.concatenate([np.zeros((len(RESERVED), rows.shape[1]), np.float32), rows])


def rarity(count: int) -> FloatArray:
    """SIF weights a / (a + p) (Arora et al. 2017), p by Zipf's law from the rank in the vocabulary."""
    inverse_rank = 1 / np.arange(2, count + 2)
    return np.asarray(SIF / (SIF + inverse_rank / inverse_rank.sum()), np.float32)


def quantize(table: FloatArray) -> tuple[NDArray[np.int8], FloatArray]:
    """int8 rows and their scales: `rows * scales[:, None]` is the table again, to a rounding."""
    scales = np.abs(table).max(axis=1) / 127
    rows = np.rint(table / np.where(scales > 0, scales, 1)[:, None])
    return rows.astype(np.int8), scales.astype(np.float32)


def fidelity(table: FloatArray) -> tuple[float, float]:
    """Mean and least cosine of the quantized rows against the float32 rows."""
    rows, scales = quantize(table[len(RESERVED) :])
    exact, rounded = (normalize(r) for r in (table[len(RESERVED) :], rows * scales[:, None]))
    cosines = (exact * rounded).sum(axis=1)
    return float(cosines.mean()), float(cosines.min())


def static_tokenizer(tokenizer: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    """The teacher's tokenizer over `tokens` alone: no frame, no padding, no truncation."""
    position = {token: i for i, token in enumerate(tokens)}
    kept = (entry for entry in tokenizer["added_tokens"] if entry["content"] in position)
    added = [{**entry, "id": position[entry["content"]]} for entry in kept]
    changed = {"added_tokens": added, "model": {**tokenizer["model"], "vocab": position}}
    return {**tokenizer, **changed, "truncation": None, "padding": None, "post_processor": None}


def save(folder: Path, table: FloatArray, tokenizer: Mapping[str, Any], teacher: str) -> None:
    """Writes the model in the layout that sentence-transformers and model2vec share."""
    from safetensors.numpy import save as to_bytes

    rows, scales = quantize(table)
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "tokenizer_name": teacher,
        "apply_pca": table.shape[1],
        "sif_coefficient": SIF,
        "hidden_dim": table.shape[1],
        "seq_length": 1_000_000,
        "normalize": True,
    }
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate({".": "StaticEmbedding", "1_Normalize": "Normalize"}.items())
    ]
    folder.mkdir(parents=True, exist_ok=True)
    # The library's writer of files leaves them readable by their owner alone.
    (folder / "model.safetensors").write_bytes(to_bytes({"embeddings": rows, "weights": scales}))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--teacher", required=True, help="folder, or name on the Hugging Face hub")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--data", type=Path, help="folder of texts to fit to and of sets to measure on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder that keeps the teacher's vectors between runs")
    options = parser.parse_args(arguments)
    distill(**vars(options))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    main()
