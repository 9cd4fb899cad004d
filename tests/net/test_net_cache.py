import multiprocessing
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import ConfigError
from jina_components.net import Fetched, ResponseCache
from jina_components.net.cache import _canonical

URL = "http://example.com/"
PAGE = Fetched(URL, 200, {"content-type": "text/html"}, b"line\nline \x00\xff")


@pytest.fixture
def cache(tmp_path):
    made = ResponseCache(tmp_path / "cache", tolerance=60)
    yield made
    made.close()


def change(cache, statement, *values):
    connection = sqlite3.connect(cache.path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def aged(cache, seconds):
    """Makes all entries older."""
    change(cache, "UPDATE entry SET stored_at = stored_at - ?", seconds)


def total(cache):
    connection = sqlite3.connect(cache.path)
    [answer] = connection.execute("SELECT bytes FROM total").fetchone()
    connection.close()
    return answer


def test_what_is_put_is_got(cache):
    assert cache.get(URL, {}) is None
    assert not cache.path.parent.exists()
    cache.put(URL, {}, PAGE)
    hit = cache.get(URL, {})
    assert (hit.url, hit.status_code, hit.headers, hit.content) == (PAGE.url, 200, PAGE.headers, PAGE.content)
    assert hit.from_cache
    assert 0 <= hit.age < 5
    assert "from cache" in repr(hit)
    cache.put(URL, {}, Fetched(URL, 200, {}, b"new"))
    assert cache.get(URL, {}).content == b"new"


@settings(deadline=None, max_examples=40)
@given(body=st.binary(max_size=300), header=st.dictionaries(st.text(), st.text() | st.integers(), max_size=3))
def test_any_entry_comes_back_as_it_was(tmp_path_factory, body, header):
    cache = ResponseCache(tmp_path_factory.mktemp("cache") / "c.db")
    cache.save("snapshot", URL, {"a": "b"}, header, body * 9)
    entry = cache.load("snapshot", URL, {"a": "b"})
    assert (entry.header, entry.body) == (header, body * 9)
    cache.close()


def test_a_file_or_a_directory_may_be_given(tmp_path):
    assert ResponseCache(tmp_path).path == tmp_path / "responses.sqlite"
    assert ResponseCache(tmp_path / "new.db").path == tmp_path / "new.db"
    assert ResponseCache(str(tmp_path / "a.dir")).path == tmp_path / "a.dir" / "responses.sqlite"


def test_what_shapes_the_answer_is_part_of_the_key(cache):
    cache.put(URL, {"accept-language": "de"}, PAGE)
    assert cache.get(URL, {"accept-language": "de"})
    assert cache.get(URL, {"accept-language": "en"}) is None
    assert cache.get(URL + "?", {"accept-language": "de"}) is None
    assert cache.load("snapshot", URL, {"accept-language": "de"}) is None


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("HTTP://Example.COM/a", "http://example.com/a"),
        ("http://example.com/a#part", "http://example.com/a"),
        ("http://example.com/a#/Route", "http://example.com/a#/Route"),
        ("http://example.com/a#!Route", "http://example.com/a#!Route"),
        ("http://example.com/A?B=C", "http://example.com/A?B=C"),
        ("http://Example.com", "http://example.com"),
        ("http://Example.com?Q=/A", "http://example.com?Q=/A"),
    ],
)
def test_equal_pages_have_one_key(url, same):
    assert _canonical(url) == same


def test_case_of_the_path_is_kept_apart(cache):
    cache.put(URL + "a", {}, PAGE)
    assert cache.get(URL + "A", {}) is None
    assert cache.get("http://EXAMPLE.com/a#x", {})


def test_entries_expire(cache):
    cache.put(URL, {}, PAGE)
    aged(cache, 50)
    assert 50 <= cache.get(URL, {}).age < 55
    assert cache.get(URL, {}, tolerance=40) is None
    assert cache.get(URL, {}, tolerance=0) is None
    aged(cache, 50)
    assert cache.get(URL, {}) is None
    assert cache.get(URL, {}, tolerance=1000)
    aged(cache, -200)
    assert cache.get(URL, {}) is None  # from the future: the clock was set back


def test_entries_go_after_their_retention(tmp_path):
    cache = ResponseCache(tmp_path, tolerance=60, retention=100)
    cache.put(URL, {}, PAGE)
    aged(cache, 101)
    assert cache.get(URL, {}, tolerance=10**9) is None
    before = total(cache)
    cache.put(URL + "other", {}, PAGE)
    assert total(cache) == before
    cache.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET body = zeroblob(length(body))",
        "UPDATE entry SET body = substr(body, 2)",
        "UPDATE entry SET header = replace(header, 'html', 'css')",
        "UPDATE entry SET header = header || ' '",
        "UPDATE entry SET unpacked_bytes = 5",
        "UPDATE entry SET digest = x''",
    ],
)
@pytest.mark.parametrize("content", [b"short", b"long and packed" * 99])
def test_a_damaged_entry_is_a_miss_and_goes(cache, statement, content):
    cache.put(URL, {}, Fetched(URL, 200, {"content-type": "text/html"}, content))
    change(cache, statement)
    assert cache.get(URL, {}) is None
    assert total(cache) == 0
    cache.put(URL, {}, PAGE)
    assert cache.get(URL, {})


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
    cache = ResponseCache(tmp_path, tolerance=60, max_bytes=5400)
    for i in range(8):
        cache.put(f"{URL}{i}", {}, Fetched(URL, 200, {}, os.urandom(1000)))
    assert [i for i in range(8) if cache.get(f"{URL}{i}", {})] == [4, 5, 6, 7]
    assert total(cache) <= 5400
    cache.put(f"{URL}big", {}, Fetched(URL, 200, {}, os.urandom(6000)))
    assert cache.get(f"{URL}big", {}) is None
    assert cache.get(f"{URL}7", {})
    cache.close()


