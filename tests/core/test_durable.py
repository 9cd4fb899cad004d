import pytest

from jina_components.core.durable import is_unfinished, remove, write_file, write_folder


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path, seen = tmp_path / "file", []

    def fail(file):
        file.write(b"half of tw")
        seen.extend(path.name for path in tmp_path.iterdir())
        raise OSError(28, "No space left on device")

    write_file(path, lambda file: file.write(b"one"))
    with pytest.raises(OSError, match="No space"):
        write_file(path, fail)
    assert path.read_bytes() == b"one"
    assert [name for name in seen if is_unfinished(name)] == [name for name in seen if name != "file"] != []
    write_file(path, lambda file: file.write(b"two"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"two")]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    def fail(folder):
        (folder / "a").write_text("half")
        raise RuntimeError

    def fill(folder):
        (folder / "in").mkdir()
        (folder / "in" / "a").write_text("whole")

    with pytest.raises(RuntimeError):
        write_folder(tmp_path / "made", fail)
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "made", fill)
    assert (tmp_path / "made" / "in" / "a").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize(
    ("name", "unfinished"),
    [
        ("a.json.unfinished-0123456789ab", True),
        ("a.json.unfinished-mine", False),
        ("a.json.unfinished-0123456789ab\n", False),
        ("a.unfinished-0123456789ab.json", False),
        ("a.json", False),
    ],
)
def test_what_is_unfinished_is_known_by_its_name(name, unfinished):
    assert is_unfinished(name) is unfinished


def test_files_and_folders_are_removed_and_links_not_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").write_text("a")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "file").write_text("a")
    for name in ("link", "file", "not there"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    remove(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
