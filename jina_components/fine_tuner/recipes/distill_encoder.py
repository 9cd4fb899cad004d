"""Recipe: distil a transformer embedder into one of fewer layers.

    python -m jina_components.fine_tuner.recipes.distill_encoder --teacher FOLDER --data DATA --work FOLDER --to FOLDER

The student keeps some of the teacher's layers and learns to give what the teacher gives: the states of all tokens
(TinyBERT, Jiao et al. 2020) and their mean, on texts of `encoder_texts.SOURCES` cut to many lengths. Its vectors are
then turned to axes of which the first 64, 128 or 256 alone do for the whole (`matryoshka_axes`).

A run that was interrupted goes on from its last checkpoint in `--work`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.numpy import save as to_bytes
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import BertModel

from jina_components.core.vectors import normalize
from jina_components.fine_tuner.recipes.data import encoder_texts
from jina_components.fine_tuner.recipes.data.table_texts import collect
from jina_components.fine_tuner.recipes.quality.dev import DevSets
from jina_components.fine_tuner.recipes.training import loop
from jina_components.fine_tuner.recipes.training.batches import Batches, pad
from jina_components.fine_tuner.recipes.training.folders import read_json, save_tokenizer, teacher_folder, write_json
from jina_components.fine_tuner.recipes.training.matryoshka import matryoshka_axes
from jina_components.models.architectures.bert import read_weights
from jina_components.models.backends.packed import PackedEncoder, load_packed
from jina_components.models.sequences import TokenSequence
from jina_components.models.stored import round_words

if TYPE_CHECKING:
    from jina_components.types import FloatArray

log = logging.getLogger(__name__)

# Of all choices of four from six, the nearest to the teacher before any training (cosine .87; evenly spread: .80).
LAYERS = (0, 2, 4, 5)
# Weight of the pooled vector's loss beside that of the tokens' states; with it both are about as large at the end.
POOLED = 4.0
BUDGET = 4096  # tokens of a step
# Most tokens of a text, and of the few that teach the later positions.
SHORT, LONG, LONG_SHARE = 128, 256, 0.15
# Longest input of the student: as many positions as the teacher has, though it is seldom asked for so many.
CONTEXT = 512
UNSEEN = 512  # texts kept aside, to see how far the student is
_SLICE = 10_000  # texts tokenized at once
AXES = 10_000  # texts that the axes are found with
SHARES = (1 / 6, 1 / 3, 2 / 3)  # of the dimensions, that vectors are cut to: 64, 128 and 256 of 384


class Student(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """An encoder with some layers of the teacher; its word vectors stay what they are once rounded to 4 bits."""

    def __init__(self, teacher: Path, layers: Sequence[int]) -> None:
        super().__init__()
        # Written out, attention trains faster on a CPU than the fused form: its backward pass is slow for short texts.
        self.encoder = BertModel.from_pretrained(
            teacher, attn_implementation="eager", add_pooling_layer=False, use_safetensors=True
        )
        self.encoder.encoder.layer = torch.nn.ModuleList([self.encoder.encoder.layer[i] for i in layers])
        self.encoder.config.num_hidden_layers = len(layers)
        self.encoder.config.hidden_dropout_prob = self.encoder.config.attention_probs_dropout_prob = 0.0
        for module in self.encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        words = self.encoder.embeddings.word_embeddings.weight.requires_grad_(requires_grad=False)
        with torch.no_grad():
            words.copy_(torch.from_numpy(round_words(words.detach().numpy())))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The tokens' states, float32, shape [texts, length, hidden]."""
        with torch.autocast(ids.device.type, torch.bfloat16):
            states: torch.Tensor = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return states.float()


def pooled(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the tokens' states, shape [texts, hidden]."""
    return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def losses(student: Student, teacher: PackedEncoder, sequences: Sequence[TokenSequence]) -> loop.Losses:
    """Distance of the tokens' states, over the teacher's variance, and of their mean, by cosine."""
    ids, mask = pad(sequences, next(student.parameters()).device)
    goal = teacher_states(teacher, sequences, mask)
    got = student(ids, mask)
    real = mask.bool()
    tokens = functional.mse_loss(got[real], goal[real]) / goal[real].var()
    cosines = functional.cosine_similarity(pooled(got, mask), pooled(goal, mask))
    return {"tokens": tokens, "pooled": POOLED * (1 - cosines).mean()}


def teacher_states(teacher: PackedEncoder, sequences: Sequence[TokenSequence], mask: torch.Tensor) -> torch.Tensor:
    """The teacher's states, float32, shape [sequences, length, hidden], zero where `mask` is."""
    with torch.no_grad():
        groups = list(teacher(sequences))
        states = torch.zeros(*mask.shape, groups[0].vectors.shape[-1], device=mask.device)
        for group in groups:
            states[group.rows, : group.vectors.shape[1]] = group.vectors.float() * group.mask[..., None]
    return states


def load_teacher(folder: Path, device: torch.device) -> PackedEncoder:
    """The teacher's encoder in bfloat16, without padding."""
    return load_packed(read_weights(folder, read_json(folder / "config.json"), with_head=False), device, "bfloat16", ())


def epochs(texts: Sequence[str], tokenizer: Tokenizer, seed: int) -> Callable[[int], list[TokenSequence]]:
    """The token sequences of an epoch: a cut of every text, most of them short."""

    def epoch(number: int) -> list[TokenSequence]:
        random = np.random.default_rng([seed, number, 1])  # another stream than that of the cuts
        rows = encode_texts(tokenizer, encoder_texts.cuts(texts, seed, number))
        limits = np.where(random.random(len(rows)) < LONG_SHARE, LONG, SHORT)
        return [
            row if len(row) <= limit else TokenSequence(np.append(row.ids[: limit - 1], row.ids[-1]))
            for row, limit in zip(rows, limits, strict=True)
        ]

    return epoch


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str]) -> list[TokenSequence]:
    """The texts as the model reads them."""
    return [  # encodings themselves hold a hundred times as much
        TokenSequence(np.array(encoding.ids, np.int32))
        for start in range(0, len(texts), _SLICE)
        for encoding in tokenizer.encode_batch(list(texts[start : start + _SLICE]))
    ]


