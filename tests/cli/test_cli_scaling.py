"""Flags of `index` for many sources: --workers, --checkpoint, --ray."""

import pytest

FAST = ("--embedder", "static-minilm-v1")


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in (("boots", "Dry boots slowly."), ("water", "Boil water."), ("tents", "Air tents in the sun.")):
        (folder / f"{name}.md").write_text(text)
    return folder


def finds(run, index, query):
    return run("search", query, "--index", index, "--mode", "lexical")[0] == 0


def test_with_a_checkpoint_only_what_has_changed_is_read(run, docs, tmp_path):
    index = tmp_path / "index"
    again = ("index", docs, "--to", index, "--workers", 2, "--checkpoint", tmp_path / "done", *FAST)
    assert run(*again) == (0, f"{index}: 3 sources read, 3 chunks added, 3 in all\n", "")
    assert run(*again) == (0, f"{index}: 0 sources read, 3 complete before, 0 chunks added, 3 in all\n", "")
    (docs / "tents.md").rename(tmp_path / "tents.md")
    (docs / "water.md").write_text("Boil snow.")
    expected = "1 source read, 1 complete before, 1 removed, 1 chunk added, 2 in all"
    assert run(*again) == (0, f"{index}: {expected}\n", "")
    assert not finds(run, index, "tents")
    assert not finds(run, index, "water")
    (tmp_path / "tents.md").rename(docs / "tents.md")
    assert "1 source read, 2 complete before, 1 chunk added, 3 in all" in run(*again)[1]
    assert finds(run, index, "tents")


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_told_and_the_rest_is_done(run, docs, tmp_path, workers):
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    missing = tmp_path / "missing.md"
    code, out, err = run("index", docs, missing, "--to", tmp_path / "index", "--workers", workers, *FAST)
    assert code == 3
    assert "3 sources read, 3 chunks added" in out
    assert f"not read: {docs / 'broken.pdf'} is a broken" in err
    assert f"not read: {missing} does not exist" in err
    assert err.count(str(missing)) == 1
    code, out, err = run("index", missing, "--to", tmp_path / "index", "--workers", workers, *FAST)
    assert (code, out) == (2, "")
    assert "Nothing was indexed: none of the sources could be read" in err


def test_another_embedder_does_not_go_on(run, docs, tmp_path, minilm_folder):
    again = ("index", docs, "--checkpoint", tmp_path / "done", "--to")
    assert run(*again, tmp_path / "index", *FAST)[0] == 0
    code, _, err = run(*again, tmp_path / "other", "--embedder", minilm_folder)
    assert code == 2
    assert "begun with" in err
    code, _, err = run(*again, tmp_path / "third", *FAST)
    assert code == 2
    assert "checkpoint of another store" in err


def test_wrong_flags(run, docs, tmp_path):
    for flags, message in (
        (("--workers", 0), "workers must be a positive integer"),
        (("--gpus-per-worker", 1), "--gpus-per-worker is for Ray: pass --ray too"),
    ):
        code, out, err = run("index", docs, "--to", tmp_path / "index", *flags, *FAST)
        assert (code, out) == (2, "")
        assert message in err


def test_a_cluster_is_named_by_its_address(run, docs, tmp_path):
    pytest.importorskip("ray")
    code, _, err = run("index", docs, "--to", tmp_path / "index", "--ray", "ray://127.0.0.1:10001", *FAST)
    assert code == 2
    assert "ray job submit" in err
