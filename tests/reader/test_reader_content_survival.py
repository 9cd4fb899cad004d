"""What most readers lose, through all of ours."""

from __future__ import annotations

from benchmarks.quality.reader_survival import pages, survivors
from jina_components.reader import Reader


def test_what_most_readers_lose_survives() -> None:
    with Reader() as reader:
        texts = [
            reader.read(page["html"].encode(), base_url=page["url"], content_type="text/html").content
            for page in pages()
        ]

    assert [name for name, survives in survivors(texts).items() if not survives] == []
