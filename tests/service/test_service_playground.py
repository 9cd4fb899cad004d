"""The playground in a real browser: embeddings, rerank, classify, segment, keys and usage, and what all tabs share."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from playground_pages import NARROW, finished, forget, open_tab, run, running_chromium, status, take_pictures, visit
from playwright.sync_api import Browser, Locator, Page, expect

from jina_components.service.accounts.keys import Keys
from jina_components.service.playground.tabs import TABS

EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>\'"&amp;${document.title=3}{{7*7}}'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from running_chromium()


@pytest.fixture(scope="module")
def page(browser: Browser, service_url: str) -> Iterator[Page]:
    """The page of a service without keys; tests leave it as wide as it was."""
    with visit(browser, service_url) as page:
        yield page


@pytest.fixture(scope="module")
def keyed(make_app: Callable[..., FastAPI], start_service: Callable[..., str]) -> tuple[str, Keys]:
    app = make_app(needs_keys=True)
    return start_service(app), Keys(app.state.database)


def code_of(panel: Locator, title: str = "curl") -> str:
    """The code that a tab shows; opened where it is not yet."""
    shown = panel.locator(".pg-code:visible")
    if not shown.get_by_role("tab", name=title, exact=True).is_visible():
        shown.get_by_role("button", name="The request as code").click()
    shown.get_by_role("tab", name=title, exact=True).click()
    text = shown.locator(".cm-content:visible")
    text.wait_for()
    return text.inner_text()


def test_embeddings_are_drawn_as_a_heat_map(page: Page):
    tab = open_tab(page, "embeddings")
    run(tab)
    assert status(tab).startswith("Done in")
    cells = [
        [float(cell) for cell in row.locator("td").all_inner_texts()] for row in tab.locator(".pg-heat tbody tr").all()
    ]
    assert [len(row) for row in cells] == [4] * 4
    assert all(cells[number][number] == 1 for number in range(4))
    assert cells[0][1] == cells[1][0] > 0.5 > cells[0][2]
    tab.get_by_text("The vectors").click()
    assert tab.locator(".pg-numbers tbody tr").count() == 4
    take_pictures(page, "embeddings")
    tab.get_by_label("Dimensions", exact=True).fill("64")
    run(tab)
    expect(tab.get_by_text("4 vectors of 64 dimensions.")).to_be_visible()
    tab.get_by_label("Dimensions", exact=True).fill("many")
    run(tab)
    assert status(tab) == "Dimensions are a whole number, or empty for all of them."
    expect(tab.get_by_text("Embed some texts to see how alike they are.")).to_be_visible()
    tab.get_by_label("Dimensions", exact=True).fill("385")
    run(tab)
    assert "less than or equal to 384" in status(tab)  # as the service says it
    tab.get_by_label("Dimensions", exact=True).fill("")


def test_reranked_documents_tell_where_they_came_from(page: Page):
    tab = open_tab(page, "rerank")
    tab.get_by_role("button", name="Planets").click()
    run(tab)
    ranked = tab.locator(".pg-ranked > li")
    assert ranked.count() == 4
    expect(ranked.first).to_contain_text("Saturn has the most")
    expect(ranked.first.locator(".pg-up")).to_have_text("▲ 2")
    scores = [float(each.split()[-1]) for each in ranked.locator("b").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    take_pictures(page, "rerank")


def test_texts_are_classified_by_labels_and_by_examples(page: Page):
    tab = open_tab(page, "classify")
    run(tab)
    best = tab.locator(".pg-best .pg-text:visible")
    expect(best).to_have_text(["delivery", "payment", "software bug"])
    take_pictures(page, "classify")
    tab.get_by_role("tab", name="By examples").click()
    forget(tab)
    tab.get_by_role("button", name="Train a classifier").click()
    classifier = tab.get_by_label("Classifier", exact=True)
    expect(classifier).to_have_value(re.compile(r"[0-9a-f-]{36}"))
    run(tab, button="Classify with it")
    expect(best).to_have_text(["billing", "technical"])
    assert f'"classifier_id": "{classifier.input_value()}"' in code_of(
        tab.locator(".pg-sides:visible > .column").nth(1)
    )
    take_pictures(page, "classify-examples")


def test_chunks_have_offsets_and_tokens(page: Page):
    tab = open_tab(page, "segment")
    run(tab)
    chunks = tab.locator(".pg-chunk")
    expect(tab.get_by_text(re.compile(r"^4 chunks, \d+ tokens\.$"))).to_be_visible()
    expect(chunks.nth(0).locator(".pg-where")).to_have_text(re.compile(r"^0–87 · \d+ tokens$"))
    given = tab.get_by_label("Text", exact=True).input_value()
    assert "".join(chunks.locator(".pg-body").all_text_contents()) == given
    assert tab.locator(".pg-token").count() == 0
    tab.get_by_label("Show tokens").check()
    run(tab)
    counted = sum(int(each.split()[-2]) for each in tab.locator(".pg-where").all_inner_texts())
    assert tab.locator(".pg-token").count() <= counted
    assert "".join(chunks.locator(".pg-body").all_text_contents()) == given
    take_pictures(page, "segment")


@pytest.mark.parametrize(
    ("name", "field", "drawn"),
    [("embeddings", "Texts, one a line", ".pg-heat"), ("rerank", "Documents, one a line", ".pg-ranked"),
     ("classify", "Texts, one a line", ".pg-labelled"), ("classify", "Labels, one a line", ".pg-labelled"),
     ("segment", "Text", ".pg-chunks")],
)  # fmt: skip
def test_text_is_never_taken_for_html(page: Page, name: str, field: str, drawn: str):
    title = page.title()
    tab = open_tab(page, name)
    if name == "classify":
        tab.get_by_role("tab", name="By meaning").click()
        tab.get_by_role("button", name="Support").click()
    tab.get_by_label(field, exact=True).first.fill(f"{EVIL}\nharmless")
    if name == "segment":
        tab.get_by_label("Show tokens").uncheck()
    run(tab)
    shown = tab.locator(f"{drawn}:visible")
    expect(shown).to_contain_text(EVIL)
    assert shown.locator("img, script").count() == 0
    assert page.title() == title


def test_code_follows_the_inputs(page: Page, service_url: str):
    tab = open_tab(page, "rerank")
    tab.get_by_label("Query").fill("it's new")
    code = tab.locator(".pg-code")
    assert "curl" in code_of(tab)
    expect(code).to_contain_text("new")
    assert f"{service_url}/v1/rerank" in code_of(tab)
    assert """it'"'"'s new""" in code_of(tab)
    assert f"'{service_url}/v1/rerank'" in code_of(tab, "Python")
    assert f'"{service_url}/v1/rerank"' in code_of(tab, "JavaScript")
    tab.get_by_label("Query").fill("")
    expect(code).to_contain_text("// Write a query.")
    take_pictures(page, "code")


