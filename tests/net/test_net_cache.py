import os
import subprocess
import sys
import time

import pytest
from local_server import http, loopback_fetcher

from jina_components.errors import BlockedURLError, ConfigError
from jina_components.net import Fetched, Fetcher, ResponseCache, URLGuard

URL = "http://example.com/"
PAGE = Fetched(URL, 200, {"content-type": "text/html"}, b"line\nline \x00\xff")


@pytest.fixture
def cache(tmp_path):
    return ResponseCache(tmp_path / "cache", tolerance=60)


def files(cache):
    return sorted(cache.directory.iterdir())


def test_what_is_put_is_got(cache):
    assert cache.get(URL, {}) is None
    assert not cache.directory.exists()
    cache.put(URL, {}, PAGE)
    hit = cache.get(URL, {})
    assert (hit.url, hit.status_code, hit.headers, hit.content) == (PAGE.url, 200, PAGE.headers, PAGE.content)
    assert hit.from_cache
    assert "from cache" in repr(hit)


def test_what_shapes_the_answer_is_part_of_the_key(cache):
    cache.put(URL, {"accept-language": "de"}, PAGE)
    assert cache.get(URL, {"accept-language": "de"})
    assert cache.get(URL, {"accept-language": "en"}) is None
    assert cache.get(URL + "?", {"accept-language": "de"}) is None


def test_entries_expire(cache):
    cache.put(URL, {}, PAGE)
    assert ResponseCache(cache.directory, tolerance=0).get(URL, {}) is None
    assert ResponseCache(cache.directory, tolerance=0.05).get(URL, {})
    time.sleep(0.06)
    assert ResponseCache(cache.directory, tolerance=0.05).get(URL, {}) is None
    assert cache.get(URL, {})


def test_a_damaged_entry_is_a_miss_and_goes(cache):
    cache.put(URL, {}, PAGE)
    [file] = files(cache)
    whole = file.read_bytes()
    damaged = [whole + b"x", whole.replace(b'": ', b'":  ', 1)]  # the same JSON, spelled otherwise
    for at in range(len(whole)):
        damaged += [whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]]
    for data in damaged:
        file.write_bytes(data)
        assert cache.get(URL, {}) is None, data
        assert files(cache) == []
    file.write_bytes(whole)
    assert cache.get(URL, {})


@pytest.mark.parametrize("junk", [b"", b"{}\n", b"[]\n", b"null\n", b'{"digest": 1}\n', b"\xff\n", b"9" * 9999])
def test_junk_is_a_miss(cache, junk):
    cache.put(URL, {}, PAGE)
    files(cache)[0].write_bytes(junk)
    assert cache.get(URL, {}) is None


@pytest.mark.parametrize(
    "page",
    [
        Fetched(URL, 200, {"set-cookie": "a=b"}, b""),
        Fetched(URL, 200, {"cache-control": "max-age=3, No-Store"}, b""),
        Fetched(URL, 200, {"cache-control": 'private="x"'}, b""),
        Fetched(URL, 200, {"vary": "*"}, b""),
        Fetched(URL, 206, {}, b""),
    ],
)
def test_what_must_not_be_stored_is_not(cache, page):
    cache.put(URL, {}, page)
    assert cache.get(URL, {}) is None


def test_the_oldest_go_first(tmp_path):
    cache = ResponseCache(tmp_path, tolerance=60, max_bytes=5000)
    (tmp_path / "notes.txt").write_text("not ours")
    for i in range(8):
        cache.put(f"{URL}{i}", {}, Fetched(URL, 200, {}, bytes(1000)))
        os.utime(cache._path(f"{URL}{i}", {}), (1000 + i, 1000 + i))
    kept = [i for i in range(8) if cache.get(f"{URL}{i}", {})]
    assert kept == [4, 5, 6, 7]
    cache.put(f"{URL}big", {}, Fetched(URL, 200, {}, bytes(6000)))
    assert cache.get(f"{URL}big", {}) is None
    assert (tmp_path / "notes.txt").exists()


