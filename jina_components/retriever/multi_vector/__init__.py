"""Late interaction: documents of a vector a token, held as bytes, and found by MaxSim."""

from jina_components.retriever.multi_vector.index import MultiVectorIndex as MultiVectorIndex
from jina_components.retriever.multi_vector.tokens import Tokens as Tokens
from jina_components.retriever.multi_vector.tokens import decode_tokens as decode_tokens
from jina_components.retriever.multi_vector.tokens import encode_tokens as encode_tokens
from jina_components.retriever.multi_vector.tokens import token_rows as token_rows
