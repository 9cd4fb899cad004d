"""Stacks of random weights in the forms that architectures have, and what they compute by definition, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from jina_components.models.architectures.blocks import (
    ACTIVATIONS,
    Block,
    Dense,
    EncoderWeights,
    LowRank,
    Norm,
    Norms,
    Stack,
    WordAdapter,
    alibi,
    rotary_angles,
)
from jina_components.models.sequences import TokenSequence

VOCABULARY, HIDDEN, HEADS, INNER, LAYERS = 300, 32, 4, 48, 2
TASKS = ("classification", "retrieval", "text-matching")


class _Random:
    """Gives tensors, each time others."""

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(0)

    def __call__(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self._generator)

    def norm(self, size: int, *, bias: bool = True) -> Norm:
        return Norm(1 + self(size) / 4, self(size) / 4 if bias else None)

    def dense(self, rows: int, columns: int, *, bias: bool = True, adapters: tuple[bool, ...] = ()) -> Dense:
        """`adapters` says which tasks change the layer."""
        pairs = [
            LowRank(self(rank, columns) / columns**0.5, self(rows, rank) / 2) if there else None
            for rank, there in enumerate(adapters, 2)
        ]
        return Dense(1.5 * self(rows, columns) / columns**0.5, self(rows) / 4 if bias else None, tuple(pairs))


def _bert(random: _Random) -> EncoderWeights:
    """BERT with separate projections, positions and types."""
    blocks = [
        Block(
            qkv=tuple(random.dense(HIDDEN, HIDDEN) for _ in range(3)),
            output=random.dense(HIDDEN, HIDDEN),
            up=random.dense(INNER, HIDDEN),
            down=random.dense(HIDDEN, INNER),
            norms=Norms(attention_out=random.norm(HIDDEN), feed_forward_out=random.norm(HIDDEN)),
        )
        for _ in range(LAYERS)
    ]
    return _encoder(random, blocks, positions=random(64, HIDDEN))


def _jina_bert(random: _Random, *, code: bool = False) -> EncoderWeights:
    """JinaBERT: ALiBi and a gate; its code variant also normalizes queries and keys, and adds the input again."""
    blocks = [
        Block(
            qkv=tuple(random.dense(HIDDEN, HIDDEN) for _ in range(3)),
            output=random.dense(HIDDEN, HIDDEN),
            gate=random.dense(INNER, HIDDEN, bias=False),
            up=random.dense(INNER, HIDDEN, bias=False),
            down=random.dense(HIDDEN, INNER),
            norms=Norms(
                query=random.norm(HIDDEN) if code else None,
                key=random.norm(HIDDEN) if code else None,
                attention_out=random.norm(HIDDEN),
                again=random.norm(HIDDEN) if code else None,
                feed_forward_out=random.norm(HIDDEN),
            ),
        )
        for _ in range(LAYERS)
    ]
    return _encoder(random, blocks, by_distance=alibi(HEADS))


def _sub_norms(random: _Random) -> EncoderWeights:
    """Pre-norm with norms of what the heads gather and of what the gate lets through (as in EVA-02); rotary."""
    blocks = [
        Block(
            qkv=(random.dense(3 * HIDDEN, HIDDEN),),
            output=random.dense(HIDDEN, HIDDEN),
            gate=random.dense(INNER, HIDDEN),
            up=random.dense(INNER, HIDDEN),
            down=random.dense(HIDDEN, INNER),
            norms=Norms(
                attention_in=random.norm(HIDDEN),
                context=random.norm(HIDDEN),
                feed_forward_in=random.norm(HIDDEN),
                inner=random.norm(INNER),
            ),
        )
        for _ in range(LAYERS)
    ]
    return _encoder(
        random, blocks, angles=rotary_angles(HIDDEN // HEADS, 1e4), activation="silu", norm=random.norm(HIDDEN)
    )


def _adapted_roberta(random: _Random) -> EncoderWeights:
    """As jina-embeddings-v3: one projection for all, rotary positions, adapters of every layer and of the words."""
    every = (True, True, True)
    blocks = [
        Block(
            qkv=(random.dense(3 * HIDDEN, HIDDEN, adapters=every),),
            output=random.dense(HIDDEN, HIDDEN, adapters=every),
            up=random.dense(INNER, HIDDEN, adapters=every),
            down=random.dense(HIDDEN, INNER, adapters=every),
            norms=Norms(attention_out=random.norm(HIDDEN), feed_forward_out=random.norm(HIDDEN)),
        )
        for _ in range(LAYERS)
    ]
    weights = _encoder(random, blocks, angles=rotary_angles(HIDDEN // HEADS, 2e4), adapters=TASKS)
    words = [WordAdapter(random(VOCABULARY, 2) / 2, random(2, HIDDEN), random(HIDDEN) / 2) for _ in TASKS]
    return replace(weights, adapters=tuple(words))


def _adapted_qwen(random: _Random) -> EncoderWeights:
    """As jina-embeddings-v5: causal, queries in groups, a norm of each head, and adapters of some layers only."""
    width, key_heads = 16, 2
    some = [(True, True, False), (True, False, True), (False, True, True), (True, False, False)]
    blocks = [
        Block(
            qkv=tuple(
                random.dense(heads * width, HIDDEN, bias=False, adapters=some[number])
                for number, heads in enumerate((HEADS, key_heads, key_heads))
            ),
            output=random.dense(HIDDEN, HEADS * width, bias=False, adapters=some[3]),
            gate=random.dense(INNER, HIDDEN, bias=False, adapters=some[0]),
            up=random.dense(INNER, HIDDEN, bias=False, adapters=some[1]),
            down=random.dense(HIDDEN, INNER, bias=False, adapters=some[2]),
            norms=Norms(
                attention_in=random.norm(HIDDEN, bias=False),
                query=random.norm(width, bias=False),
                key=random.norm(width, bias=False),
                feed_forward_in=random.norm(HIDDEN, bias=False),
            ),
        )
        for _ in range(LAYERS)
    ]
    return replace(
        _encoder(
            random, blocks, angles=rotary_angles(width, 1e6), adapters=TASKS, key_heads=key_heads, causal=True,
            activation="silu", norm=random.norm(HIDDEN, bias=False),
        ),
        types=None, norm=None,
    )  # fmt: skip


def _encoder(
    random: _Random,
    blocks: list[Block],
    *,
    positions: torch.Tensor | None = None,
    activation: str = "gelu",
    key_heads: int = HEADS,
    **stack: Any,
) -> EncoderWeights:
    return EncoderWeights(
        words=random(VOCABULARY, HIDDEN),
        positions=positions,
        types=random(2, HIDDEN),
        norm=random.norm(HIDDEN),
        stack=Stack(
            blocks=tuple(blocks), heads=HEADS, key_heads=key_heads, epsilon=1e-5, activation=ACTIVATIONS[activation],
            **stack,
        ),
    )  # fmt: skip


_FORMS: dict[str, Callable[[_Random], EncoderWeights]] = {
    "bert": _bert,
    "jina-bert": _jina_bert,
    "jina-bert-code": lambda random: _jina_bert(random, code=True),
    "sub-norms": _sub_norms,
    "adapted-roberta": _adapted_roberta,
    "adapted-qwen": _adapted_qwen,
}
FORMS = tuple(_FORMS)
ADAPTED = ("adapted-roberta", "adapted-qwen")


def random_stack(form: str) -> EncoderWeights:
    """Weights of a form; the same each time."""
    return _FORMS[form](_Random())


def merged(weights: EncoderWeights, task: int) -> EncoderWeights:
    """The weights with an adapter merged into them, or without any for -1."""

    def merge(dense: Dense) -> Dense:
        pair = dense.adapters[task] if dense.adapters and task >= 0 else None
        return Dense(dense.weight if pair is None else dense.weight + pair.up @ pair.down, dense.bias)

    def merge_block(block: Block) -> Block:
        gate = None if block.gate is None else merge(block.gate)
        qkv = tuple(map(merge, block.qkv))
        return replace(
            block, qkv=qkv, output=merge(block.output), gate=gate, up=merge(block.up), down=merge(block.down)
        )

    words = weights.words
    if weights.adapters and task >= 0:
        down, up, shift = weights.adapters[task]
        words = words + down @ up + shift
    stack = replace(weights.stack, blocks=tuple(map(merge_block, weights.stack.blocks)), adapters=())
    return replace(weights, words=words, stack=stack, adapters=())


def run_by_definition(weights: EncoderWeights, sequence: TokenSequence) -> torch.Tensor:
    """Token vectors of one sequence, float64, shape [length, hidden]; weights without adapters."""
    stack, length = weights.stack, len(sequence)
    tokens = weights.words.double()[torch.from_numpy(sequence.ids).long()]
    if weights.positions is not None:
        tokens = tokens + weights.positions[:length]
    if weights.types is not None:
        types = torch.zeros(length).long() if sequence.type_ids is None else torch.from_numpy(sequence.type_ids).long()
        tokens = tokens + weights.types[types]
    tokens = _normalized(tokens, weights.norm, stack.epsilon)
    for block in stack.blocks:
        norms, given = block.norms, tokens
        context = _attended(_normalized(tokens, norms.attention_in, stack.epsilon), block, stack)
        tokens = tokens + _linear(_normalized(context, norms.context, stack.epsilon), block.output)
        tokens = _normalized(tokens, norms.attention_out, stack.epsilon)
        if norms.again is not None:
            tokens = _normalized(given + tokens, norms.again, stack.epsilon)
        inner = _fed_forward(_normalized(tokens, norms.feed_forward_in, stack.epsilon), block, stack.activation)
        tokens = tokens + _linear(_normalized(inner, norms.inner, stack.epsilon), block.down)
        tokens = _normalized(tokens, norms.feed_forward_out, stack.epsilon)
    return _normalized(tokens, stack.norm, stack.epsilon)


def _linear(tokens: torch.Tensor, dense: Dense) -> torch.Tensor:
    result = tokens @ dense.weight.double().T
    return result if dense.bias is None else result + dense.bias


def _normalized(tokens: torch.Tensor, norm: Norm | None, epsilon: float) -> torch.Tensor:
    if norm is None:
        return tokens
    if norm.bias is None:
        return tokens / (tokens.square().mean(-1, keepdim=True) + epsilon).sqrt() * norm.weight
    centred = tokens - tokens.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + epsilon).sqrt() * norm.weight + norm.bias


def _fed_forward(tokens: torch.Tensor, block: Block, activation: tuple[str, str]) -> torch.Tensor:
    function = {"gelu": torch.nn.functional.gelu, "swish": torch.nn.functional.silu}[activation[0]]
    if block.gate is None:
        return function(_linear(tokens, block.up))
    return function(_linear(tokens, block.gate)) * _linear(tokens, block.up)


def _attended(tokens: torch.Tensor, block: Block, stack: Stack) -> torch.Tensor:
    """Head by head; rotary positions as products of complex numbers."""
    length, width = len(tokens), block.output.weight.shape[1] // stack.heads
    together = torch.cat([_linear(tokens, dense) for dense in block.qkv], 1)
    counts = stack.heads, stack.key_heads, stack.key_heads
    parts = list(together.split([count * width for count in counts], 1))
    for place, norm in enumerate((block.norms.query, block.norms.key)):
        split = parts[place].view(length, -1, width) if norm is not None and len(norm.weight) == width else parts[place]
        parts[place] = _normalized(split, norm, stack.epsilon).reshape(length, -1)
    queries, keys, values = (part.view(length, -1, width) for part in parts)
    if stack.angles is not None:
        turns = torch.polar(torch.ones((), dtype=torch.float64), stack.angles(length))[:, None]
        queries, keys = (_turned(heads, turns) for heads in (queries, keys))
    places = torch.arange(length)
    contexts = []
    for head in range(stack.heads):
        own = head * stack.key_heads // stack.heads
        scores = queries[:, head] @ keys[:, own].T / width**0.5
        if stack.by_distance is not None:
            scores = scores + stack.by_distance((places[None, :] - places[:, None]).flatten())[head].view(
                length, length
            )
        if stack.causal:
            scores = scores.masked_fill(places[None, :] > places[:, None], float("-inf"))
        contexts.append(scores.softmax(-1) @ values[:, own])
    return torch.cat(contexts, 1)


def _turned(heads: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    turned = torch.complex(*heads.chunk(2, -1)) * turns
    return torch.cat([turned.real, turned.imag], -1)
