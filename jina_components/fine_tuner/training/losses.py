"""What a model is fitted towards: a table of losses, and their weighted sum over a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from sentence_transformers.base.losses.gradcache import CachedLossMixin, RandContext, _create_minibatch
from torch.nn import functional

from jina_components.fine_tuner.settings import FitSettings, Kind
from jina_components.fine_tuner.training.examples import NONE

if TYPE_CHECKING:
    from jina_components.fine_tuner.training.bases import Model

_CERTAIN = 1e-4  # probabilities are kept so far from 0 and 1, so that their logits are finite


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model has made of a batch, with what is known of it.

    Attributes:
        own: Scores of each question's own passages over the temperature, the answer first; shape [questions, own].
        real: Where there is one.
        rivals: Scores of the batch's other passages over the temperature, -inf for those of the document that answers,
            those that are alike and the question's own; shape [questions, passages], no columns for a reranker.
        teacher: Logits of the cross-encoder's probabilities over the softness, nan where unknown; shape of `own`.
        now: All outputs by side, each a unit vector or a row of scores; shape [inputs, width].
        base: The base's for the same inputs; none where nothing asks for them.
    """

    own: torch.Tensor
    real: torch.Tensor
    rivals: torch.Tensor
    teacher: torch.Tensor
    now: Sequence[torch.Tensor]
    base: Sequence[torch.Tensor]


def contrastive(batch: Outcome) -> torch.Tensor:
    """Cross-entropy of the answer among all passages (InfoNCE, van den Oord et al. 2018), with hard negatives."""
    scores = torch.cat([batch.own.masked_fill(~batch.real, -torch.inf), batch.rivals], 1)
    return functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long, device=scores.device))


def distillation(batch: Outcome) -> torch.Tensor:
    """Divergence of the softmax over a question's own passages from the cross-encoder's (Kullback-Leibler)."""
    known = _known(batch)
    if not known.any():
        return batch.own.sum() * 0
    absent = ~batch.real[known]
    goal, got = (
        each[known].masked_fill(absent, -1e4).log_softmax(1)  # finite: 0 · -inf would be nan
        for each in (batch.teacher, batch.own)
    )
    return functional.kl_div(got, goal, reduction="batchmean", log_target=True)


def margin(batch: Outcome) -> torch.Tensor:
    """Squared error of how far the answer is before each other passage (MarginMSE, Hofstätter et al. 2020)."""
    pairs = (_known(batch)[:, None] & batch.real)[:, 1:]
    if not pairs.any():
        return batch.own.sum() * 0
    goal, got = ((each[:, :1] - each[:, 1:])[pairs] for each in (batch.teacher, batch.own))
    return functional.mse_loss(got, goal)


def closeness(batch: Outcome) -> torch.Tensor:
    """Half the squared distance to what the base gives, summed over sides: of unit vectors, 1 - cosine."""
    pairs = zip(batch.now, batch.base, strict=True)
    return torch.stack([(now - base).square().sum(1).mean() / 2 for now, base in pairs]).sum()


Loss: TypeAlias = Callable[[Outcome], torch.Tensor]
LOSSES: Mapping[str, Loss] = {each.__name__: each for each in (contrastive, distillation, margin, closeness)}
NEED_BASE = frozenset({"closeness"})


