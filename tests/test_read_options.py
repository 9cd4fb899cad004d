from __future__ import annotations

import pickle
from dataclasses import fields
from typing import Any

import pytest

from jina_components.errors import ConfigError
from jina_components.read_options import PLAIN, QUOTABLE, MarkdownStyle, ReadOptions, Viewport


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"format": "docx"}, "'content', 'markdown', 'html'"),
        ({"engine": "curl"}, "engine must be one of 'auto', 'direct', 'browser'; got 'curl'"),
        ({"images": True}, "images must be one of"),
        ({"links": "some"}, "links must be one of"),
        ({"timing": "never"}, "timing must be one of"),
        ({"chunking": "h6"}, "chunking must be one of"),
        ({"base": "any"}, "base must be one of"),
        ({"target_selector": "div["}, "target_selector must be a CSS selector, got 'div\\['"),
        ({"remove_selector": "::"}, "remove_selector"),
        ({"wait_for_selector": "a b >"}, "wait_for_selector"),
        ({"cookies": "a=1"}, "pass \\('a=1',\\)"),
        ({"scripts": "x()"}, "scripts must be a tuple"),
        ({"timeout": 0}, "up to 180 seconds"),
        ({"timeout": 181}, "up to 180 seconds"),
        ({"token_budget": 0}, "token_budget must be positive"),
        ({"max_tokens": -1}, "max_tokens must be positive"),
        ({"cache_tolerance": -1.0}, "cache_tolerance"),
        ({"timeout": "5"}, "timeout must be a number or None, got '5'"),
        ({"max_tokens": True}, "max_tokens must be a number"),
        ({"engine": "direct", "iframes": True}, "engine='direct' cannot do what iframes asks for"),
        ({"engine": "direct", "format": "pageshot"}, "format='pageshot'"),
        ({"engine": "direct", "scripts": ("x()",), "shadow_dom": True}, "shadow_dom, scripts"),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ReadOptions(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"heading": "html"}, {"bullet": "x"}, {"emphasis": "**"}, {"strong": "*"}, {"rule": ""}, {"rule": "-" * 129},
     {"rule": "-\n-"}, {"links": "none"}, {"references": "x"}, {"tables": "csv"}],
)  # fmt: skip
def test_wrong_styles_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        MarkdownStyle(**wrong)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"height": 10_001}, {"scale": 0.0}, {"scale": 5}])
def test_wrong_viewports_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="viewport"):
        Viewport(**wrong)


def test_what_only_a_browser_can_do() -> None:
    assert ReadOptions().needing_browser() == ()
    assert ReadOptions(engine="browser").needing_browser() == ()
    asked = ReadOptions(format="screenshot", viewport=Viewport(), timing="html", wait_for_selector="p")
    assert set(asked.needing_browser()) == {"format='screenshot'", "viewport", "timing", "wait_for_selector"}


@pytest.mark.parametrize(
    "options",
    [ReadOptions(), QUOTABLE, *(ReadOptions(links=links) for links in ("text", "referenced")),
     ReadOptions(style=MarkdownStyle(links="cited")), ReadOptions(images="alt"), ReadOptions(chunking="h2"),
     ReadOptions(engine="browser", wait_for_selector="p"), ReadOptions(token_budget=9)],
)  # fmt: skip
def test_whole_reads_are_memorable(options: ReadOptions) -> None:
    assert options.is_memorable


@pytest.mark.parametrize(
    "asked",
    [
        *({"format": each} for each in ("markdown", "html", "text", "screenshot", "pageshot", "readerlm")),
        {"target_selector": "footer"}, {"remove_selector": "p"}, {"max_tokens": 500}, {"links": "none"},
        {"do_not_track": True}, {"cookies": ("a=1",)}, {"headers": {"a": "b"}}, {"proxy": "http://proxy.example:1"},
        {"scripts": ("x()",)}, {"instruction": "Names?"}, {"json_schema": {}},
    ],
)  # fmt: skip
def test_parts_and_what_is_ones_own_are_not_memorable(asked: dict[str, Any]) -> None:
    assert not ReadOptions(**asked).is_memorable


def test_options_pickle_and_compare() -> None:
    options = ReadOptions(style=PLAIN, headers={"x-a": "1"}, json_schema={"type": "object"})
    assert pickle.loads(pickle.dumps(options)) == options
    assert options != ReadOptions()
    assert hash(ReadOptions()) == hash(ReadOptions())


@pytest.mark.parametrize(
    "given",
    [{"proxy": "http://me:secret@proxy.example:8080"}, {"cookies": ("id=secret",)}, {"headers": {"X-Key": "secret"}}],
)
def test_secrets_are_not_shown(given: dict[str, Any]) -> None:
    assert "secret" not in repr(ReadOptions(**given))


def test_what_is_shown_is_what_differs_from_the_defaults() -> None:
    assert repr(ReadOptions()) == "ReadOptions()"
    assert repr(ReadOptions(links="text", style=MarkdownStyle(bullet="*"), locale="de")) == (
        "ReadOptions(links='text', locale='de', style=MarkdownStyle(bullet='*'))"
    )


@pytest.mark.parametrize("options", [ReadOptions, MarkdownStyle, Viewport])
def test_every_option_is_documented(options: type) -> None:
    documented = options.__doc__ or ""
    assert [each.name for each in fields(options) if each.name not in documented] == []
