"""The retrieval benchmark on a set small enough to see through."""

from benchmarks.quality.retrieval import SYSTEMS, averages, measure, row
from jina_components import Embedder, Reranker
from jina_components.fine_tuner.judged import JudgedQuestions

TASK = JudgedQuestions(
    ["Paris is the capital of France.", "Rain is due in the afternoon.", " ", "Bread rises because of yeast."],
    ["capital of France", "why does bread rise"],
    [{0: 1.0}, {3: 1.0}],
)


def test_every_system_finds_what_is_plain():
    result = measure(TASK, Embedder("static-minilm-v1"), Reranker())
    assert result["documents"] == 3
    assert all(result[system] == 1 for system in SYSTEMS)
    assert averages({"one": result, "two": dict.fromkeys(SYSTEMS, 0)}) == dict.fromkeys(SYSTEMS, 0.5)
    assert row("small", result).split()[-3] == "no"  # nothing is better than perfect
