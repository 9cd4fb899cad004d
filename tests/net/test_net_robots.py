import asyncio
import pickle
import time

import pytest
from local_server import http

from jina_components.errors import BlockedURLError, ConfigError, RobotsDeniedError
from jina_components.net import FetchOptions
from jina_components.net import robots as robots_module
from jina_components.net.robots import RobotsTexts, product_token

AS_BOT = FetchOptions(robots="MyBot/1.2 (+http://bot.example)")

TEXT = b"""\xef\xbb\xbf# of many groups
User-agent: other
User-agent: mybot2
Disallow: /

user-agent: MYBOT/9 # in any case
Allow: /private/open
Disallow: /private
Disallow: /*.pdf$
Crawl-delay: 0.2

User-agent: *
Disallow: /star

User-agent: mybot
Disallow: /later
Sitemap: http://a/sitemap.xml
"""


def is_allowed(fetcher, server):
    async def ask(path, agent="mybot"):
        try:
            await fetcher.check_robots(server.url(path), FetchOptions(robots=agent))
        except RobotsDeniedError:
            return False
        return True

    return ask


async def test_the_group_of_the_bot_is_obeyed(server, fetcher):
    server.routes["/robots.txt"] = [http(body=TEXT)]
    ask = is_allowed(fetcher, server)
    for path in ("/", "/private/open/x", "/a.pdf?x", "/star", "/robots.txt", "/Private"):
        assert await ask(path), path
    for path in ("/private", "/private/x", "/a/b.pdf", "/later"):
        assert not await ask(path), path
    for agent, path, allowed in (
        ("unknown", "/star", False),
        ("unknown", "/private", True),
        ("123", "/star", False),
        ("", "/star", False),
        ("mybot2", "/x", False),
        ("my", "/private", True),
        ("@", "/private", True),
    ):
        assert await ask(path, agent) is allowed, (agent, path)
    assert server.paths() == ["/robots.txt"] * 6  # once for each bot: `@` and the empty name are both `*`


async def test_fetch_obeys_when_asked(server, fetcher):
    server.routes |= {"/robots.txt": [http(body=TEXT)], "/private": [http(body=b"x")], "/": [http(body=b"x")]}
    with pytest.raises(RobotsDeniedError, match=r"/private may not be fetched by 'MyBot/1\.2.*robots\.txt") as caught:
        await fetcher.fetch(server.url("/private"), options=AS_BOT)
    assert caught.value.url == server.url("/private")
    assert pickle.loads(pickle.dumps(caught.value)).url == caught.value.url
    assert (await fetcher.fetch(server.url("/"), options=AS_BOT)).content == b"x"
    assert (await fetcher.fetch(server.url("/private"))).content == b"x"
    assert server.paths() == ["/robots.txt", "/", "/private"]


async def test_redirects_are_asked_for_too(start_server, fetcher):
    server, other = start_server(), start_server()
    server.routes |= {"/robots.txt": [http(404)], "/": [http(302, location=other.url("/private"))]}
    other.routes["/robots.txt"] = [http(body=TEXT)]
    with pytest.raises(RobotsDeniedError):
        await fetcher.fetch(server.url("/"), options=AS_BOT)
    assert other.paths() == ["/robots.txt"]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (http(404), True),
        (http(403), True),
        (http(401, body=b"User-agent: *\nDisallow: /"), True),
        (http(204), True),
        (http(body=b"<html>no such page</html>"), True),
        (http(body=b"\xff\xfe\x00junk" * 99), True),
        (http(500), False),
        (http(503, retry_after="0"), False),
        (http(429, retry_after="0"), False),
        (http(body=b"x" * 5_000_001), False),
        (http(302, location="/robots.txt"), False),
        (http(302, location="/elsewhere"), False),
        (b"garbage\r\n\r\n", False),
    ],
)
async def test_a_missing_file_allows_and_an_unreachable_one_forbids(server, fetcher, answer, allowed):
    server.routes["/robots.txt"] = [answer]
    server.routes["/elsewhere"] = [http(body=b"User-agent: *\nDisallow: /")]
    assert await is_allowed(fetcher, server)("/") is allowed


async def test_a_site_that_the_guard_refuses_is_a_blocked_one(fetcher, resolver):
    with pytest.raises(BlockedURLError):
        await fetcher.fetch("http://10.0.0.1/", options=AS_BOT)
    resolver(["10.0.0.1"])
    with pytest.raises(BlockedURLError, match=r"10\.0\.0\.1"):
        await fetcher.fetch("http://intranet.test/", options=AS_BOT)


