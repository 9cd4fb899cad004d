"""What headers and bodies ask of reading: every option of the wire, in each way to say it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import Headers

from jina_components.read_options import MarkdownStyle, ReadOptions, Viewport
from jina_components.service.errors import Problem, rpc_body
from jina_components.service.wire.reading import OPTIONS, ReadRequest, read_request

# Every option that Jina's Reader has: its header, its key in a body; a value, and what that must change.
STYLE = MarkdownStyle(numbered_images=True)
SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}}


def style(**changed: Any) -> dict[str, Any]:
    return {"style": MarkdownStyle(**{"numbered_images": True, **changed})}


WIRE: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("x-respond-with", "respondWith", "markdown", {"format": "markdown"}),
    ("x-engine", "engine", "browser", {"engine": "browser"}),
    ("x-timeout", "timeout", "25", {"timeout": 25.0}),
    ("x-target-selector", "targetSelector", "main, .a", {"target_selector": "main, .a"}),
    ("x-wait-for-selector", "waitForSelector", "#late", {"wait_for_selector": "#late"}),
    ("x-remove-selector", "removeSelector", "nav", {"remove_selector": "nav"}),
    ("x-retain-images", "retainImages", "alt", {"images": "alt"}),
    ("x-retain-links", "retainLinks", "text", {"links": "text"}),
    ("x-with-links-summary", "withLinksSummary", "true", {"links": "unique"}),
    ("x-with-images-summary", "withImagesSummary", "true", {"images": True}),
    ("x-with-generated-alt", "withGeneratedAlt", "true", {"captions": True}),
    ("x-no-cache", "noCache", "true", {"cache_tolerance": 0.0}),
    ("x-cache-tolerance", "cacheTolerance", "60", {"cache_tolerance": 60.0}),
    ("x-keep-img-data-url", "keepImgDataUrl", "true", {"keep_data_urls": True}),
    ("x-with-iframe", "withIframe", "true", {"iframes": True}),
    ("x-with-shadow-dom", "withShadowDom", "true", {"shadow_dom": True}),
    (
        "x-set-cookie", "setCookies", "a=1; Expires=Wed, 09 Jun 2100 10:18:14 GMT, b=2; Path=/",
        {"cookies": ("a=1; Expires=Wed, 09 Jun 2100 10:18:14 GMT", "b=2; Path=/")},
    ),
    ("x-proxy-url", "proxyUrl", "http://proxy.test:3128", {"proxy": "http://proxy.test:3128"}),
    ("x-proxy", "proxy", "none", {}),
    ("x-user-agent", "userAgent", "Bot/1", {"user_agent": "Bot/1"}),
    ("x-referer", "referer", "http://from.test/", {"referer": "http://from.test/"}),
    ("x-locale", "locale", "de-DE", {"locale": "de-DE"}),
    ("", "customHeader", {"X-A": "b"}, {"headers": {"X-A": "b"}}),
    ("x-token-budget", "tokenBudget", "1000", {"token_budget": 1000}),
    ("x-max-tokens", "maxTokens", "600", {"max_tokens": 600}),
    ("x-respond-timing", "respondTiming", "media-idle", {"timing": "media-idle"}),
    ("x-base", "base", "final", {"base": "final"}),
    ("x-remove-overlay", "removeOverlay", "true", {"remove_overlays": True}),
    ("x-robots-txt", "robotsTxt", "mybot", {"robots": "mybot"}),
    ("dnt", "doNotTrack", "1", {"do_not_track": True}),
    ("x-no-gfm", "noGfm", "true", style(gfm=False)),
    ("x-markdown-chunking", "markdownChunking", "s2", {"chunking": "s2"}),
    ("x-md-heading-style", "markdown.headingStyle", "setext", style(heading="setext")),
    ("x-md-hr", "markdown.hr", "* * *", style(rule="* * *")),
    ("x-md-bullet-list-marker", "markdown.bulletListMarker", "+", style(bullet="+")),
    ("x-md-em-delimiter", "markdown.emDelimiter", "_", style(emphasis="_")),
    ("x-md-strong-delimiter", "markdown.strongDelimiter", "__", style(strong="__")),
    ("", "markdown.escape", False, style(escape=False)),
    ("", "markdown.numberedImages", False, style(numbered_images=False)),
    ("x-md-link-style", "markdown.linkStyle", "referenced", style(links="referenced")),
    ("x-md-link-reference-style", "markdown.linkReferenceStyle", "shortcut", style(references="shortcut")),
    ("", "viewport", {"width": 390, "height": 844, "isMobile": True},
     {"viewport": Viewport(width=390, height=844, mobile=True)}),
    ("", "injectPageScript", ["document.title = 1"], {"scripts": ("document.title = 1",)}),
    ("", "injectFrameScript", [], {}),
    ("", "instruction", "the price", {"instruction": "the price"}),
    ("", "jsonSchema", SCHEMA, {"json_schema": SCHEMA}),
]  # fmt: skip


def asked(headers: dict[str, str] | None = None, body: dict[str, Any] | None = None) -> ReadRequest:
    return read_request(Headers(headers or {}), body)


def facts(request: ReadRequest) -> dict[str, Any]:
    """What a request changes of the defaults; lists of links and images by the request's own names."""
    own = {name: getattr(request, name) for name in ("token_budget",) if getattr(request, name) is not None}
    if request.links != "none":
        own["links"] = request.links
    if request.images:
        own["images"] = True
    plain = asked().options
    names = [name for name in ReadOptions.__slots__ if getattr(request.options, name) != getattr(plain, name)]
    return own | {name: getattr(request.options, name) for name in names}


