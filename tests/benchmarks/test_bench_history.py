"""Files of runs."""

from __future__ import annotations

from made_up_history import a_run, measured, quality, speed

from benchmarks.history import load, load_all, newest, save


def test_what_is_saved_is_loaded(tmp_path):
    run = measured()
    run.left_out["a job"] = "why"
    path = save(run, tmp_path)
    assert path.name == "2026-01-02T030405Z-quick.json"
    found = load(path)
    assert (found.started, found.left_out, list(found.results)) == (run.started, run.left_out, list(run.results))
    assert load(save(found, tmp_path)) == found


def test_saving_again_replaces(tmp_path):
    run = a_run(finished=False)
    save(run, tmp_path)
    run.results["pdf.order"] = quality(0.9, 0.8)
    save(run, tmp_path)
    [found] = load_all(tmp_path)
    assert found.results["pdf.order"].peers["peer"].gap == run.results["pdf.order"].peers["peer"].gap.__round__(5)


def test_a_full_result_goes_before_a_later_quick_one():
    full, quick, other = a_run("2026-01-01", "full"), a_run("2026-01-02"), a_run("2026-01-03")
    full.results["a"] = speed(1)
    quick.results.update(a=speed(2), b=speed(3))
    other.results["b"] = speed(4)
    runs = [full, quick, other]
    assert newest(runs, "a") == (full, full.results["a"])
    assert newest(runs, "a", "quick") == (quick, quick.results["a"])
    assert newest(runs, "b") == (other, other.results["b"])
    assert newest(runs, "c") is None


def test_only_the_same_is_gone_on_with():
    stopped = a_run(finished=False)
    assert a_run("2027-01-01").continues(stopped)
    assert not a_run("2027-01-01").continues(a_run())
    for changed in ({"mode": "full"}, {"seed": 1}, {"data": "d2"}, {"machine": {}}, {"code": {}}):
        assert not a_run("2027-01-01", **changed).continues(stopped)