async def test_only_the_beginning_of_a_long_file_counts(server, fetcher):
    rules = b"User-agent: *\nDisallow: /first\n" + b"# comment\n" * 60_000 + b"Disallow: /last\n"
    server.routes["/robots.txt"] = [http(body=rules)]
    ask = is_allowed(fetcher, server)
    assert not await ask("/first")
    assert await ask("/last")


async def test_crawl_delay_is_told_and_kept(server, fetcher):
    server.routes |= {"/robots.txt": [http(body=TEXT)], "/": [http(body=b"x")]}
    assert await fetcher.check_robots(server.url("/"), AS_BOT) == 0.2
    assert await fetcher.check_robots(server.url("/"), FetchOptions(robots="unknown")) == 0
    begin = time.monotonic()
    await asyncio.gather(*(fetcher.fetch(server.url("/"), options=AS_BOT) for _ in range(4)))
    assert time.monotonic() - begin >= 0.6


async def test_a_file_is_fetched_once_and_kept_for_a_while(server, fetcher, monkeypatch):
    server.routes["/robots.txt"] = [http(500), http(body=b"User-agent: *\nDisallow: /x")]
    ask = is_allowed(fetcher, server)
    assert await asyncio.gather(*(ask("/") for _ in range(20))) == [False] * 20
    assert await ask("/") is False
    assert server.paths() == ["/robots.txt"]
    clock = time.monotonic
    monkeypatch.setattr(robots_module.time, "monotonic", lambda: clock() + 61)
    assert await ask("/")
    assert not await ask("/x")
    assert len(server.paths()) == 2
    monkeypatch.setattr(robots_module.time, "monotonic", lambda: clock() + 3700)
    assert await ask("/")
    assert len(server.paths()) == 3


async def test_a_cancelled_reader_does_not_keep_the_others_from_the_file(server, fetcher):
    async def slow(_, writer):
        await asyncio.sleep(0.2)
        writer.write(http(404))

    server.routes["/robots.txt"] = slow
    ask = is_allowed(fetcher, server)
    first, second = asyncio.create_task(ask("/")), asyncio.create_task(ask("/"))
    await asyncio.sleep(0.05)
    first.cancel()
    assert await second
    assert server.paths() == ["/robots.txt"]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"User-agent: b{n}" for n in range(15_000)) + "\n" + "Disallow: /x\n" * 20_000,
        "\n".join(f"User agent b{n}" for n in range(15_000)) + "\n" + "Disallow: /x\n" * 20_000,
        "User-agent: *\n" + "Disallow: /" + "*a" * 200_000 + "*b$\n",
        "User-agent: *\n" + "".join(f"Disallow: /*{n}$\n" for n in range(25_000)),
        "User-agent:" + " " * 500_000,
        "user" + "-" * 500_000,
        "user\t \t" * 60_000,
    ],
)
async def test_a_hostile_file_costs_little_time(server, fetcher, text):
    server.routes["/robots.txt"] = [http(body=text.encode())]
    begin = time.process_time()
    await is_allowed(fetcher, server)("/" + "a" * 1000)
    assert time.process_time() - begin < 5


async def test_memory_is_bounded():
    texts = RobotsTexts()

    async def fetch(url):
        from jina_components.net import Fetched

        return Fetched(url, 200, {}, b"User-agent: *\nDisallow: /" + b"x" * 100_000)

    for n in range(100):
        await texts.check(f"http://host{n}/", "bot", via="", fetch=fetch)
    assert len(texts._kept) < 45
    assert texts._cost == sum(rules.cost for rules in texts._kept.values())
    assert texts._underway == {}


def test_product_tokens():
    assert product_token(" GoogleBot-News/2.1 (x)") == "googlebot-news"
    assert product_token("*") == product_token("(x)") == product_token("") == ""
    assert product_token("MJ12bot/v1.4") == "mj12bot"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"max_bytes": 0},
        {"cache_tolerance": -1},
        {"proxy": "socks5://a:1"},
        {"proxy": "a:3128"},
        {"proxy": "http://a:3128/path"},
        {"proxy": "http://user:secret@/"},
    ],
)
def test_fetch_options_are_validated(options):
    with pytest.raises(ConfigError) as caught:
        FetchOptions(**options)
    assert "secret" not in str(caught.value)


def test_fetch_options_hide_the_proxy():
    assert "secret" not in repr(FetchOptions(proxy="http://user:secret@proxy.example:3128"))
