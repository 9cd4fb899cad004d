import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import InputError
from jina_components.net.cookies import cookie_header, parse_cookie

URL = "https://www.shop.test/cart/items?x=1"


def test_a_bare_cookie_goes_to_its_host_and_folder_only():
    cookie = parse_cookie("session=a=b", url=URL)
    assert (cookie.name, cookie.value) == ("session", "a=b")
    assert (cookie.domain, cookie.path, cookie.expires) == ("www.shop.test", "/cart", -1)
    assert (cookie.http_only, cookie.secure, cookie.is_expired) == (False, False, False)


def test_attributes_are_read_whatever_their_case():
    cookie = parse_cookie("a=1; PATH=/x; domain=.Shop.TEST; Secure; httponly; samesite=none; Future=1", url=URL)
    assert (cookie.domain, cookie.path) == (".shop.test", "/x")
    assert (cookie.http_only, cookie.secure, cookie.same_site) == (True, True, "None")


@pytest.mark.parametrize(
    ("text", "expired"),
    [
        ("a=1; Max-Age=0", True),
        ("a=1; Max-Age=-5; Expires=Wed, 21 Oct 2065 07:28:00 GMT", True),
        ("a=1; Max-Age=60; Expires=Wed, 21 Oct 2015 07:28:00 GMT", False),
        ("a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT", True),
        ("a=1; Expires=Wed, 21-Oct-2065 07:28:00 GMT", False),
        ("a=1; Expires=soon; Max-Age=later", False),
    ],
)
def test_max_age_is_stronger_than_expires(text, expired):
    assert parse_cookie(text, url=URL).is_expired is expired


def test_max_age_counts_from_now():
    assert parse_cookie("a=1; Max-Age=60", url=URL).expires == pytest.approx(time.time() + 60, abs=5)


@pytest.mark.parametrize("text", ["", "novalue", "=x", "a=1\r\nb: 2", "a=1; Domain=other.test", "a=1; Domain=p.test"])
def test_what_a_browser_would_reject_is_an_error(text):
    with pytest.raises(InputError):
        parse_cookie(text, url=URL)


def test_an_address_has_no_subdomains():
    assert parse_cookie("a=1; Domain=127.0.0.1", url="http://127.0.0.1/").domain == "127.0.0.1"
    with pytest.raises(InputError):
        parse_cookie("a=1; Domain=0.0.1", url="http://127.0.0.1/")


@pytest.mark.parametrize("digits", [9, 20, 400, 5000])
def test_no_cookie_lives_for_ever(digits):
    expires = parse_cookie(f"a=1; Max-Age={'9' * digits}", url=URL).expires
    assert expires == -1 or time.time() < expires < time.time() + 401 * 86_400


def test_a_top_level_domain_is_no_site():
    with pytest.raises(InputError):
        parse_cookie("a=1; Domain=test", url=URL)
    assert parse_cookie("a=1; Domain=localhost", url="http://localhost/").domain == ".localhost"


def test_what_is_no_url_is_an_input_error():
    with pytest.raises(InputError):
        cookie_header(["a=1"], url="http://[x/")
    assert cookie_header([], url="http://[x/") == ""


def test_a_request_carries_what_belongs_to_its_path_longest_first():
    cookies = ["a=1; Path=/", "b=2; Path=/cart/", "c=3", "d=4; Path=/car", "e=5; Path=/cart/items/", "f=6; Max-Age=0"]
    assert cookie_header(cookies, url=URL) == "b=2; c=3; a=1"
    assert cookie_header(["a=1; Path=/cart/"], url="https://www.shop.test/cart") == ""
    assert cookie_header(["a=1"], url="https://www.shop.test") == "a=1"


def test_a_later_cookie_takes_the_place_of_an_earlier_one():
    assert cookie_header(["a=1", "b=2", "a=3"], url=URL) == "a=3; b=2"
    assert cookie_header(["a=1", "a=2; Max-Age=0"], url=URL) == ""


def test_secure_cookies_go_over_tls_alone():
    assert cookie_header(["a=1; Secure", "b=2"], url=URL) == "a=1; b=2"
    assert cookie_header(["a=1; Secure", "b=2"], url=URL.replace("https", "http")) == "b=2"


@given(st.text(max_size=60))
def test_any_text_is_a_cookie_or_an_input_error(text):
    try:
        cookie = parse_cookie(text, url=URL)
    except InputError:
        return
    assert cookie.name
    assert cookie.path.startswith("/")
