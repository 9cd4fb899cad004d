"""Made-up questions about made-up passages, of words that tiny checkpoints know."""

from __future__ import annotations

import random

from jina_components.fine_tuner.triplets import Passage, Triplet, Triplets

_TEXT = "the quick brown fox jumps over lazy dog hello world spaces around is capital a b c d e f g h i j"
WORDS = tuple(_TEXT.split())
# What a question says for a word of a passage, and is to be learned: its neighbour in the list.
_OTHER = {word: WORDS[at ^ 1] for at, word in enumerate(WORDS)}


def tiny_triplets(count: int = 48, *, negatives: int = 2, seed: int = 0) -> Triplets:
    """Two thirds to train with; a question is the first words of the passage that answers it, in other words."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(5, 9))) for _ in range(count)]
    passages = {
        f"p{at}": Passage(id=f"p{at}", text=text, document=f"d{at}", language="en") for at, text in enumerate(texts)
    }

    def triplet(at: int) -> Triplet:
        others = draw.sample([name for name in passages if name != f"p{at}"], negatives)
        return Triplet(
            query=" ".join(_OTHER[word] for word in texts[at].split()[:4]),
            positive=f"p{at}",
            negatives=tuple(others),
            scores=(0.9, *(round(draw.uniform(0.01, 0.3), 3) for _ in others)),
            kind=draw.choice(["title", "sentence"]),
            language="en",
        )

    rows = [triplet(at) for at in range(count)]
    train, dev = 2 * count // 3, 5 * count // 6
    return Triplets(passages=passages, train=rows[:train], dev=rows[train:dev], test=rows[dev:])
