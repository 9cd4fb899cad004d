from __future__ import annotations

import string

import pytest
from tiny_checkpoints import edit_json
from tiny_colberts import METADATA, save_bert_colbert, save_pylate, tokenizer_of

from jina_components.errors import InputError, ModelFilesError
from jina_components.models.layout import read_layout
from jina_components.models.multi_vector import is_multi_vector, read_settings, read_tokenizer
from jina_components.models.tokenize import load_tokenizer

WORDS = tokenizer_of("jina-colbert-v1-en")
CLS, SEP, MASK, QUERY, DOCUMENT = map(WORDS.token_to_id, ("[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("colbert")
    colbert = save_bert_colbert(root / "colbert")
    return {"colbert": colbert, "pylate": save_pylate(root / "pylate", colbert)}


@pytest.fixture(params=["colbert", "pylate"])
def folder(folders, request):
    return folders[request.param]


def tokenizer(folder, context=None):
    return read_tokenizer(read_layout(folder), None, context=context)


def bare(text):
    return WORDS.encode(text, add_special_tokens=False).ids


def test_a_query_has_its_marker_and_is_filled_up(folder):
    [query] = tokenizer(folder).queries(["The quick, brown fox."])
    ids = [CLS, QUERY, *bare("The quick, brown fox."), SEP]
    assert query.ids.tolist() == ids + [MASK] * (32 - len(ids))
    assert query.spans.tolist() == [[place, place + 1] for place in range(32)]


def test_a_document_has_its_marker_and_no_vectors_of_punctuation(folder):
    text = "The quick, brown fox."
    [document] = tokenizer(folder).documents([text])
    ids = [CLS, DOCUMENT, *bare(text), SEP]
    assert document.ids.tolist() == ids
    signs = {WORDS.token_to_id(","), WORDS.token_to_id(".")}
    assert document.spans[:, 0].tolist() == [place for place, number in enumerate(ids) if number not in signs]
    assert len(document.spans) == len(ids) - 2


def test_the_longest_query(folder):
    words = "fox " * 29
    made = tokenizer(folder)
    [whole] = made.queries([words])
    assert whole.ids.tolist() == [CLS, QUERY, *bare(words), SEP]
    assert len(whole) == 32
    with pytest.raises(InputError, match=r"inputs\[7\] has 32 tokens, more than the 31 of a query") as caught:
        made.queries(["fox", words + "lazy"], indices=[4, 7])
    assert caught.value.index == 7
    short, cut = made.queries(["fox", words + "lazy"], truncate=True)
    assert cut.ids.tolist() == whole.ids.tolist()
    assert short.ids.tolist() == made.queries(["fox"])[0].ids.tolist()


def test_the_longest_document(folder):
    made = tokenizer(folder)
    [whole] = made.documents(["fox " * 37])
    assert len(whole) == 40
    with pytest.raises(InputError, match=r"inputs\[0\] has 40 tokens, more than the model's context of 39"):
        made.documents(["fox " * 38])
    assert made.documents(["fox " * 38], truncate=True)[0].ids.tolist() == whole.ids.tolist()
    assert [len(part) for part in made.chunks(["fox " * 38])[0]] == [40, 40]
    assert len(tokenizer(folder, context=20).documents(["fox " * 90], truncate=True)[0]) == 20


def test_a_query_that_is_not_filled_up_and_words_to_skip(folders, tmp_path):
    folder = save_pylate(
        tmp_path / "own", folders["colbert"], do_query_expansion=False, attend_to_expansion_tokens=False,
        skiplist_words=["fox", "no such word"], query_prefix="", document_length=12,
    )  # fmt: skip
    made = tokenizer(folder)
    [query], [document] = made.queries(["quick fox!"]), made.documents(["quick fox!"])
    assert query.ids.tolist() == [CLS, *bare("quick fox!"), SEP]
    assert len(query.spans) == len(query)
    assert len(document.spans) == len(document) - 1
    assert made.document.context == 11


def test_defaults(tmp_path, folders):
    """Those of colbert-ai 0.2 and PyLate 1.6."""
    stanford = save_bert_colbert(tmp_path / "plain", **dict.fromkeys([*METADATA, "doc_maxlen"]))
    settings = read_settings(read_layout(stanford))
    assert (settings.query_marker, settings.document_marker) == ("[unused0]", "[unused1]")
    assert (settings.query_length, settings.document_length) == (32, 220)
    assert (settings.filled, settings.attended) == (True, False)
    assert settings.skipped == list(string.punctuation)
    (stanford / "artifact.metadata").unlink()
    assert read_settings(read_layout(stanford)) == settings
    pylate = save_pylate(tmp_path / "pylate", folders["colbert"])
    (pylate / "config_sentence_transformers.json").write_text("{}")
    settings = read_settings(read_layout(pylate))
    assert (settings.query_marker, settings.document_marker) == ("[Q] ", "[D] ")
    assert (settings.query_length, settings.document_length) == (32, 180)
    assert settings.skipped == list(string.punctuation)


def test_punctuation_may_count(tmp_path):
    made = tokenizer(save_bert_colbert(tmp_path / "model", mask_punctuation=False))
    [document] = made.documents(["fox, fox."])
    assert len(document.spans) == len(document)


def test_mask_tokens_that_nothing_sees(tmp_path, folder):
    hidden = tokenizer(save_bert_colbert(tmp_path / "model", attend_to_mask_tokens=False))
    [query], [plain] = hidden.queries(["quick fox"]), tokenizer(folder).queries(["quick fox"])
    assert query.ids.tolist() == plain.ids.tolist()
    assert query.num_seen == len(bare("quick fox")) + 3
    assert plain.num_seen == 32
    assert hidden.documents(["quick fox"])[0].seen is None


def test_jinas_markers_stand_in_for_those_that_the_vocabulary_lacks(tmp_path, folders):
    folder = save_bert_colbert(tmp_path / "model", query_token_id="[unused0]", doc_token_id="[none]")
    with pytest.raises(ModelFilesError, match=r"none of the tokens '\[none\]', '\[DocumentMarker\]'"):
        tokenizer(folder)
    parsed = load_tokenizer(folder / "tokenizer.json")
    parsed.add_tokens(["[DocumentMarker]"])
    parsed.save(str(folder / "tokenizer.json"))
    [document] = tokenizer(folder).documents(["fox"])
    assert document.ids[1] == parsed.token_to_id("[DocumentMarker]")


def test_a_vocabulary_without_a_mask_token(tmp_path, folders):
    folder = save_bert_colbert(tmp_path / "model")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("[MASK]", "[OTHER]"))
    edit_json(folder / "tokenizer_config.json", mask_token=None)
    with pytest.raises(ModelFilesError, match=r"none of the tokens .*'\[MASK\]', '<mask>'"):
        tokenizer(folder)


@pytest.mark.parametrize(("key", "value"), [("query_maxlen", "32"), ("doc_maxlen", True), ("mask_punctuation", 1)])
def test_settings_of_a_wrong_type(tmp_path, key, value):
    folder = save_bert_colbert(tmp_path / "model", **{key: value})
    with pytest.raises(ModelFilesError, match=rf"artifact\.metadata: {key} must be of type"):
        tokenizer(folder)


def test_metadata_that_is_no_json(tmp_path):
    folder = save_bert_colbert(tmp_path / "model")
    (folder / "artifact.metadata").write_text("{")
    with pytest.raises(ModelFilesError, match="not readable JSON"):
        tokenizer(folder)


def test_which_folders_these_are(folder, minilm_folder, static_folder):
    assert is_multi_vector(read_layout(folder))
    assert not is_multi_vector(read_layout(minilm_folder))
    assert not is_multi_vector(read_layout(static_folder))