def test_it_works_behind_a_proxy(browser: Browser, service_url: str):
    proxy = "https://team.example/search"
    with visit(browser, proxy, behind=service_url) as page:
        tab = open_tab(page, "segment")
        run(tab)
        assert status(tab).startswith("Done")
        assert f"{proxy}/v1/segment" in code_of(tab)
        expect(page.get_by_role("link", name="Reference")).to_have_js_property("href", f"{proxy}/docs")


def test_the_keyboard_suffices(browser: Browser, service_url: str):
    with visit(browser, service_url) as page:
        page.get_by_role("tab", name="Embeddings").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        tab = page.locator("#pg-rerank")
        tab.wait_for()
        focused = page.locator(":focus")
        for _ in range(12):  # tabs, then what stands in the panel
            page.keyboard.press("Tab")
            if focused.evaluate("each => each.tagName") in ("INPUT", "TEXTAREA"):
                break
        expect(focused).to_have_value("Which planet has the most moons?")
        assert focused.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        finished(tab)
        expect(tab.locator(".pg-ranked > li")).to_have_count(4)
        page.keyboard.press("Tab")
        expect(focused).to_have_value(re.compile("Jupiter"))
        page.keyboard.press("Control+A")
        page.keyboard.type("one\ntwo")
        forget(tab)
        page.keyboard.press("Control+Enter")
        finished(tab)
        expect(tab.locator(".pg-ranked > li")).to_have_count(2)
        expect(focused).to_have_value("one\ntwo")


def test_every_field_and_button_has_a_name(browser: Browser, service_url: str):
    with visit(browser, service_url, size=NARROW, scheme="dark") as page:
        for each in TABS:
            tab = open_tab(page, each.name)
            nameless = tab.locator(":is(input, textarea, button, select):visible").evaluate_all(
                "all => all.filter(e => !(e.labels?.[0]?.innerText || e.innerText || e.ariaLabel || e.title"
                " || e.getAttribute('aria-labelledby'))).map(e => e.outerHTML.slice(0, 200))"
            )
            assert nameless == [], each.name
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0], each.name
        page.screenshot(path="build/playground/dark-narrow.png")


def test_a_service_without_keys_says_so(page: Page):
    tab = open_tab(page, "usage")
    expect(tab).to_contain_text("This service has no keys")


def test_a_key_is_used_shown_and_kept_secret(
    browser: Browser, keyed: tuple[str, Keys], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    url, keys = keyed
    key, secret = keys.create(name=EVIL, owner="alice", grant=1000)
    with visit(browser, url) as page:
        urls = list[str]()
        page.on("request", lambda request: urls.append(request.url))
        tab = open_tab(page, "embeddings")
        run(tab)
        assert status(tab) == "This takes a key: send it as Authorization: Bearer KEY."
        field = page.get_by_label("Key", exact=True)
        assert field.get_attribute("type") == "password"
        field.fill(f"{secret}x")
        run(tab)
        assert "key" in status(tab).lower()
        assert not status(tab).startswith("Done")
        field.fill(secret)
        for name in ("embeddings", "rerank", "segment"):
            tab = open_tab(page, name)
            run(tab)
            assert status(tab).startswith("Done")
            assert "$JINA_API_KEY" in code_of(tab)
            assert secret not in page.content()
        assert keys.get(key.id).balance < 1000
        tab = open_tab(page, "usage")
        run(tab)
        facts = tab.locator(".pg-facts")
        expect(facts).to_contain_text("alice")
        expect(facts).to_contain_text("<img src=x")
        expect(facts).to_contain_text(f"{keys.get(key.id).balance:,} tokens")
        used = tab.get_by_role("region", name="Usage")
        expect(used).to_contain_text("rerank")
        expect(used).not_to_contain_text("account")
        assert tab.locator("svg rect title").count() >= 5  # tokens of two products, requests of three
        expect(tab.get_by_role("region", name="Limits")).to_contain_text("embeddings")
        take_pictures(page, "usage")
        with visit(browser, url) as other:  # at the same time
            assert other.get_by_label("Key", exact=True).input_value() == ""
            run(open_tab(other, "usage"))
            assert secret not in other.content()
            assert "alice" not in other.content()
        keys.revoke(key.id)
        run(tab)
        assert "revoked" in status(tab)
        assert not [each for each in urls if secret in each]
    assert secret not in "".join(record.getMessage() for record in caplog.records)
