"""PDFs are read in processes of their own: what happens to these does not happen to us."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from reader_samples import pdf

from jina_components.errors import ConfigError, ExtractionError
from jina_components.reader.pdf import PdfWorkers, close_pdf_workers, read_pdf
from jina_components.reader.sources import Source

BOOK = pdf([["A short text."]])
ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals, forks and limits of POSIX")
linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")


def content(data: bytes, workers: PdfWorkers | None = None) -> str:
    return read_pdf(Source("book.pdf", data), workers=workers).content


def page_of(content: bytes, filters: int = 1) -> bytes:
    """A PDF of one page that draws `content`, compressed so many times."""
    for _ in range(filters):
        content = zlib.compress(content, 9)
    names = b"/FlateDecode" * filters
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d/Filter[%b]>>stream\n%b\nendstream" % (len(content), names, content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    body = b"".join(b"%d 0 obj\n%b\nendobj\n" % item for item in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Size 6/Root 1 0 R>>\n%%EOF"


@pytest.fixture(scope="module")
def slow() -> bytes:
    """One that PDFium reads for seconds: a hundred thousand pieces of text, all over the page."""
    pieces = b"".join(b"1 0 0 1 %d %d Tm (ab) Tj " % (n * 7 % 480, n * 13 % 290) for n in range(190_000))
    return page_of(b"BT /F 9 Tf " + pieces + b"ET")


def pids(workers: PdfWorkers) -> list[int]:
    return [worker._process.pid for worker in workers._idle]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc/self").exists() else True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.05)


def test_a_process_reads_many() -> None:
    workers = PdfWorkers()
    assert content(BOOK, workers) == "A short text."
    first = pids(workers)
    assert len(first) == 1
    assert content(BOOK, workers) == "A short text."
    assert pids(workers) == first
    workers.close()


def test_closed_workers_leave_no_process_and_start_again() -> None:
    workers = PdfWorkers()
    content(BOOK, workers)
    (pid,) = pids(workers)
    workers.close()
    workers.close()
    wait_until_gone(pid)
    assert content(BOOK, workers) == "A short text."
    workers.close()
    close_pdf_workers()


@posix
def test_a_pool_that_is_forgotten_leaves_no_process() -> None:
    workers = PdfWorkers()
    content(BOOK, workers)
    (pid,) = pids(workers)
    del workers
    gc.collect()
    wait_until_gone(pid)


def test_a_pdf_that_takes_too_long_is_given_up(slow: bytes) -> None:
    workers = PdfWorkers(timeout=2, processes=1)
    assert content(BOOK, workers) == "A short text."
    begin = time.monotonic()
    with pytest.raises(ExtractionError, match="book.pdf is a PDF that takes longer than 2 seconds") as caught:
        content(slow, workers)
    assert time.monotonic() - begin < 10
    assert caught.value.source == "book.pdf"
    assert content(BOOK, workers) == "A short text."
    workers.close()


@linux
def test_a_pdf_that_takes_too_much_memory_is_given_up() -> None:
    workers = PdfWorkers(max_memory=300_000_000)
    bomb = page_of(b" " * 300_000_000, filters=2)
    assert len(bomb) < 20_000
    with pytest.raises(ExtractionError, match=r"book.pdf is a PDF that"):
        content(bomb, workers)
    assert content(BOOK, workers) == "A short text."
    workers.close()


@posix
def test_a_process_that_was_killed_is_replaced() -> None:
    workers = PdfWorkers()
    content(BOOK, workers)
    (pid,) = pids(workers)
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert content(BOOK, workers) == "A short text."
    assert pids(workers) != [pid]
    workers.close()


def children() -> set[int]:
    """The processes that this one started, whether or not they work."""
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            found.update(map(int, path.read_text().split()))
    return found


def crash_the_next(count: int) -> threading.Thread:
    """Crash the next `count` processes that start, each once it works."""
    known = children()

    def crash() -> None:
        for _ in range(count):
            while not (new := children() - known):
                time.sleep(0.01)
            known.update(new)
            time.sleep(0.5)
            for pid in new:
                os.kill(pid, signal.SIGSEGV)

    thread = threading.Thread(target=crash)
    thread.start()
    return thread


@linux
def test_a_crash_while_reading_fails_that_file_alone(slow: bytes) -> None:
    workers = PdfWorkers(processes=1)
    killer = crash_the_next(1)
    with pytest.raises(ExtractionError, match=r"crashes PDFium, or needs more than .* \(signal SIGSEGV\)"):
        content(slow, workers)
    killer.join()
    assert content(BOOK, workers) == "A short text."
    workers.close()


@linux
def test_a_process_that_read_others_may_fail_for_these(slow: bytes) -> None:
    workers = PdfWorkers(processes=1, timeout=20)
    content(BOOK, workers)
    (pid,) = pids(workers)
    os.kill(pid, signal.SIGSTOP)  # it lives still when it is asked, and no more when it should answer
    alarm = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    alarm.start()
    assert content(BOOK, workers) == "A short text."
    alarm.join()
    assert pids(workers) != [pid]
    (pid,) = pids(workers)
    os.kill(pid, signal.SIGSTOP)
    alarm, killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)), crash_the_next(1)
    alarm.start()
    with pytest.raises(ExtractionError, match="crashes PDFium"):  # this time it is the file
        content(slow, workers)
    alarm.join()
    killer.join()
    workers.close()


@posix
@pytest.mark.parametrize("executable", ["/bin/false", "/no/such/python"])
def test_a_process_that_does_not_start_is_not_the_fault_of_the_file(
    executable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(ExtractionError, match=f"did not start .*: see what {executable} -c 'import pypdfium2' says"):
        content(BOOK + b" " * 1_000_000, PdfWorkers())


@posix
def test_a_process_that_writes_something_else_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    liar = tmp_path / "python"
    liar.write_text(f"#!{sys.executable}\nimport sys\nsys.stdout.buffer.write(bytes(8) + b'\\xff' * 100)\n")
    liar.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(liar))
    with pytest.raises(ExtractionError, match="book.pdf is a PDF that cannot be read"):
        content(BOOK, PdfWorkers())


def test_much_data_goes_both_ways() -> None:
    text = b"".join(b"1 0 0 1 20 %d Tm (%b) Tj " % (300 - 2 * n, b"many words of it " * 200) for n in range(60))
    data = page_of(b"BT /F .1 Tf " + text + b"ET") + b"%" + b" " * 20_000_000
    workers = PdfWorkers(processes=1)
    for _ in range(2):
        assert len(content(data, workers)) > 150_000
    workers.close()


def test_threads_read_at_the_same_time() -> None:
    books = [pdf([[f"book {number}, page {page}"] for page in range(20)]) for number in range(16)]
    workers = PdfWorkers(processes=3)
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(lambda data: content(data, workers), books))
    assert [text.count(f"book {number},") for number, text in enumerate(contents)] == [20] * 16
    assert 1 <= len(pids(workers)) <= 3
    workers.close()


async def test_within_an_event_loop() -> None:
    texts = await asyncio.gather(*(asyncio.to_thread(content, BOOK) for _ in range(5)))
    assert texts == ["A short text."] * 5


def test_errors_of_a_file_keep_its_process() -> None:
    workers = PdfWorkers()
    for data, message in ((b"%PDF-1.7", "broken PDF"), (pdf([["x"]], password="secret"), "encrypted PDF")):
        with pytest.raises(ExtractionError, match=message):
            content(data, workers)
    assert len(pids(workers)) == 1
    workers.close()


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"max_memory": 1000}, {"processes": 0}])
def test_limits_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        PdfWorkers(**wrong)  # type: ignore[arg-type]


SCRIPT = """
    import os, sys, time
    from jina_components.reader.pdf import reading
    from jina_components.reader.sources import Source
    data = sys.stdin.buffer.read()
    assert reading.read_pdf(Source("book.pdf", data)).content == "A short text."
    print(reading._WORKERS._idle[0]._process.pid, flush=True)
"""


def script(more: str = "") -> str:
    return textwrap.dedent(SCRIPT) + textwrap.dedent(more)


@linux
def test_no_process_outlives_an_interpreter_that_ends() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script()], input=BOOK, capture_output=True, cwd=ROOT, check=True
    )
    assert run.stderr == b""
    wait_until_gone(int(run.stdout))


@linux
def test_no_process_outlives_an_interpreter_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", script("time.sleep(60)")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(BOOK)
        parent.stdin.close()
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(pid)


@linux
def test_a_fork_has_processes_of_its_own() -> None:
    more = """
        child = os.fork()
        text = reading.read_pdf(Source("book.pdf", data)).content
        assert text == "A short text."
        if child:
            assert os.waitpid(child, 0)[1] == 0
            print(reading._WORKERS._idle[0]._process.pid)
        else:
            reading.close_pdf_workers()
            os._exit(0)
    """
    run = subprocess.run([sys.executable, "-c", script(more)], input=BOOK, capture_output=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr.decode()
    before, after = map(int, run.stdout.split())
    assert before == after
    wait_until_gone(after)