def body_of(key: str, value: Any) -> dict[str, Any]:
    outer, _, inner = key.partition(".")
    return {outer: {inner: value}} if inner else {key: value}


def problem_of(headers: dict[str, str] | None = None, body: dict[str, Any] | None = None) -> dict[str, Any]:
    with pytest.raises(Problem) as caught:
        asked(headers, body)
    return rpc_body(caught.value)


def test_no_option_of_the_wire_is_missing():
    assert [(next(iter(each.headers), ""), each.key) for each in sorted(OPTIONS, key=lambda each: each.key)] == [
        (header, key) for header, key, _, _ in sorted(WIRE, key=lambda row: row[1])
    ]


@pytest.mark.parametrize(("header", "value", "changed"), [(row[0], *row[2:]) for row in WIRE if row[0]])
def test_a_header_changes_what_it_should(header, value, changed):
    assert facts(asked({header: value})) == changed


@pytest.mark.parametrize(("key", "value", "changed"), [row[1:] for row in WIRE])
def test_a_body_changes_what_it_should(key, value, changed):
    assert facts(asked(body=body_of(key, value))) == changed
    if isinstance(value, str):
        assert facts(asked(body={key: value})) == changed  # as a form has it


@pytest.mark.parametrize(("key", "field"), [("emDelimiter", "emphasis"), ("strongDelimiter", "strong")])
def test_a_delimiter_may_be_none(key, field):
    assert facts(asked(body={"markdown": {key: "none"}})) == style(**{field: ""})


def test_defaults():
    plain = asked()
    assert plain == ReadRequest(options=ReadOptions(accept_errors=True, base="initial", style=STYLE))
    assert plain.formats == ("content",)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        # The header wins …
        ({"x-respond-with": "text"}, {"respondWith": "html"}, {"format": "text"}),
        ({"x-locale": "de"}, {"locale": "fr"}, {"locale": "de"}),
        ({"x-referer": "http://a/"}, {"referer": "http://b/"}, {"referer": "http://a/"}),
        ({"x-engine": "direct"}, {"engine": "browser"}, {"engine": "direct"}),
        ({"x-cache-tolerance": "1"}, {"cacheTolerance": 2}, {"cache_tolerance": 1.0}),
        ({"x-retain-images": "none"}, {"retainImages": "alt"}, {"images": "none"}),
        ({"x-retain-links": "none"}, {"retainLinks": "text"}, {"links": "none"}),
        ({"x-with-links-summary": "all"}, {"withLinksSummary": True}, {"links": "all"}),
        ({"x-timeout": "5"}, {"timeout": 6}, {"timeout": 5.0}),
        ({"x-with-iframe": "1"}, {"withIframe": False}, {"iframes": True}),
        ({"x-with-shadow-dom": "1"}, {"withShadowDom": False}, {"shadow_dom": True}),
        ({"x-base": "final"}, {"base": "initial"}, {"base": "final"}),
        ({"x-remove-overlay": "no"}, {"removeOverlay": True}, {}),
        # … and the body.
        ({"x-target-selector": "a"}, {"targetSelector": "b"}, {"target_selector": "b"}),
        ({"x-wait-for-selector": "a"}, {"waitForSelector": ["b", "c"]}, {"wait_for_selector": "b, c"}),
        ({"x-remove-selector": "a"}, {"removeSelector": "b"}, {"remove_selector": "b"}),
        ({"x-user-agent": "a"}, {"userAgent": "b"}, {"user_agent": "b"}),
        ({"x-proxy": "de"}, {"proxy": "none"}, {}),
        ({"x-proxy-url": "http://a"}, {"proxyUrl": "http://b"}, {"proxy": "http://b"}),
        ({"x-robots-txt": "a"}, {"robotsTxt": "b"}, {"robots": "b"}),
        ({"x-token-budget": "1"}, {"tokenBudget": 2}, {"token_budget": 2}),
        ({"x-max-tokens": "500"}, {"maxTokens": 600}, {"max_tokens": 600}),
        ({"x-markdown-chunking": "h1"}, {"markdownChunking": "h2"}, {"chunking": "h2"}),
        ({"x-respond-timing": "html"}, {"respondTiming": "media-idle"}, {"timing": "media-idle"}),
        ({"x-md-hr": "***"}, {"markdown": {"hr": "___"}}, style(rule="___")),
    ],
)
def test_header_against_body(headers, body, expected):
    assert facts(asked(headers, body)) == expected