def vectors_of(
    states: Callable[[list[TokenSequence]], tuple[torch.Tensor, torch.Tensor]],
    tokenizer: Tokenizer,
    texts: Sequence[str],
) -> FloatArray:
    """Pooled vectors, not normalized, shape [texts, hidden], from what gives states and mask of sequences."""
    found = encode_texts(tokenizer, texts)
    order = sorted(range(len(found)), key=lambda row: len(found[row]))
    parts = [[found[row] for row in order[start : start + 32]] for start in range(0, len(order), 32)]
    with torch.inference_mode():
        rows = np.concatenate([pooled(*states(part)).cpu().numpy() for part in parts])
    return np.asarray(rows[np.argsort(order)])


def save(student: Student, axes: FloatArray, teacher: Path, to: Path) -> None:
    """Write a sentence-transformers folder, float32."""
    student.encoder.save_pretrained(to)
    save_tokenizer(teacher, to, context=CONTEXT)
    steps = {
        "1_Pooling": {"word_embedding_dimension": len(axes), "pooling_mode_mean_tokens": True},
        "2_Dense": {
            "in_features": len(axes),
            "out_features": len(axes),
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
    }
    for name, config in steps.items():
        (to / name).mkdir(exist_ok=True)
        write_json(to / name / "config.json", config)
    (to / "2_Dense" / "model.safetensors").write_bytes(to_bytes({"linear.weight": axes}))
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense", "3_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    write_json(to / "modules.json", modules)
    write_json(to / "sentence_bert_config.json", {"max_seq_length": CONTEXT, "do_lower_case": False})


def distill(
    teacher: str,
    to: Path,
    *,
    data: Path,
    work: Path,
    layers: Sequence[int] = LAYERS,
    steps: int = 4000,
    rate: float = 4e-4,
    seed: int = 0,
) -> None:
    """Distil `teacher` into the folder `to`.

    Args:
        teacher: A BERT embedder with mean pooling: a folder, or a name on the hub.
        to: Folder to write, in float32; `bundle` makes the small form of it.
        data: Folder of the texts.
        work: Folder of the checkpoint and the log.
        layers: Of the teacher, that the student begins with.
        steps: Of about 4,000 tokens.
        rate: Highest learning rate.
        seed: Of the texts' order and cuts.

    Raises:
        ConfigError: the teacher does not suit, or `data` lacks a file.
        ModelFilesError: the teacher's files are incomplete.
    """
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folder = teacher_folder(teacher)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONG)
    texts = collect(data, encoder_texts.SOURCES, seed)
    unseen, texts = texts[:UNSEEN], texts[UNSEEN:]
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / "trained_on.json", trained_on(texts))
    log.info("%d texts; their digests are in %s", len(texts), work / "trained_on.json")
    guide, student = load_teacher(folder, device), Student(folder, layers).to(device)
    batches = Batches(epochs(texts, tokenizer, seed), len, budget=BUDGET, seed=seed)
    dev = DevSets.load(data, queries=25)

    def guided(sequences: list[TokenSequence]) -> tuple[torch.Tensor, torch.Tensor]:
        mask = pad(sequences, device)[1]
        return teacher_states(guide, sequences, mask), mask

    def learned(sequences: list[TokenSequence]) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask = pad(sequences, device)
        return student(ids, mask), mask

    def encode(texts: Sequence[str]) -> FloatArray:
        return normalize(vectors_of(learned, tokenizer, texts))

    goal = normalize(vectors_of(guided, tokenizer, unseen))

    def measure() -> dict[str, float]:
        return {"cosine": float((encode(unseen) * goal).sum(axis=1).mean()), **dev.embedding(encode)}

    plan = loop.Plan(steps=steps, rate=rate)
    settings = {"layers": list(layers), "seed": seed, "texts": len(texts)}
    loop.train(
        student, lambda step: losses(student, guide, batches(step)), plan, work, settings=settings, measure=measure
    )
    vectors = vectors_of(learned, tokenizer, texts[:AXES])
    widths = [round(share * vectors.shape[1]) for share in SHARES]
    axes = matryoshka_axes(vectors, widths, seed=seed)
    save(student, axes, folder, to)


def trained_on(texts: Sequence[str]) -> dict[str, list[str]]:
    """The sources, and a digest of each text, which most have no id for."""
    names = [source.name for source in encoder_texts.SOURCES]
    return {"sources": names, "texts": [blake2b(text.encode(), digest_size=8).hexdigest() for text in texts]}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--teacher", required=True, help="folder, or name on the Hugging Face hub")
    parser.add_argument("--data", type=Path, required=True, help="folder of the texts")
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoint and the log")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    parser.add_argument("--layers", type=lambda text: tuple(map(int, text.split(","))), default=LAYERS)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    distill(**vars(options))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    main()
