"""What a browser would make of HTML, and a text that tries to be HTML."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = "</title></text><script>alert(1)</script>' onload='x\" onload=\"x <!-- ]]> \x00\ud800 &#60;b&#62;"


class Tags(HTMLParser):
    """Tags in order, checked for being closed in order, and what their attributes hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag != "br":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
