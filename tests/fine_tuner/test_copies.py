from __future__ import annotations

from jina_components.fine_tuner.copies import copies

STORY = "The old pump of the village stood by the well, and every morning the baker came to fill two large buckets."


def test_near_copies_are_found():
    other = STORY.replace("two large", "two very large")
    texts = [STORY * 3, "A train leaves at noon.", other + STORY * 2, "", "A train leaves at noon.", ""]
    assert copies(texts) == [0, 1, 0, 3, 1, 3]
    assert copies([]) == []
