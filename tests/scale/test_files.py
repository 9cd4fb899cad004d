import re
import subprocess
import sys

import pytest

from jina_components.errors import ConfigError, IndexFilesError
from jina_components.scale.files import Journal, check_same, locked, remove_unfinished, write_atomically


def entries(path):
    journal = Journal(path, {"kind": "test"})
    journal.close()
    return journal.entries


def test_a_journal_keeps_what_was_appended(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, {"kind": "test"})
    journal.append({"a": 1}, {"b": "ü\ud800"})
    journal.append({"c": None})
    journal.close()
    assert entries(path) == [{"a": 1}, {"b": "ü\ud800"}, {"c": None}]


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_line_cut_short_is_dropped_and_the_next_stands_by_itself(tmp_path, cut):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, {"kind": "test"})
    journal.append({"a": 1}, {"b": 2})
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    journal = Journal(path, {"kind": "test"})
    assert journal.header == {"kind": "test"}
    assert journal.entries == [{"a": 1}]
    journal.append({"c": 3})
    journal.close()
    assert entries(path) == [{"a": 1}, {"c": 3}]


@pytest.mark.parametrize("content", [b"", b"no json\n", b"[1]\n", b'{"kind": 1}\n\x00\x00\n{"a": 1}\n'])
def test_a_damaged_journal_says_so(tmp_path, content):
    (tmp_path / "journal.jsonl").write_bytes(content)
    with pytest.raises(IndexFilesError, match="damaged"):
        Journal(tmp_path / "journal.jsonl", {"kind": "test"})


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, lambda file: file.write(b"one"))

    def fail(file):
        file.write(b"half of tw")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_atomically(path, fail)
    assert path.read_bytes() == b"one"
    write_atomically(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"


def test_what_a_failure_leaves_takes_no_room_and_the_error_is_ours(tmp_path):
    def fill(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(IndexFilesError, match=r"file cannot be written: No space left on device\."):
        write_atomically(tmp_path / "file", fill)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(IndexFilesError, match="cannot be written"):
        write_atomically(tmp_path / "nowhere" / "file", lambda file: None)


def test_a_journal_without_entries_begins_anew_and_a_finished_one_has_others(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path, {"kind": "test", "a": 1}).close()
    journal = Journal(path, {"kind": "test", "a": 2})
    assert journal.header == {"kind": "test", "a": 2}
    journal.append({"a": 1}, {"a": 2})
    journal.finish([{"a": 2}])
    assert entries(path) == [{"a": 2}]
    journal = Journal(path, {"kind": "test", "a": 3})
    journal.close()
    assert journal.header == {"kind": "test", "a": 2}


@pytest.mark.parametrize("content", [b'{"kind":"other"}\n', b'{"day": 1}\n', b'{"kind":"other"}\n{"a":1}\n{"b'])
def test_a_journal_of_something_else_is_refused_and_untouched(tmp_path, content):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    with pytest.raises(IndexFilesError, match=r"journal\.jsonl is no journal of test: choose a new directory"):
        Journal(path, {"kind": "test"})
    assert path.read_bytes() == content


def test_only_what_kills_left_of_these_files_is_removed(tmp_path):
    unfinished = [f"{name}.unfinished-0123456789ab" for name in ("a.json", "b7.json")]
    others = [
        "a.json",
        "a.json.partial",
        "a.json.unfinished-",
        "a.json.unfinished-0123456789abc",
        "a.json.unfinished-0123456789ab.txt",
        "a.json.bak.unfinished-0123456789ab",
        "xa.json.unfinished-0123456789ab",
        ".unfinished-0123456789ab",
    ]
    for name in [*unfinished, *others]:
        (tmp_path / name).write_text("x")
    (tmp_path / "b8.json.unfinished-0123456789ab").mkdir()
    remove_unfinished(tmp_path, re.compile(r"a\.json|b\d\.json"))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*others, "b8.json.unfinished-0123456789ab"}


def test_a_folder_is_held_by_one_process(tmp_path):
    script = (
        "import pathlib, sys\nfrom jina_components.scale.files import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): pass"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "new")]
    with locked(tmp_path / "new"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another process is at work on it" in done.stderr
    subprocess.run(command, check=True)


def test_other_settings_are_named(tmp_path):
    check_same(tmp_path, {"a": 1, "b": 2}, {"b": 2, "a": 1}, what="a job")
    with pytest.raises(ConfigError, match=r"holds a job that was begun with b 2 \(now 3\), c None \(now 4\)"):
        check_same(tmp_path, {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}, what="a job")
    nested = {"reader": {"class": "Reader", "options": {"links": "all"}}}
    with pytest.raises(ConfigError, match=r"begun with reader\.options\.links 'all' \(now 'none'\):"):
        check_same(tmp_path, nested, {"reader": {"class": "Reader", "options": {"links": "none"}}}, what="a job")
