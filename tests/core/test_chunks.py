from hypothesis import given
from hypothesis import strategies as st

from jina_components import Document, Segmenter
from jina_components.core.chunks import join_chunks


def chunk(text, start):
    return Document(text, metadata={"start": start})


@given(st.text(alphabet="ab \n.", max_size=300), st.integers(5, 60))
def test_a_segmented_text_comes_back_but_for_its_blanks(text, length):
    pieces = Segmenter(max_chunk_length=length).segment(text).chunks
    chunks = [chunk(piece.text, piece.start) for piece in pieces if piece.text.strip()]
    joined = join_chunks(chunks[::-1])
    assert joined.split() == text.split()
    assert all(joined[each.metadata["start"] :].startswith(each.text) for each in chunks)


def test_overlaps_gaps_and_a_later_start():
    chunks = [chunk("cdef", 2), chunk("abcd", 0), chunk("ij", 8)]
    assert join_chunks(chunks) == "abcdef\n\nij"
    assert join_chunks(chunks, start=3) == "def\n\nij"
    assert join_chunks([]) == ""
