"""Recipe: train a small encoder to judge pairs, with a head for relevance and one for entailment.

    python -m jina_components.fine_tuner.recipes.train_cross_encoder --encoder FOLDER --teacher FOLDER --data DATA \
        --work FOLDER --to FOLDER

Relevance is learned on groups of a query, a passage that answers it and hard negatives (`relevance_groups`): the
passages' scores should rank as the label says, and, as it calls some negatives wrongly so, as an embedder's cosines do
(distillation by the listwise Kullback-Leibler divergence). Entailment is learned on `claim_pairs`. Both heads stand on
one pooled state: the classifier has four labels. A run that was interrupted goes on from its checkpoint in `--work`.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import BertForSequenceClassification

from jina_components.fine_tuner.recipes.data import claim_pairs, relevance_texts
from jina_components.fine_tuner.recipes.data.claim_pairs import ClaimPair, collect_pairs
from jina_components.fine_tuner.recipes.data.claim_rules import NOT_ENTAILMENT
from jina_components.fine_tuner.recipes.data.relevance_groups import Group, kept_apart, make_groups
from jina_components.fine_tuner.recipes.quality.dev import DevSets
from jina_components.fine_tuner.recipes.training import loop
from jina_components.fine_tuner.recipes.training.batches import Batches
from jina_components.fine_tuner.recipes.training.folders import save_tokenizer, write_json
from jina_components.models.entailing import outcome_probabilities
from jina_components.models.labels import entailment_columns
from jina_components.models.sequences import TokenSequence
from jina_components.models.stored import round_words

if TYPE_CHECKING:
    from jina_components.types import FloatArray

log = logging.getLogger(__name__)

LABELS = ("relevance", "entailment", "neutral", "contradiction")
CONTEXT = 256
# Tokens of a step: pairs of groups, and pairs of claims.
GROUP_BUDGET, CLAIM_BUDGET = 1536, 3072
# Of the goal of a group, the share that the label has; the rest are the teacher's cosines over a temperature.
LABEL_SHARE, TEMPERATURE = 0.6, 0.05
# Weight of the loss that gives a score a meaning of its own: the answer's towards 1, the others' towards 0.
POINTWISE = 0.2
_SLICE = 10_000  # pairs tokenized at once


class Pairs(NamedTuple):
    """Pairs as the model takes them, each of shape [pairs, longest]."""

    ids: torch.Tensor
    types: torch.Tensor
    mask: torch.Tensor


class Judge(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The encoder with the four labels; its word vectors stay what they are once rounded to 4 bits."""

    def __init__(self, encoder: Path) -> None:
        super().__init__()
        names = dict(enumerate(LABELS))
        # Written out, attention trains faster on a CPU than the fused form.
        self.model = BertForSequenceClassification.from_pretrained(
            encoder,
            attn_implementation="eager",
            id2label=names,
            label2id={name: number for number, name in names.items()},
            num_labels=len(LABELS),
            use_safetensors=True,
        )
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # what it draws would not be the same in a run that is resumed
        words = self.model.bert.embeddings.word_embeddings.weight.requires_grad_(requires_grad=False)
        with torch.no_grad():
            words.copy_(torch.from_numpy(round_words(words.numpy())))

    def forward(self, pairs: Pairs) -> torch.Tensor:
        """Logits, float32, shape [pairs, labels]."""
        with torch.autocast(pairs.ids.device.type, torch.bfloat16):
            logits: torch.Tensor = self.model(
                input_ids=pairs.ids, token_type_ids=pairs.types, attention_mask=pairs.mask
            ).logits
        return logits.float()


def group_loss(judge: Judge, groups: Sequence[tuple[Group, list[TokenSequence]]]) -> loop.Losses:
    """Listwise against label and teacher, and pointwise against the label."""
    device = next(judge.parameters()).device
    logits = judge(_pad([pair for _, pairs in groups for pair in pairs], device))[:, 0].reshape(len(groups), -1)
    cosines = torch.tensor([group.cosines for group, _ in groups], device=device)
    answers = torch.zeros_like(cosines)
    answers[:, 0] = 1
    goal = LABEL_SHARE * answers + (1 - LABEL_SHARE) * functional.softmax(cosines / TEMPERATURE, dim=1)
    rank = functional.kl_div(functional.log_softmax(logits, dim=1), goal, reduction="batchmean")
    return {"rank": rank, "point": POINTWISE * functional.binary_cross_entropy_with_logits(logits, answers)}


def claim_loss(judge: Judge, claims: Sequence[tuple[ClaimPair, TokenSequence]]) -> loop.Losses:
    """Cross-entropy of the outcome; `not_entailment` is satisfied by neutral and contradiction together."""
    device = next(judge.parameters()).device
    chances = functional.log_softmax(judge(_pad([pair for _, pair in claims], device))[:, 1:], dim=1)
    chances = torch.cat([chances, chances[:, 1:].logsumexp(dim=1, keepdim=True)], dim=1)
    outcomes = (*LABELS[1:], NOT_ENTAILMENT)
    wanted = torch.tensor([outcomes.index(claim.label) for claim, _ in claims], device=device)
    return {"claims": functional.nll_loss(chances, wanted)}


def _pad(pairs: Sequence[TokenSequence], device: torch.device) -> Pairs:
    ids, types, mask = arrays = np.zeros((3, len(pairs), max(map(len, pairs))), np.int64)
    for row, pair in enumerate(pairs):
        ids[row, : len(pair)] = pair.ids
        types[row, : len(pair)] = 0 if pair.type_ids is None else pair.type_ids
        mask[row, : len(pair)] = 1
    return Pairs(*torch.from_numpy(arrays).to(device))


