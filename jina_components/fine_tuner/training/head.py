"""A residual layer on top of an embedder that stays as it is: fitted to vectors, not to texts, and so in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize
from torch import nn
from torch.nn import functional

from jina_components.fine_tuner.training.examples import Side

_VECTOR = "sentence_embedding"
_BATCH = 64


class Residual(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """x → unit(x + A x + c + V ReLU(U x + b) / √hidden) of unit vectors x; as it begins, x → x.

    Args:
        width: Of the vectors.
        hidden: Rows of U.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear, self.up = nn.Linear(width, width), nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width, bias=False)
        self.scale = hidden**-0.5
        nn.init.normal_(self.up.weight)
        nn.init.normal_(self.up.bias, std=0.5)
        for zero in (self.linear.weight, self.linear.bias, self.down.weight):
            nn.init.zeros_(zero)

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """With moved vectors."""
        given = functional.normalize(features[_VECTOR], dim=1)
        moved = self.linear(given) + self.scale * self.down(functional.relu(self.up(given)))
        return {**features, _VECTOR: functional.normalize(given + moved, dim=1)}

    def steps(self) -> list[nn.Module]:
        """The same as modules that sentence-transformers knows: x = ReLU(x) - ReLU(-x) passes through the first."""
        width = len(self.down.weight)
        unit, zero = torch.eye(width), torch.zeros(2 * width)
        with torch.no_grad():
            through = unit + self.linear.weight.cpu()
            into = torch.cat([unit, -unit, self.up.weight.cpu()])
            out = torch.cat([through, -through, self.scale * self.down.weight.cpu()], 1)
            steps = (
                (into, torch.cat([zero, self.up.bias.cpu()]), nn.ReLU()),
                (out, self.linear.bias.detach().cpu().clone(), nn.Identity()),
            )
        layers = [
            Dense(
                weight.shape[1], weight.shape[0], activation_function=function, init_weight=weight, init_bias=bias
            )
            for weight, bias, function in steps
        ]  # fmt: skip
        return [Normalize(), *layers, Normalize()]


class HeadModel(SentenceTransformer):
    """A `Residual` as a model of texts, whose vectors an embedder gives once.

    Args:
        encoder: Gives the vectors; stays as it is.
        hidden: Of the layer.
    """

    def __init__(self, encoder: SentenceTransformer, hidden: int) -> None:
        width = int(encoder.get_embedding_dimension() or 0)
        super().__init__(modules=[Residual(width, hidden)], device=str(encoder.device))
        self._encoder = (encoder,)  # no module of this one: nothing of it is fitted
        self._known: dict[tuple[str, str], torch.Tensor] = {}

    def know(self, side: Side) -> None:
        """Take the vectors of texts as given."""
        assert side.base is not None  # noqa: S101
        rows = torch.from_numpy(np.asarray(side.base))
        self._known.update(zip(((side.prompt, str(text)) for text in side.inputs), rows, strict=True))

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: ANN401
        """The encoder's vectors, shape [inputs, width]."""
        keys = [(prompt or "", text) for text in inputs]
        if missing := [text for key, text in zip(keys, inputs, strict=True) if key not in self._known]:
            found = self._encoder[0].encode(
                missing, batch_size=_BATCH, prompt=prompt or "", show_progress_bar=False, convert_to_tensor=True
            )
            self._known.update(zip(((prompt or "", text) for text in missing), found.float().cpu(), strict=True))
        return {_VECTOR: torch.stack([self._known[key] for key in keys])}

    def encode(self, inputs: Sequence[Any], *, prompt: str | None = None, **_: Any) -> torch.Tensor:  # type: ignore[override]  # noqa: ANN401
        """Their vectors, moved; shape [inputs, width]."""
        given = self.preprocess(inputs, prompt)[_VECTOR].to(self.device)
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            return torch.cat([self({_VECTOR: part})[_VECTOR] for part in given.split(4096)])

    def whole(self) -> SentenceTransformer:
        """One model, encoder and layer, of modules that sentence-transformers and our core load."""
        [encoder] = self._encoder
        modules = list(encoder)
        while isinstance(modules[-1], Normalize):
            modules.pop()
        return SentenceTransformer(
            modules=[*modules, *self[0].steps()],
            device="cpu",
            prompts={name: prompt or "" for name, prompt in encoder.prompts.items()},
            default_prompt_name=encoder.default_prompt_name,
            similarity_fn_name=encoder.similarity_fn_name,
        )
