"""A page's DOM made plain before its main content is chosen.

What scripts and styles draw becomes standard elements that need neither:

- mathematics: `<span class="jc-math" data-display="inline">TeX</span>` (or `block`), whose text is the TeX alone;
- highlighted code: `<pre><code class="language-x">` with the text as it is shown, without line numbers;
- late images: `<img src>` with the picture rather than what holds its place;
- check boxes of tasks: `<span class="jc-task" data-checked="true">☑</span>` (or `false`, ☐).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from jina_components.reader.markdown.code_blocks import plain_code
from jina_components.reader.markdown.dom import turn_into
from jina_components.reader.markdown.images import plain_images
from jina_components.reader.markdown.math import plain_math

if TYPE_CHECKING:
    from lxml.html import HtmlElement

TASK_CLASS = "jc-task"
"""Class of the `<span>` that stands for the check box of a task."""

_NEAR = 4  # elements between the box of a task and its item


def prepare(tree: HtmlElement, base_url: str) -> None:
    """Make plain, in place, what pages draw with scripts and styles: math, code, late images, tasks.

    Hidden elements stay; comments and processing instructions go.

    Args:
        tree: The page.
        base_url: Its URL: links to places within it become `#place`.
    """
    from lxml.etree import Comment, ProcessingInstruction, strip_tags

    strip_tags(tree, Comment, ProcessingInstruction)
    plain_math(tree)
    plain_code(tree)
    plain_images(tree)
    _plain_tasks(tree)
    _plain_places(tree, base_url.partition("#")[0])


def _plain_tasks(tree: HtmlElement) -> None:
    for box in list(tree.iter("input")):
        if (box.get("type") or "").lower() == "checkbox" and _is_in_item(box):
            checked = box.get("checked") is not None
            turn_into(box, "span", "☑" if checked else "☐")
            box.set("class", TASK_CLASS)
            box.set("data-checked", "true" if checked else "false")


def _is_in_item(box: HtmlElement) -> bool:
    return any(around.tag == "li" for around in islice(box.iterancestors(), _NEAR))


def _plain_places(tree: HtmlElement, url: str) -> None:
    if url:
        for link in tree.xpath("//a[starts-with(@href, $start)]", start=f"{url}#"):
            link.set("href", link.get("href")[len(url) :])