def pair_tokenizer(folder: Path) -> Tokenizer:
    """Frames pairs, and cuts the longer text of one that does not fit."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(CONTEXT)
    return tokenizer


def encode_pairs(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> list[TokenSequence]:
    """The pairs as the model reads them."""
    return [  # encodings themselves hold a hundred times as much
        TokenSequence(np.array(encoding.ids, np.int32), np.array(encoding.type_ids, np.int32))
        for start in range(0, len(pairs), _SLICE)
        for encoding in tokenizer.encode_batch(list(pairs[start : start + _SLICE]))
    ]


def logits_of(judge: Judge, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> FloatArray:
    """Logits, shape [pairs, labels]."""
    found = encode_pairs(tokenizer, pairs)
    order = sorted(range(len(found)), key=lambda row: len(found[row]))
    device, rows = next(judge.parameters()).device, np.zeros((len(found), len(LABELS)), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            rows[part] = judge(_pad([found[row] for row in part], device)).cpu().numpy()
    return rows


def group_batches(
    groups: Sequence[Group], tokenizer: Tokenizer, seed: int
) -> Batches[tuple[Group, list[TokenSequence]]]:
    """Groups of like lengths."""

    def epoch(_: int) -> list[tuple[Group, list[TokenSequence]]]:
        pairs = encode_pairs(tokenizer, [(group.query, passage) for group in groups for passage in group.passages])
        size = len(groups[0].passages)
        return [(group, pairs[row * size : (row + 1) * size]) for row, group in enumerate(groups)]

    def length(item: tuple[Group, list[TokenSequence]]) -> int:
        return len(item[1]) * max(map(len, item[1]))

    return Batches(epoch, length, budget=GROUP_BUDGET, seed=seed)


def claim_batches(
    claims: Sequence[ClaimPair], tokenizer: Tokenizer, seed: int
) -> Batches[tuple[ClaimPair, TokenSequence]]:
    """Claims with their premises, of like lengths."""

    def epoch(_: int) -> list[tuple[ClaimPair, TokenSequence]]:
        pairs = encode_pairs(tokenizer, [(claim.premise, claim.claim) for claim in claims])
        return list(zip(claims, pairs, strict=True))

    return Batches(epoch, lambda item: len(item[1]), budget=CLAIM_BUDGET, seed=seed)


def train(
    encoder: Path,
    to: Path,
    *,
    teacher: str,
    data: Path,
    work: Path,
    steps: int = 3000,
    rate: float = 2e-4,
    seed: int = 0,
) -> None:
    """Train the encoder of a folder into a cross-encoder in the folder `to`.

    Args:
        encoder: A BERT folder: that of the distilled embedder.
        to: Folder to write, in float32; `bundle` makes the small form of it.
        teacher: The embedder whose cosines are followed: a folder, or a name on the hub.
        data: Folder of the texts.
        work: Folder of the groups, the checkpoint and the log.
        steps: Of about 4,500 tokens.
        rate: Highest learning rate.
        seed: Of the order, and of what is drawn.

    Raises:
        ConfigError: `data` lacks a file.
    """
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = pair_tokenizer(encoder)
    made = make_groups(data, relevance_texts.SOURCES, teacher, work, seed)
    groups = [group for group in made if not kept_apart(group)]
    claims = collect_pairs(data, claim_pairs.SOURCES)
    write_json(work / "trained_on.json", trained_on(groups, claims))
    log.info("%d groups, %d claims; their ids are in %s", len(groups), len(claims), work / "trained_on.json")
    judge = Judge(encoder).to(device)
    by_group, by_claim = group_batches(groups, tokenizer, seed), claim_batches(claims, tokenizer, seed)
    dev = DevSets.load(data, queries=20, candidates=10, pairs=150)

    def measure() -> dict[str, float]:
        ranked = dev.reranking(lambda pairs: logits_of(judge, tokenizer, pairs)[:, 0])
        judged = dev.entailment(lambda pairs: entailing(logits_of(judge, tokenizer, pairs)))
        return {**ranked, **judged}

    def losses(step: int) -> loop.Losses:
        return {**group_loss(judge, by_group(step)), **claim_loss(judge, by_claim(step))}

    log.info("BM25: %s", json.dumps(dev.first_stage()))
    plan, settings = loop.Plan(steps=steps, rate=rate), {"seed": seed, "groups": len(groups), "claims": len(claims)}
    loop.train(judge, losses, plan, work, settings=settings, measure=measure)
    judge.model.save_pretrained(to)
    save_tokenizer(encoder, to, context=CONTEXT)


def entailing(logits: FloatArray) -> FloatArray:
    """Probability of entailment among the three outcomes."""
    return np.asarray(outcome_probabilities(logits, entailment_columns(LABELS, "the model"))[:, 0], np.float32)


def trained_on(groups: Sequence[Group], claims: Sequence[ClaimPair]) -> dict[str, list[str]]:
    """Ids by source of what is trained on."""
    ids: dict[str, list[str]] = {}
    for group in groups:
        ids.setdefault(group.source, []).append(group.id)
    ids["claims"] = sorted({claim.id for claim in claims})
    return ids


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder to begin with")
    parser.add_argument("--teacher", required=True, help="folder of an embedder, or name on the Hugging Face hub")
    parser.add_argument("--data", type=Path, required=True, help="folder of the texts")
    parser.add_argument("--work", type=Path, required=True, help="folder of the groups, the checkpoint and the log")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    train(**vars(options))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    main()