@pytest.mark.parametrize("option", [each for each in OPTIONS if each.flag is not None], ids=lambda each: each.key)
def test_a_flag_in_a_header_is_true_whatever_it_says(option):
    said_yes = facts(asked({option.headers[0]: "true"}))
    assert said_yes
    assert facts(asked({option.headers[0]: "false"})) == said_yes
    assert facts(asked({option.headers[0]: ""})) == {}
    assert facts(asked(body={option.key: False})) == {}
    assert facts(asked(body={option.key: "false"})) == {}


@pytest.mark.parametrize("no", ["no", "none", "false"])
def test_removing_overlays_can_be_refused(no):
    assert facts(asked({"x-remove-overlay": no})) == {}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-return-format": "text"}, {"format": "text"}),
        ({"x-respond-with": "html", "x-return-format": "text"}, {"format": "html"}),
        ({"x-engine": "curl"}, {"engine": "direct"}),
        ({"x-engine": "Direct"}, {"engine": "direct"}),
        ({"x-timeout": "0.1"}, {"timeout": 1.0}),
        ({"x-timeout": "999"}, {"timeout": 180.0}),
        ({"x-retain-images": "all_p"}, {"captions": True}),
        ({"x-retain-images": "alt_p"}, {"images": "alt", "captions": True}),
        ({"x-retain-links": "gpt-oss"}, {"links": "cited", **style(links="cited")}),
        ({"x-retain-links": "gpt-oss", "x-with-links-summary": "all"}, {"links": "cited", **style(links="cited")}),
        ({"x-no-gfm": "table"}, style(tables="html")),
        ({"x-markdown-chunking": "true"}, {"chunking": "h4"}),
        ({"x-markdown-chunking": "structured"}, {"chunking": "s4"}),
        ({"x-markdown-chunking": "h5"}, {"chunking": "h5"}),
        ({"x-md-link-reference-style": "discarded"}, style(links="discarded")),
        ({"accept-language": "de-CH, de;q=0.9, *;q=0.5"}, {"locale": "de-CH"}),
        ({"accept-language": "*"}, {}),
        ({"accept-language": "de", "x-locale": "fr"}, {"locale": "fr"}),
        ({"dnt": "0"}, {}),
        ({"x-proxy": "auto"}, {}),
        ({"x-no-cache": "1", "x-cache-tolerance": "60"}, {"cache_tolerance": 0.0}),
        # What is fetched is complete: nothing to wait for.
        ({"x-engine": "direct", "x-respond-timing": "html"}, {"engine": "direct"}),
        # A browser waits for what is to be kept.
        (
            {"x-engine": "browser", "x-target-selector": "main"},
            {"engine": "browser", "target_selector": "main", "wait_for_selector": "main"},
        ),
        ({"x-unknown": "1", "x-with-iframe": " "}, {}),
    ],
)
def test_other_forms_of_values(headers, expected):
    assert facts(asked(headers)) == expected


def test_repeated_headers_are_one_list():
    headers = Headers(raw=[(b"x-set-cookie", b"a=1"), (b"x-set-cookie", b"b=2"), (b"x-target-selector", b"main")])
    assert read_request(headers).options.cookies == ("a=1", "b=2")


def test_several_formats():
    request = asked({"x-respond-with": "markdown+html, pageshot"})
    assert request.formats == ("markdown", "html", "pageshot")
    assert request.options.format == "markdown"
    assert asked({"x-engine": "readerlm-v2"}).options.format == "readerlm"
    assert asked(body={"viewport": {"width": 100, "height": 200, "isLandscape": True}}).options.viewport == Viewport(
        width=200, height=100
    )