def test_the_file_does_not_grow_for_ever(tmp_path):
    cache = ResponseCache(tmp_path, tolerance=60, max_bytes=1_000_000)
    for i in range(100):
        cache.put(f"{URL}{i}", {}, Fetched(URL, 200, {}, os.urandom(100_000)))
    cache.close()
    assert cache.path.stat().st_size < 1_500_000


def test_text_is_kept_packed(cache):
    cache.put(URL, {}, Fetched(URL, 200, {}, b"the same words " * 10_000))
    assert total(cache) < 10_000
    assert cache.get(URL, {}).content == b"the same words " * 10_000


WRITER = """
import sys, os
from jina_components.net import ResponseCache, Fetched
cache = ResponseCache(sys.argv[1], tolerance=600, max_bytes=20_000_000)
print("begun", flush=True)
for n in range(10**9):
    body = os.urandom(8) * (1 + n % 200_000) if n % 3 else bytes([n % 256]) * 3_000_000
    cache.put("u%d" % (n % 7), {}, Fetched("u", 200, {"x": str(len(body))}, body))
"""


def test_processes_killed_while_writing_leave_whole_entries(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    cache = ResponseCache(tmp_path, tolerance=600)
    for killed_after in (0.0, 0.05, 0.3):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
            for _ in range(2)
        ]
        for writer in writers:
            writer.stdout.readline()
        time.sleep(killed_after)
        for writer in writers:
            writer.kill()
            with writer:
                writer.wait()
        hits = [hit for n in range(7) if (hit := cache.get(f"u{n}", {}))]
        assert all(hit.headers["x"] == str(len(hit.content)) for hit in hits)
        cache.put("after", {}, PAGE)
        assert cache.get("after", {})
    assert hits
    cache.close()
    connection = sqlite3.connect(cache.path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    [sizes] = connection.execute("SELECT sum(size) FROM entry").fetchone()
    connection.close()
    assert sizes == total(cache)


def _put_many(path, name):
    cache = ResponseCache(path, tolerance=600)
    for n in range(20):
        cache.put(f"{name}-{n}", {}, Fetched(URL, 200, {}, name.encode() * 100))
    cache.close()


def test_processes_share_a_file_from_the_start(tmp_path):
    context = multiprocessing.get_context("spawn")
    names = [f"process{n}" for n in range(4)]
    processes = [context.Process(target=_put_many, args=(tmp_path, name)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    cache = ResponseCache(tmp_path, tolerance=600)
    assert all(cache.get(f"{name}-{n}", {}).content == name.encode() * 100 for name in names for n in range(20))
    cache.close()


def test_threads_share_a_cache(cache):
    failures = []

    def work(name):
        try:
            for n in range(30):
                cache.put(f"{name}-{n}", {}, Fetched(URL, 200, {}, f"{name}-{n}".encode()))
                assert cache.get(f"{name}-{n}", {}).content == f"{name}-{n}".encode()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_forked_child_leaves_the_file_of_its_parent_whole(cache):
    cache.put(URL, {}, PAGE)
    child = multiprocessing.get_context("fork").Process(target=_use_in_child, args=(cache,))
    child.start()
    child.join()
    assert child.exitcode == 0
    cache.put(URL + "parent", {}, PAGE)
    assert all(cache.get(URL + name, {}) for name in ("", "child", "parent"))


def _use_in_child(cache):
    assert cache.get(URL, {})
    cache.put(URL + "child", {}, PAGE)


def test_a_cache_pickles_as_its_settings(cache):
    cache.put(URL, {}, PAGE)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.path, copy.tolerance, copy.retention, copy.max_bytes) == (
        cache.path,
        cache.tolerance,
        cache.retention,
        cache.max_bytes,
    )
    assert copy.get(URL, {})
    copy.close()


def test_a_closed_cache_opens_again(cache):
    cache.put(URL, {}, PAGE)
    cache.close()
    cache.close()
    assert cache.get(URL, {})
    assert str(cache.path) in repr(cache)


def test_unusable_files_say_what_to_do(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "text.db").write_text("this is no database, and longer than a header of one would be" * 99)
    for path in (tmp_path / "file", tmp_path / "text.db"):
        with pytest.raises(ConfigError, match="choose another path"):
            ResponseCache(path, tolerance=60).put(URL, {}, PAGE)
    for wrong in ({"tolerance": -1}, {"retention": -1}, {"max_bytes": -1}):
        with pytest.raises(ConfigError):
            ResponseCache(tmp_path, **wrong)


@pytest.mark.parametrize("script", ["CREATE TABLE notes (a)", "CREATE TABLE entry (a); PRAGMA user_version = 1"])
def test_a_database_of_something_else_is_left_alone(tmp_path, script):
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="of something else"):
        ResponseCache(path, tolerance=60).put(URL, {}, PAGE)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


def test_a_damaged_file_says_so_and_can_be_deleted(tmp_path):
    cache = ResponseCache(tmp_path, tolerance=60)
    for n in range(50):
        cache.put(f"{URL}{n}", {}, Fetched(URL, 200, {}, os.urandom(2000)))
    cache.close()
    whole = cache.path.read_bytes()
    cache.path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))
    with pytest.raises(ConfigError, match="delete the file"):
        [cache.get(f"{URL}{n}", {}) for n in range(50)]
    cache.path.unlink()
    cache.put(URL, {}, PAGE)
    assert cache.get(URL, {})
    cache.close()
