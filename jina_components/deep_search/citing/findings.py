"""What becomes of the pieces of a draft."""

from __future__ import annotations

from dataclasses import dataclass, field

from jina_components.deep_search.citing.drafting import Piece
from jina_components.deep_search.citing.evidence import Quote


@dataclass(slots=True)
class Finding:
    """What becomes of a piece of a draft.

    Attributes:
        piece: The piece.
        says: Its words as they can be read alone.
        near: The quotes nearest to it and how similar they are, best first.
        quotes: The quotes that show it, with how similar they are.
        supported: Whether something shows it, or it claims nothing.
        claims: Whether it claims something.
        dropped: Whether it is left out in any case.
        why: If so, the reason.
    """

    piece: Piece
    says: str
    near: list[tuple[Quote, float]] = field(default_factory=list)
    quotes: list[tuple[Quote, float]] = field(default_factory=list)
    supported: bool = False
    claims: bool = True
    dropped: bool = False
    why: str = ""

    @property
    def own(self) -> str:
        """Its words without the names of columns."""
        return self.piece.text if self.piece.kind == "row" else self.says

    @property
    def is_open(self) -> bool:
        """Whether it is not decided yet."""
        return not self.supported and not self.dropped and self.claims
