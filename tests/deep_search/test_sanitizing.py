import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.deep_search.citing.addresses import KnownAddresses, cut_addresses, ends_in_address, find_addresses
from jina_components.deep_search.citing.sanitizing import readable, sanitize


@pytest.fixture(scope="module")
def known():
    known = KnownAddresses()
    known.add("Read https://good.org/a_(b) or ask info@good.org.", "docs.good.dev/x")
    return known


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Paris is big.[1][^2] It is 【4†source】fine [doc 3].", "Paris is big. It is fine."),
        ("Big (Source: Wikipedia, 2024).", "Big."),
        ("Big.<sup>[1]</sup> And <ref>Book, p. 3</ref>old.", "Big. And old."),
        ("It is so [unverified]. It is [^1].", "It is so. It is."),
        ("[Text](http://evil.com 'x') and [r][1] and [[2]](http://x.com).", "Text and r and."),
        ("![alt](http://evil.com/x.png)Seen.", "Seen."),
        ("[1]: http://evil.com\n[^1]: A book.\nText.", "Text."),
        ("<b>Bold</b> <script>alert(1)</script>text<!-- hidden -->.", "Bold text."),
        ("a < b and <img src=x", "a < b and \\<img src=x"),
        ("&quot;x&quot; &lt;b&gt;", '"x" &lt;b&gt;'),
        ("Text.\n\n## Sources\n- Book\n\n## More\nEnd.", "Text.\n\n## More\nEnd."),
        ("Keep `List<String> a[1]` as it is.", "Keep `List<String> a[1]` as it is."),
        ("So evil<b></b>.com or evil[1].com.", "So or."),
        ("in\u200bvis\u202eible", "invisible"),
        ("```py\na = b[1]", "```py\na = b[1]\n```\n"),
    ],
)
def test_what_a_model_must_not_write_goes(text, clean, known):
    assert sanitize(text, known) == clean


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.com/a?b=c#d", "HTTPS://EVIL.EXAMPLE", "http:evil.com", "hxxp://evil[.]com/x", "h**p://evil.com",
        "evil [.] com", "evil dot com", "evil(dot)com", "www.evil.co.uk", "EVIL.COM", "evil.io", "evil。com",
        "ｅｖｉｌ．ｃｏｍ", "evil*.*com", "https\\://evil.foo", "https:\\\\evil.foo", "//evil.com/x", "evil%2Ecom",
        "https%3A%2F%2Fevil.com", "me@evil.zone", "me [at] evil [dot] com", "javascript:alert(1)", "data:text/html,x",
        "1.2.3.4/x", "http://1.2.3.4", "ftp://evil", "xn--80ak6aa92e.com", "мой.рф", "evil.zip/path", "ev\u200bil.com",
        "&#104;ttps://evil.foo", "https://good.org.evil.com", "https://good.org@evil.com",
        "https://good.org/other", "notgood.org",
    ],
)  # fmt: skip
def test_addresses_that_no_source_names_are_cut_out(address, known):
    for text in (f"See {address} now.", f"({address})", f"[x]({address})", f"<{address}>", f"`{address}`"):
        clean = sanitize(text, known)
        assert "evil" not in clean.lower()
        assert not known.unknown(clean)
        assert address not in clean


@pytest.mark.parametrize(
    "text",
    [
        "See https://good.org/a_(b), or good.org.",
        "Write to info@good.org!",
        "docs.good.dev/x",
        "e.g. this, the U.S. and 3.5 of main.py, Node.js; at 5 p.m. The end.It was",
        "北京。in 2005",
        "std::string and a:b and 12:30",
        "`user.name` is set",
    ],
)
def test_known_addresses_and_what_is_none_stay(text, known):
    assert sanitize(text, known) == text if "`" not in text else cut_addresses(text, known, is_code=True) == text


def test_an_address_in_a_language_without_spaces_is_told_from_the_words(known):
    assert sanitize("访问evil.com查看", known) == "访问查看"
    assert sanitize("访问good.org查看", known) == "访问good.org查看"


def test_code_keeps_its_attributes_but_no_address(known):
    assert sanitize("```\nuser.id = a.info()\n# http://evil.com/\n```", known) == "```\nuser.id = a.info()\n#\n```"


def test_what_follows_an_address_at_once_would_be_part_of_it():
    assert ends_in_address("See https://good.org")
    assert not ends_in_address("https://good.org is good.")


def test_readable_leaves_out_notes_and_links():
    assert readable("Huygens [landed](http://x.org) there.[2][17]") == "Huygens landed there."


@given(st.text(alphabet='ab.:/@[]()<>!`^1 "\n*_\\%2e&#;www', max_size=200))
def test_nothing_that_was_cut_makes_another(text):
    known = KnownAddresses()
    clean = sanitize(text, known)
    assert not find_addresses(clean.replace("`", " ")) or "`" in text


@pytest.mark.parametrize(
    "unit",
    [
        "a.",
        "http:",
        "www.",
        "://",
        "a@",
        "[",
        "](",
        "[a](",
        "<a ",
        "<!--",
        "<ref>",
        "`",
        "[^",
        "{{cite",
        "[1, ",
        "【",
        " ",
    ],
)
def test_takes_linear_time(unit, known):
    began = time.process_time()
    sanitize(unit * (100_000 // len(unit)), known)
    assert time.process_time() - began < 10