class Objective(CachedLossMixin, torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The weighted sum of the losses that settings ask for, for each width that vectors may be cut to.

    Attributes:
        parts: The last batch's losses, by name, without their weights.
    """

    mini_batch_size = 1  # is not used beside a number of tokens

    def __init__(self, model: Model, kind: Kind, settings: FitSettings, *, column: int = 0) -> None:
        super().__init__()
        self.model = model
        self.mini_batch_num_tokens = settings.tokens
        self.parts: dict[str, float] = {}
        self._output = "scores" if kind == "reranker" else "sentence_embedding"
        self._whole = kind == "static" or bool(settings.hidden)  # neither needs to be divided, or can be
        self._losses = {name: weight for name, weight in (settings.losses or {}).items() if weight}
        self._compare = (
            partial(_scored, column=column, settings=settings)
            if kind == "reranker"
            else partial(_embedded, settings=settings)
        )

    def forward(self, features: Sequence[dict[str, Any]], labels: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a batch as `collate` makes it."""
        if self._whole:
            return self.calculate_loss([[self.model(side)[self._output]] for side in features], labels)
        return self.forward_cached(features, labels)

    def embed_minibatch(
        self, sentence_feature: dict[str, torch.Tensor], begin: int, end: int, with_grad: bool,
        copy_random_state: bool, random_state: RandContext | None = None,
    ) -> tuple[torch.Tensor, RandContext | None]:  # fmt: skip
        """As the base has it, for either kind of output."""
        part = _create_minibatch(sentence_feature, begin, end)
        with random_state or nullcontext(), nullcontext() if with_grad else torch.no_grad():
            kept = RandContext(*part.values()) if copy_random_state else None
            return self.model(part)[self._output], kept

    def calculate_loss(  # type: ignore[override]  # of this one's labels
        self, reps: list[list[torch.Tensor]], labels: Mapping[str, torch.Tensor], *, with_backward: bool = False
    ) -> torch.Tensor:
        """The loss of outputs, by side and part of the batch."""
        outcomes = self._compare([torch.cat(parts).float() for parts in reps], labels)
        means = {
            name: torch.stack([LOSSES[name](outcome) for outcome in outcomes]).mean() for name in self._losses
        }  # fmt: skip
        self.parts = {name: float(value.detach()) for name, value in means.items()}
        loss = torch.stack([weight * means[name] for name, weight in self._losses.items()]).sum()
        if with_backward:
            loss.backward()
            return loss.detach()
        return loss


def _embedded(sides: list[torch.Tensor], labels: Mapping[str, torch.Tensor], *, settings: FitSettings) -> list[Outcome]:
    """Cosines of questions and passages, for every width."""
    own, real = labels["own"], labels["own"] != NONE
    foreign = labels["documents"][:, None] != labels["homes"][None, :]
    taken = torch.zeros_like(foreign).scatter_(1, own.clamp(min=0), real)  # its own passages are not rivals too
    taken = taken | (own[:, :1] == torch.arange(foreign.shape[1], device=own.device))
    bases = [labels[f"base{number}"] for number in range(len(sides)) if f"base{number}" in labels]
    if bases:
        units = functional.normalize(bases[1], dim=1)
        if settings.alike is not None:
            foreign &= units[own[:, 0]] @ units.T < settings.alike
    outcomes = []
    for width in settings.widths or (sides[0].shape[1],):
        queries, passages = (functional.normalize(side[:, :width], dim=1) for side in sides)
        scores = (queries @ passages.T)[labels["asked"]] / (settings.temperature or 1)
        outcomes.append(
            Outcome(
                own=scores.gather(1, own.clamp(min=0)),
                real=real,
                rivals=scores.masked_fill(~foreign | taken, -torch.inf),
                teacher=_logits(labels["teacher"], settings),
                now=(queries, passages),
                base=[functional.normalize(each[:, :width], dim=1) for each in bases],
            )
        )
    return outcomes


def _scored(
    sides: list[torch.Tensor], labels: Mapping[str, torch.Tensor], *, column: int, settings: FitSettings
) -> list[Outcome]:
    """Logits of pairs."""
    [pairs] = sides
    own = pairs[:, column][labels["own"].clamp(min=0)] / (settings.temperature or 1)
    teacher = _logits(labels["teacher"], settings)
    bases = [labels["base0"]] if "base0" in labels else []
    return [Outcome(own, labels["own"] != NONE, own[:, :0], teacher, [pairs], bases)]


def _logits(probabilities: torch.Tensor, settings: FitSettings) -> torch.Tensor:
    return probabilities.float().clamp(_CERTAIN, 1 - _CERTAIN).logit() / (settings.softness or 1)


def _known(batch: Outcome) -> torch.Tensor:
    """Questions all of whose passages the cross-encoder has scored."""
    return (batch.teacher.isfinite() | ~batch.real).all(1)
