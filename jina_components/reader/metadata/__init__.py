"""What an HTML page says of itself, in its head, in its data for machines and in its body."""

from jina_components.reader.metadata.claims import Claims, claims_of, first_paragraph
from jina_components.reader.metadata.dates import iso_date

__all__ = ["Claims", "claims_of", "first_paragraph", "iso_date"]
