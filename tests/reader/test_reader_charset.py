from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.reader.charset import clean, decode

FRENCH = "Le café était fermé à cause de la grève, mais l’équipe a décidé d’écrire une lettre à la société."
JAPANESE = "日本語の文章です。東京は日本の首都であり、世界有数の大都市である。カタカナも含まれています。"
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Россия лежит в Европе и в Азии."


@pytest.mark.parametrize("bom_codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides_even_against_the_header(bom_codec: str) -> None:
    decoded = decode(FRENCH.encode(bom_codec), declared=["windows-1252"])
    assert decoded.text == FRENCH
    assert decoded.warnings == ()


@pytest.mark.parametrize(("mark", "codec"), [(b"\xfe\xff", "utf-16-be"), (b"\0\0\xfe\xff", "utf-32-be")])
def test_big_endian_marks(mark: bytes, codec: str) -> None:
    assert decode(mark + JAPANESE.encode(codec)).text == JAPANESE


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        (FRENCH, "cp1252", "iso-8859-1"),
        (JAPANESE, "cp932", "Shift_JIS"),
        (JAPANESE, "cp932", "x-sjis"),
        (JAPANESE, "cp932", "Windows-31J"),
        (JAPANESE, "euc_jp", "euc-jp"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        ("한국어 문장입니다", "cp949", "ks_c_5601-1987"),
    ],
)
def test_a_declared_charset_is_taken_in_the_sense_of_the_web(text: str, codec: str, label: str) -> None:
    decoded = decode(text.encode(codec), declared=[label])
    assert (decoded.text, decoded.warnings) == (text, ())


def test_a_wrong_header_is_overruled_and_said() -> None:
    decoded = decode(FRENCH.encode("cp1252"), declared=["utf-8"])
    assert decoded.text == FRENCH
    assert decoded.encoding == "cp1252"
    assert "'utf-8' does not fit" in decoded.warnings[0]


def test_after_a_wrong_header_the_document_is_asked() -> None:
    decoded = decode(JAPANESE.encode("cp932"), declared=["utf-8", "shift_jis"])
    assert (decoded.text, decoded.encoding) == (JAPANESE, "cp932")
    assert len(decoded.warnings) == 1


@pytest.mark.parametrize("label", ["iso-8859-1", "gbk", "shift_jis"])
def test_utf8_under_a_legacy_label_is_recognised(label: str) -> None:
    decoded = decode((FRENCH + RUSSIAN).encode(), declared=[label])
    assert (decoded.text, decoded.encoding) == (FRENCH + RUSSIAN, "utf-8")


@pytest.mark.parametrize(("text", "codec"), [(FRENCH, "cp1252"), (RUSSIAN, "cp1251"), (JAPANESE, "euc_jp")])
def test_without_a_declaration_the_charset_is_guessed_and_said(text: str, codec: str) -> None:
    decoded = decode(text.encode(codec))
    assert decoded.text == text
    assert "was guessed" in decoded.warnings[0]


def test_undeclared_utf8_needs_no_warning() -> None:
    assert decode(RUSSIAN.encode()).warnings == ()


def test_a_few_broken_bytes_do_not_overrule_the_charset() -> None:
    decoded = decode(RUSSIAN.encode() + b" \xff end", declared=["utf-8"])
    assert decoded.encoding == "utf-8"
    assert decoded.text.endswith("\ufffd end")
    assert decoded.warnings == ("1 characters are not valid utf-8 and became U+FFFD.",)


@pytest.mark.parametrize("label", ["unicode_escape", "utf-7", "zlib", "rot13", "no such charset", "\0"])
def test_what_is_no_web_encoding_is_never_used(label: str) -> None:
    decoded = decode(rb"+ADw-script+AD4- \x3cscript\x3e", declared=[label])
    assert decoded.text == r"+ADw-script+AD4- \x3cscript\x3e"
    assert repr(label) in decoded.warnings[0]


def test_line_ends_are_unified_and_control_characters_leave() -> None:
    assert clean("a\r\nb\rc\fd\u2028e\x00\x07f\x9fg\ufeffh\ti") == "a\nb\nc\nd\nefgh\ti"


@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "shift_jis", "utf-16", "nonsense", "gb18030"]))
def test_any_bytes_decode(data: bytes, label: str) -> None:
    text = decode(data, declared=[label]).text
    assert clean(text) == text
    text.encode("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff")))
def test_clean_text_survives_utf8_unchanged(text: str) -> None:
    assert decode(text.encode()).text == text
