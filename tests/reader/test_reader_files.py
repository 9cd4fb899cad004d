from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jina_components.errors import InputError, ReadError
from jina_components.reader.files import expand, local_path, read_file
from jina_components.types import SourceFailure


def test_reads_a_file_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"12345")
    assert read_file(str(path), max_bytes=5) == b"12345"
    with pytest.raises(ReadError, match="exceeds 4 bytes: raise max_file_bytes") as caught:
        read_file(str(path), max_bytes=4)
    assert caught.value.source == str(path)


def test_what_is_no_readable_file_says_why(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    reasons = {
        "missing.txt": "does not exist; relative paths begin at",
        "pipe.txt": "is a pipe",
        "broken.txt": "symbolic link to something that does not exist",
        "loop": "cannot be read",
        "": "is a directory: pass a file, or all of it to read_all.",
        "nul\0.txt": "cannot be read",
        "x" * 5000: "cannot be read",
    }
    for name, reason in reasons.items():
        with pytest.raises(ReadError, match=reason):
            read_file(f"{tmp_path}/{name}", max_bytes=10)


@pytest.mark.parametrize(
    ("path", "is_page"),
    [
        ("example.com", True),
        ("WWW.example.co.uk", True),
        ("docs.example.org/a/b.html?c", True),
        ("notes.txt", False),
        ("README.md", False),
        ("script.py", False),
        ("folder/example.com", False),
        (".com", False),
        ("a." * 5000 + "!", False),
    ],
)
def test_a_missing_file_that_reads_like_a_web_page(path: str, is_page: bool) -> None:
    with pytest.raises(ReadError) as caught:
        read_file(path, max_bytes=10)
    assert (f"for the web page write https://{path}." in caught.value.message) == is_page


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not stop root")
def test_a_forbidden_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(ReadError, match="may not be read"):
        read_file(str(path), max_bytes=10)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "FILE:/etc/hosts", "ftp://h/x", "s3://b/k", "data:text/plain,x"])
def test_a_url_never_leads_to_a_local_file(url: str) -> None:
    with pytest.raises(InputError, match="only http and https"):
        local_path(url)


def test_a_file_url_is_answered_with_the_remedy() -> None:
    with pytest.raises(InputError, match="pass the path of the file instead"):
        local_path("file:///etc/hosts")


def test_a_path_object_is_a_path_whatever_it_looks_like() -> None:
    assert local_path(Path("file:x")) == "file:x"


@pytest.mark.parametrize(
    ("source", "reason"), [("", "empty string"), (3, "got int"), ("<p>hello</p>", "markup as bytes")]
)
def test_what_is_no_path(source: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        local_path(source)  # type: ignore[arg-type]


def test_a_directory_is_walked_in_order_without_hidden_and_other_files(tmp_path: Path) -> None:
    for name in ["b.md", "a/z.html", "a/c/x.PDF", "c.py", ".hidden.md", ".git/x.md", "a/d.text", "~$b.docx", "b.docx"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = expand([tmp_path, "https://h/x", tmp_path / "c.py"])
    inside = [os.path.relpath(str(item), tmp_path) for item in found[:-2]]
    assert inside == ["a/c/x.PDF", "a/d.text", "a/z.html", "b.docx", "b.md"]
    assert found[-2:] == ["https://h/x", tmp_path / "c.py"]


def test_directories_may_nest_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1050):
        Path("a").mkdir()
        os.chdir("a")
    Path("x.md").write_bytes(b"x")
    (found,) = expand([tmp_path])
    assert str(found).endswith("/a/a/x.md")
    os.chdir(tmp_path)
    subprocess.run(["rm", "-r", "a"], check=True)  # which pytest could not


def test_symbolic_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.md").write_bytes(b"x")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert [os.path.relpath(str(item), tmp_path) for item in expand([tmp_path])] == ["a/x.md"]


def test_a_directory_without_readable_files_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x")
    (failure,) = expand([tmp_path])
    assert isinstance(failure, SourceFailure)
    assert isinstance(failure.error, ReadError)
    assert "no file with a readable suffix" in str(failure.error)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a child without privileges")
def test_a_directory_that_may_be_listed_but_not_searched_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.md").write_bytes(b"x")
    (tmp_path / "closed").chmod(0o444)
    code = (
        "import os, sys; from jina_components.reader.files import expand\n"
        "os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "failure, path = expand(['.'])\n"
        "print(failure.source, failure.error, path, sep='|')"
    )
    opened = [tmp_path, *list(tmp_path.parents)[:2]] if os.geteuid() == 0 else []
    modes = [path.stat().st_mode for path in opened]
    for path in opened:
        path.chmod(0o755)
    try:
        done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    finally:
        (tmp_path / "closed").chmod(0o755)
        for path, mode in zip(opened, modes, strict=True):
            path.chmod(mode)
    assert done.stdout.startswith("closed/x.md|closed/x.md may not be read")
    assert done.stdout.endswith("|open/x.md\n")
