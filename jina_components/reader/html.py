"""HTML to `Page`: what it claims, the content chosen, and that in the format asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError
from jina_components.read_options import ReadOptions
from jina_components.reader.content import main_content, whole_page
from jina_components.reader.links import absolute_url, base_of
from jina_components.reader.markdown import Rendered, prepare, to_markdown
from jina_components.reader.metadata import Claims, claims_of, first_paragraph
from jina_components.reader.parsing import ParsedHtml
from jina_components.reader.signals import page_warnings
from jina_components.reader.sources import Source
from jina_components.reader.visible import visible_text
from jina_components.types import Page

if TYPE_CHECKING:
    from lxml.html import HtmlElement

NO_MAIN_CONTENT = "No main content was found; this is the whole page."
"""What a page is warned of whose content is not the main content alone."""


@dataclass(frozen=True, slots=True)
class HtmlDocument:
    """A page whose content is chosen, but not yet written.

    Attributes:
        source: Where it is from.
        base_url: What its relative links are resolved against.
        element: The content, or the document where that is asked for.
        claims: What it says of itself.
        encoding: The encoding it was in.
        warnings: What a reader should know.
    """

    source: Source
    base_url: str
    element: HtmlElement
    claims: Claims
    encoding: str
    warnings: tuple[str, ...]

    def uncaptioned(self) -> list[str]:
        """URLs of the images without alternative text."""
        return [url for image in self._images() if (url := self._url(image))]

    def caption(self, texts: Mapping[str, str]) -> None:
        """Give the images of these URLs an alternative text."""
        for image in self._images():
            if text := texts.get(self._url(image)):
                image.set("alt", text)

    def written(self, options: ReadOptions) -> Page:
        """The page in the format of `options`.

        Raises:
            ExtractionError: there is no text in it.
        """
        rendered = _rendered(self.element, options, self.base_url)
        if not rendered.text.strip():
            told = [warning for warning in self.warnings if warning != NO_MAIN_CONTENT]
            reason = " ".join(told) or "Scripts may fill it in only in a browser."
            raise ExtractionError(f"{self.source.label} is an HTML page without text. {reason}", self.source.name)
        claims = self.claims
        title = claims.title or _first_heading(self.element) or self.source.file_name
        facts = {
            "author": claims.author,
            "site_name": claims.site,
            "modified_time": claims.modified_time,
            "image": claims.image,
            "canonical": claims.canonical,
            "encoding": self.encoding,
            "meta": dict(claims.meta),
        }
        return Page(
            url=self.source.name,
            title=title,
            content=rendered.text,
            description=claims.description or first_paragraph(self.element),
            published_time=claims.published_time,
            language=claims.language,
            links=rendered.links,
            images=rendered.images,
            metadata={name: fact for name, fact in facts.items() if fact},
            external=claims.external,
            warnings=self.warnings,
        )

    def _images(self) -> list[HtmlElement]:
        return [image for image in self.element.iter("img") if not image.get("alt", "").strip()]

    def _url(self, image: HtmlElement) -> str:
        source = image.get("src", "")
        return source if source.startswith("data:") else absolute_url(self.base_url, source)


def open_html(source: Source, parsed: ParsedHtml, options: ReadOptions) -> HtmlDocument:
    """Choose what `options` ask for; the tree is used up.

    Raises:
        ExtractionError: no element matches `target_selector`.
    """
    tree, base_url = parsed.tree, base_of(parsed.tree, source.base_url)
    claims = claims_of(tree, base_url)
    warnings = [*parsed.warnings, *(text for text in page_warnings(tree) if not text.startswith(_read_now(options)))]
    if options.remove_selector:
        for element in _selected(tree, options.remove_selector):
            if element.getparent() is not None:
                element.drop_tree()
    if options.remove_overlays:
        from jina_components.reader.overlays import remove_overlays

        remove_overlays(tree)
    if options.format != "html":
        prepare(tree, base_url)
    element = _chosen(tree, source, options, title=claims.title)
    if element is None:
        element = whole_page(tree)
        warnings.append(NO_MAIN_CONTENT)
    return HtmlDocument(source, base_url, element, claims, parsed.encoding, tuple(warnings))


def _read_now(options: ReadOptions) -> tuple[str, ...]:
    """Beginnings of the warnings of what was not read that do not hold, since it was."""
    asked = ((options.iframes, "Text may be in frames"), (options.shadow_dom, "Text is in shadow roots"))
    return tuple(beginning for is_read, beginning in asked if is_read)


def _chosen(tree: HtmlElement, source: Source, options: ReadOptions, *, title: str) -> HtmlElement | None:
    if options.target_selector:
        found = _selected(tree, options.target_selector)
        if not found:
            raise ExtractionError(
                f"{source.label}: nothing matches target_selector {options.target_selector!r}.", source.name
            )
        return _together(found)
    if options.format == "html":
        return tree
    if options.format in ("markdown", "text"):
        return whole_page(tree)
    return main_content(tree, title=title)


def _selected(tree: HtmlElement, selector: str) -> list[HtmlElement]:
    """Elements that match, in their order."""
    return list(tree.cssselect(selector))


def _together(found: list[HtmlElement]) -> HtmlElement:
    """One element that holds all of them, those within others only once."""
    whole = found[0].makeelement("div")
    chosen = set(found)
    for element in found:
        if not any(parent in chosen for parent in element.iterancestors()):
            element.tail = None
            whole.append(element)
    return whole


def _rendered(element: HtmlElement, options: ReadOptions, base_url: str) -> Rendered:
    rendered = to_markdown(element, options, base_url)
    if options.format == "html":
        from lxml.html import tostring

        return replace(rendered, text=tostring(element, encoding="unicode"))
    return replace(rendered, text=visible_text(element)) if options.format == "text" else rendered


def _first_heading(element: HtmlElement) -> str:
    headings = (
        " ".join(heading.text_content().split()) for heading in element.iter("h1", "h2", "h3", "h4", "h5", "h6")
    )
    return next(filter(None, headings), "")
