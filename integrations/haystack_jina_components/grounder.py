"""Statements checked against documents or the web, in Haystack."""

from dataclasses import asdict
from typing import Any, ClassVar

from haystack import Document, component
from haystack.utils import Secret

from haystack_jina_components.component import JinaComponent
from haystack_jina_components.documents import check_documents, from_haystack
from jina_components.core.background import run_sync
from jina_components.entailment import EntailmentScorer
from jina_components.errors import ConfigError
from jina_components.grounder import Grounder
from jina_components.protocols import SupportsGround
from jina_components.reader import Reader
from jina_components.remote import RemoteGrounder
from jina_components.reranker import Reranker
from jina_components.types import Document as OurDocument
from jina_components.types import Grounding, Reference


def reference_document(reference: Reference) -> Document:
    """A quote, and in `meta` where it stands and what it says of the statement."""
    facts = asdict(reference)
    return Document(content=facts.pop("key_quote"), meta=facts)


@component
class JinaGrounder(JinaComponent):
    """Checks a statement against documents, or against the web, and quotes what shows it to be true or false.

    With a key or a `base_url` a server checks, which searches the web, or reads the URLs it is told; documents it does
    not take. A grounder that is made here knows no source to search in, and needs documents or URLs; give a `Grounder`
    for one that does.

    Args:
        api_key: Key of the server.
        base_url: The root of a server of `jina-components serve`; None, where there is a key, for Jina's.
        grounder: A `Grounder` of ours, or another with its methods.
        timeout: Seconds for a request of a server.
        max_retries: Further attempts of a request of a server that failed for a reason that may pass.

    Raises:
        ConfigError: a grounder and settings of a server, or a setting that makes no sense.

    Example:
        >>> documents = [Document(content="The bridge was opened in 1952.")]
        >>> JinaGrounder().run("The bridge was opened in 1925.", documents)["verdict"]
        'refuted'
    """

    part: ClassVar[str] = "grounder"

    def __init__(
        self,
        api_key: Secret | None = None,
        *,
        base_url: str | None = None,
        grounder: SupportsGround | None = None,
        timeout: float = 120.0,
        max_retries: int = 2,
    ) -> None:
        self.api_key = api_key
        self.base_url = base_url
        self.grounder = grounder
        self.timeout = timeout
        self.max_retries = max_retries
        self._component = open_grounder(self, grounder)

    @component.output_types(
        verdict=str, factuality=float, result=bool, reason=str, references=list[Document], meta=dict[str, Any]
    )
    def run(
        self, statement: str, documents: list[Document] | None = None, urls: list[str] | None = None
    ) -> dict[str, Any]:
        """Check a statement.

        Args:
            statement: One or a few sentences.
            documents: What to take evidence from; with `urls` None too, whatever the grounder finds.
            urls: Pages, or hosts, to take evidence from.

        Returns:
            `verdict` (`supported`, `refuted` or `not enough evidence`), `factuality` (0 to 1), `result` (whether it is
            supported), `reason`, `references` (the quotes, each with `is_supportive` and where it stands in `meta`) and
            `meta` (usage and warnings).

        Raises:
            TypeError: no list of documents.
            InputError: the statement, or what evidence is to be taken from, is empty; or a server was given documents.
            ConfigError: there is nothing to take evidence from.
        """
        return _result(run_sync(self._component.aground(statement, references=self._given(documents, urls))))

    @component.output_types(
        verdict=str, factuality=float, result=bool, reason=str, references=list[Document], meta=dict[str, Any]
    )
    async def run_async(
        self, statement: str, documents: list[Document] | None = None, urls: list[str] | None = None
    ) -> dict[str, Any]:
        """`run` without blocking the event loop."""
        return _result(await self._component.aground(statement, references=self._given(documents, urls)))

    def _given(self, documents: list[Document] | None, urls: list[str] | None) -> list[OurDocument | str] | None:
        if documents is None and urls is None:
            return None
        check_documents(documents or [], self)
        return [*map(from_haystack, documents or ()), *(urls or ())]


def open_grounder(owner: JinaComponent, given: object) -> Any:
    """The grounder given, that of a server, or one of the bundled models.

    Raises:
        ConfigError: one is given, and a server too, or it is none.
    """
    server = owner._remote()  # noqa: SLF001 (of one family)
    if given is not None:
        if isinstance(given, type) or not isinstance(given, SupportsGround):
            raise ConfigError(f"{owner.part} must have a method aground(statement, references=…), got {given!r}.")
        return given
    if server is not None:
        return RemoteGrounder(server)
    return Grounder(entailment=EntailmentScorer(), reranker=Reranker(), reader=Reader())


def _result(found: Grounding) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "factuality": found.factuality,
        "result": found.result,
        "reason": found.reason,
        "references": [reference_document(each) for each in found.references],
        "meta": {"usage": {"total_tokens": found.usage.total_tokens}, "warnings": list(found.warnings)},
    }