@pytest.mark.parametrize(
    ("headers", "body", "path", "says"),
    [
        ({"x-respond-with": "mardown"}, {}, "respondWith", "mardown"),
        ({"x-respond-with": "vlm"}, {}, "respondWith", "not served"),
        ({"x-engine": "vlm"}, {}, "engine", "not served"),
        ({"x-respond-with": "readerlm-v2+markdown"}, {}, "respondWith", "one of them"),
        ({"x-engine": "cf-browser-rendering"}, {}, "engine", "browser"),
        ({"x-engine": "firefox"}, {}, "engine", "auto"),
        ({"x-engine": "direct", "x-with-iframe": "true"}, {}, "engine", "iframes"),
        ({"x-timeout": "soon"}, {}, "timeout", "number"),
        ({}, {"timeout": 200}, "timeout", "180"),
        ({}, {"timeout": True}, "timeout", "number"),
        ({"x-target-selector": "a["}, {}, "targetSelector", "CSS"),
        ({"x-wait-for-selector": "("}, {}, "waitForSelector", "CSS"),
        ({"x-remove-selector": "a" * 5000}, {}, "removeSelector", "4,000"),
        ({}, {"targetSelector": {"a": 1}}, "targetSelector", "string"),
        ({"x-retain-images": "some"}, {}, "retainImages", "alt_p"),
        ({"x-retain-links": "some"}, {}, "retainLinks", "gpt-oss"),
        ({"x-with-iframe": "quoted"}, {}, "withIframe", "quoted"),
        ({"x-proxy": "de"}, {}, "proxy", "proxyUrl"),
        ({}, {"proxy": "any"}, "proxy", "none"),
        ({"x-proxy-url": "socks5://a"}, {}, "proxyUrl", "SOCKS"),
        ({"x-cache-tolerance": "-1"}, {}, "cacheTolerance", "negative"),
        ({"x-cache-tolerance": "nan"}, {}, "cacheTolerance", "number"),
        ({"x-token-budget": "0"}, {}, "tokenBudget", "at least 1"),
        ({"x-max-tokens": "499"}, {}, "maxTokens", "500"),
        ({"x-max-tokens": "500.5"}, {}, "maxTokens", "whole"),
        ({"x-respond-timing": "now"}, {}, "respondTiming", "media-idle"),
        ({"x-base": "middle"}, {}, "base", "final"),
        ({"x-markdown-chunking": "h6"}, {}, "markdownChunking", "h5"),
        ({"x-md-hr": "-" * 200}, {}, "markdown.hr", "128"),
        ({"x-md-bullet-list-marker": "o"}, {}, "markdown.bulletListMarker", "+"),
        ({}, {"markdown": {"headingStyle": 1}}, "markdown.headingStyle", "string"),
        ({}, {"viewport": "wide"}, "viewport", "width"),
        ({}, {"viewport": {"width": 0}}, "viewport", "at least 1"),
        ({}, {"viewport": {"width": 100_000}}, "viewport", "10,000"),
        ({}, {"viewport": {"hasTouch": True}}, "viewport", "isMobile"),
        ({}, {"customHeader": "X: y"}, "customHeader", "object"),
        ({}, {"customHeader": {"X": 1}}, "customHeader", "string"),
        ({}, {"setCookies": 1}, "setCookies", "string"),
        ({}, {"setCookies": ["a=1"] * 50}, "setCookies", "32"),
        ({}, {"injectFrameScript": "1"}, "injectFrameScript", "injectPageScript"),
        ({}, {"jsonSchema": "{}"}, "jsonSchema", "object"),
        ({}, {"noCache": {}}, "noCache", "true or false"),
    ],
)
def test_what_is_wrong_is_named(headers, body, path, says):
    told = problem_of(headers, body)
    assert (told["code"], told["status"], told["name"]) == (400, 40001, "ParamValidationError")
    assert told["path"] == path
    assert told["readableMessage"].startswith(f"ParamValidationError({path}): ")
    assert says in told["message"]
    assert "_" not in told["message"].split(" ")[0]  # the wire's names, not ours


@pytest.mark.parametrize("option", OPTIONS, ids=lambda each: each.key)
@pytest.mark.parametrize("value", [[], {}, [1], [[]], -1, 0, True, 1e308, "", "\0", "x" * 100_000, [None], {"a": [{}]}])
def test_whatever_a_body_holds_it_is_an_option_or_an_error_of_the_client(option, value):
    try:
        asked(body=body_of(option.key, value))
    except Problem as problem:
        told = problem
    else:
        return
    assert told.status == 400
    assert len(told.detail) < 1000