def test_a_process_killed_while_writing_leaves_whole_entries(tmp_path):
    program = (
        "from jina_components.net import *\n"
        f"cache = ResponseCache({str(tmp_path)!r}, tolerance=60)\n"
        "print('begun', flush=True)\n"
        "for n in range(10**9):\n"
        "    cache.put('u%d' % (n % 5), {}, Fetched('u', 200, {}, bytes([n % 256]) * 3_000_000))\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with writer:
        writer.stdout.readline()
        time.sleep(0.1)
        writer.kill()
    cache = ResponseCache(tmp_path, tolerance=60)
    for n in range(5):
        hit = cache.get(f"u{n}", {})
        assert hit is None or (len(hit.content) == 3_000_000 and len(set(hit.content)) == 1)


def test_abandoned_partial_files_go(cache):
    cache.put(URL, {}, PAGE)
    old, young = cache.directory / "a.partial", cache.directory / "b.partial"
    for file in (old, young):
        file.write_bytes(b"x")
    os.utime(old, (1000, 1000))
    cache.put(URL, {}, PAGE)
    assert not old.exists()
    assert young.exists()


def test_an_unusable_directory_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("x")
    cache = ResponseCache(tmp_path / "file", tolerance=60)
    with pytest.raises(ConfigError, match="choose another directory"):
        cache.put(URL, {}, PAGE)
    with pytest.raises(ConfigError):
        ResponseCache(tmp_path, tolerance=-1)


def test_a_failed_write_leaves_nothing_behind(cache):
    cache._path(URL, {}).mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be used"):
        cache.put(URL, {}, PAGE)
    assert [file.suffix for file in files(cache)] == [".response"]
    assert str(cache.directory) in repr(cache)


async def test_the_fetcher_serves_from_the_cache(server, cache):
    server.routes["/"] = [http(302, location="/end")]
    server.routes["/end"] = [http(body=b"one"), http(body=b"two")]
    async with loopback_fetcher(cache=cache) as fetcher:
        first, second = [await fetcher.fetch(server.url("/")) for _ in range(2)]
        assert (first.from_cache, second.from_cache) == (False, True)
        assert (second.url, second.content) == (server.url("/end"), b"one")
        assert server.paths() == ["/", "/end"]
        assert (await fetcher.fetch(server.url("/"), headers={"Accept-Language": "de"})).content == b"two"
    async with loopback_fetcher(cache=cache, max_bytes=2) as small:
        with pytest.raises(Exception, match="exceeds 2 bytes"):
            await small.fetch(server.url("/"))


async def test_a_response_that_cannot_be_kept_is_returned_all_the_same(server, tmp_path, caplog):
    server.routes["/"] = [http(body=b"page")]
    (tmp_path / "cache").symlink_to(tmp_path / "unmounted")
    async with loopback_fetcher(cache=ResponseCache(tmp_path / "cache", tolerance=60)) as fetcher:
        fetched = await fetcher.fetch(server.url("/"))
    assert (fetched.content, fetched.from_cache) == (b"page", False)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("jina_components.net.client", "WARNING")
    assert "is not cached: The response cache in" in record.message


async def test_requests_with_credentials_bypass_the_cache(server, cache):
    server.routes["/"] = [http(body=b"mine")]
    async with loopback_fetcher(cache=cache) as fetcher:
        for name in ("Authorization", "Cookie", "X-Api-Key"):
            assert not (await fetcher.fetch(server.url("/"), headers={name: "x"})).from_cache
        assert not cache.directory.exists()
        assert not (await fetcher.fetch(server.url("/"))).from_cache
    assert len(server.received) == 4


async def test_the_cache_does_not_get_around_the_guard(server, cache, resolver):
    server.routes["/"] = [http(body=b"internal")]
    resolver(["127.0.0.1"], ["127.0.0.1"])
    async with loopback_fetcher(cache=cache) as lenient:
        await lenient.fetch(server.url("/"))
        await lenient.fetch(server.url("/", host="intranet.test"))
    async with Fetcher(guard=URLGuard(), cache=cache) as strict:
        with pytest.raises(BlockedURLError):
            await strict.fetch(server.url("/"))
        resolver(["127.0.0.1"])
        with pytest.raises(BlockedURLError):
            await strict.fetch(server.url("/", host="intranet.test"))
