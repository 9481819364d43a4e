"""``vde-nb batch``: a run from the command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vde_nb as vde
from vde_nb import _cli_batch
from vde_nb.cli import main


@pytest.fixture
def run(capsys):
    """Run the command line in this process: (status, stdout, stderr)."""

    def run(*words: object) -> tuple[int, str, str]:
        status = main(["batch", *map(str, words)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def folders(tmp_path) -> Path:
    """Four pairs: a small change, two clean ones of the same pictures, one that is damaged."""
    rng = np.random.default_rng(0)
    for part in ("golden", "today"):
        (tmp_path / part).mkdir()
    for name in ("a", "b", "c"):
        picture = rng.integers(80, 120, (96, 128, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / "golden" / f"{name}.png")
        if name == "a":
            picture[30:60, 40:80] = 230
        Image.fromarray(picture).save(tmp_path / "today" / f"{name}.png")
    return tmp_path


def damage(folders: Path) -> None:
    for part in ("golden", "today"):
        (folders / part / "d.png").write_bytes(b"not a picture")


def both(folders: Path) -> tuple[Path, Path, str, Path]:
    return folders / "golden", folders / "today", "--out", folders / "run"


def quick() -> tuple[object, ...]:
    return ("--workers", 0, "--method", "hybrid", "--segmenter", "none")


def test_two_folders_are_compared_and_told(run, folders):
    status, out, err = run(*both(folders), *quick())
    assert (status, err) == (0, ""), "without a rule only errors fail"
    assert out.startswith("Done: every pair was compared\n3 pairs, 2 clean, 1 changed, 0 errors")
    assert "  a" in out and "golden/b" not in out
    assert f"Written: {folders / 'run' / 'index.html'}" in out
    assert (folders / "run" / "index.html").is_file()


def test_a_rule_decides_the_exit_status(run, folders):
    assert run(*both(folders), *quick(), "--fail-if", "anomalies > 5")[0] == 0
    status, out, _ = run(*both(folders), *quick(), "--fail-if", "change > 1 and anomalies > 0")
    assert status == 1 and out.startswith("Failed: 1 fails by the rule\n")
    assert "Rule: change > 1 and anomalies > 0" in out


def test_a_pair_that_cannot_be_compared_fails(run, folders):
    damage(folders)
    status, out, _ = run(*both(folders), *quick())
    assert status == 1 and out.startswith("Failed: 1 could not be compared")
    assert "does not look like a picture" in out
    told = json.loads(run(*both(folders), *quick(), "--json")[1])
    assert told["failed"] and told["outcome"] == "Failed: 1 could not be compared"
    _, again, _ = run(*both(folders), *quick(), "--fail-if", "major>9")
    assert again.splitlines()[0] == out.splitlines()[0], "an error is told alike with a rule"


def test_the_summary_is_json_for_scripts(run, folders):
    status, out, err = run(*both(folders), *quick(), "--json", "--fail-if", "major>99")
    told = json.loads(out)
    assert (status, err, told["failed"]) == (0, "", False)
    assert told["counts"]["total"] == 3 and told["rule"] == "major>99"


def test_quiet_says_nothing(run, folders):
    assert run(*both(folders), *quick(), "--quiet") == (0, "", "")


def test_a_table_is_read_from_its_own_folder(run, folders, monkeypatch, tmp_path):
    table = folders / "pairs.csv"
    table.write_text("reference,current,name\ngolden/a.png,today/a.png,the first\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    status, out, _ = run(table, "--out", folders / "run", *quick(), "--save", "none")
    assert status == 0 and "the first" in out
    (row,) = vde.open_run(folders / "run").rows()
    assert row["name"] == "the first" and row["files"] == ["results.json"]


def test_many_errors_do_not_hide_what_changed(run, folders):
    lines = ["reference,current"]
    lines += [f"golden/gone{n}.png,today/a.png" for n in range(7)]
    lines += ["golden/a.png,today/a.png", ",today/a.png"]
    (folders / "pairs.csv").write_text("\n".join(lines) + "\n")
    status, out, _ = run(folders / "pairs.csv", "--out", folders / "run", *quick())
    told = out.splitlines()
    assert status == 1 and "and 3 more; the page has all of them" in told
    head, row = told[told.index("and 3 more; the page has all of them") + 2 :][:2]
    assert " ".join(head.split()) == "# severity type anomalies score changed % name"
    assert row.split()[:3] == ["8", "major", "added_part"] and row.endswith("  today/a.png")
    assert "\n\n\n" not in out, "one blank line between two blocks"


def test_an_error_says_its_remedy_in_options_and_the_name_once(run, folders):
    Image.new("RGB", (48, 128)).save(folders / "today" / "tall.png")
    table = "reference,current\ngolden/a.png,today/tall.png\n,today/a.png\n"
    (folders / "pairs.csv").write_text(table)
    _, out, _ = run(folders / "pairs.csv", "--out", folders / "run", *quick())
    assert "pass --fit crop" in " ".join(out.split()) and "--fit pad to show all of it" in out
    assert "     2  pair 2\n        it has no reference" in out


def test_pictures_without_a_partner_stand_in_the_first_lines(run, folders):
    for name in ("lonely", "alone"):
        (folders / "golden" / f"{name}.png").write_bytes(b"not looked at")
    _, out, _ = run(*both(folders), *quick())
    assert out.startswith("Done: every pair was compared; 2 pictures have no partner\n")


def test_without_a_rule_it_is_said_that_changes_do_not_fail(run, folders):
    status, out, _ = run(*both(folders), *quick())
    assert status == 0
    assert "No rule: what has changed does not fail; --fail-if sets one" in out.splitlines()
    _, out, _ = run(*both(folders), *quick(), "--fail-if", "ssim <= 1")
    assert "No rule" not in out
    order = "The worst first, by severities, then by the score of the worst place:"
    assert order in out.splitlines()


def test_another_scene_stands_in_the_first_lines(run, tmp_path):
    for part, sample in (("golden", "board"), ("today", "tyre")):
        (tmp_path / part).mkdir()
        pair = vde.samples.load(sample)
        Image.fromarray(np.asarray(pair.reference)).save(tmp_path / part / "a.png")
    words = ("--workers", 0, "--segmenter", "none", "--fit", "pad")
    _, out, _ = run(*both(tmp_path), *words)
    (row,) = vde.open_run(tmp_path / "run").rows()
    assert row["unlike"], "otherwise this shows nothing"
    assert "1 pair does not look like the same scene" in out.splitlines()[0]


def test_what_fails_by_the_rule_is_listed_though_nothing_changed(run, folders):
    _, out, _ = run(*both(folders), *quick(), "--fail-if", "ssim <= 1")
    assert out.startswith("Failed: 3 fail by the rule")
    assert sum(line.split()[1:2] == ["fail"] for line in out.splitlines()) == 3


def test_the_log_of_a_long_run_shows_how_far_it_is(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(_cli_batch.time, "monotonic", lambda: clock[0])
    tell = _cli_batch._Lines()
    for done in range(1, 101):  # a pair in two seconds
        clock[0] += 2
        tell(done, 100, {})
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "vde-nb: 5 of 100 pairs (5%), 10.0 s" and len(told) == 20
    tell(101, 10_000, {})
    clock[0] += 59
    tell(102, 10_000, {})
    assert capsys.readouterr().err == "", "too few, and too soon"
    clock[0] += 1
    tell(103, None, {})
    assert capsys.readouterr().err == "vde-nb: 103 pairs, 4 min 20 s\n"


def test_ctrl_c_is_answered_at_once(folders, monkeypatch, capfd):
    from vde_nb.batch import _runner

    told = []

    def interrupted(*_, **__):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            told.append(capfd.readouterr().err)  # while the run still takes in what is finished

    monkeypatch.setattr(_runner, "compare_many", interrupted)
    # What a shell starts in the background does not listen to Ctrl-C.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["batch", *map(str, both(folders))]) == 130
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, usual)
    assert told == ["\nvde-nb: finishing what is being compared ...\n"]
    assert "The same command goes on" in capfd.readouterr().err


def test_the_same_command_goes_on_where_it_was(run, folders):
    first = run(*both(folders), *quick())
    status, out, _ = run(*both(folders), *quick())
    assert status == first[0] and "not again" in " ".join(out.split())
    status, out, err = run(*both(folders), *quick(), "--no-resume")
    assert (status, out) == (2, "") and err.startswith("vde-nb: error: ")
    assert "--no-resume begins" in err and "resume=" not in err
    status, out, err = run(*both(folders), *quick(), "--threshold", 70)
    assert (status, out) == (2, "") and "threshold was" in err
    assert "--out" in err and "out=" not in err


def test_an_interrupted_run_says_how_to_go_on(run, folders, monkeypatch):
    from vde_nb.batch import _runner

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_runner, "compare_many", interrupted)
    status, out, err = run(*both(folders), *quick())
    assert (status, out) == (130, "")
    assert "The same command goes on" in err and str(folders / "run") in err


def test_a_setting_that_is_not_used_is_said(run, folders):
    _, _, err = run(*both(folders), *quick(), "--false-alarms", 0.1)
    assert "note: --false-alarms is not used by hybrid" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("golden", "today"), "--out"),
        (("golden", "today", "more", "--out", "x"), "3 sources are too many"),
        (("golden", "today", "--out", "x", "--fail-if", "mayor>0"), "Did you mean 'major'"),
        (("golden", "today", "--out", "x", "--fail-if", ""), "is text such as"),
        (("golden", "today", "--out", "x", "--workers", "-1"), "no number of processes"),
        (("golden", "today", "--out", "x", "--workers", "two"), "no number of processes"),
        (("golden", "today", "--out", "x", "--resource", "GPU=1"), "give --scheduler too"),
        (("golden", "today", "--out", "x", "--resource", "=1"), "NAME=N"),
        (("golden", "today", "--out", "x", "--resource", "GPU=inf"), "NAME=N"),
        (
            ("golden", "today", "--out", "x", "--scheduler", "tcp://x:1", "--workers", "2"),
            "workers of its own",
        ),
        (("golden", "today", "--out", "x", "--save", "pictures"), "'pictures' cannot be saved"),
        (("golden", "today", "--out", "x", "--method", "hybird"), "hybrid"),
        (("golden", "today", "--out", "x", "--treshold", "3"), "did you mean --threshold"),
        (("nothing.csv", "--out", "x"), "nothing.csv does not exist"),
        (("nope", "nada", "--out", "x"), "nope and nada do not exist"),
        (("golden", "", "--out", "x"), "'' does not exist"),
        (("golden", "todya", "--out", "x"), "did you mean today"),
        (("golden", "--out", "x"), "golden is one folder, which needs --method normality"),
        (("golden/a.png", "--out", "x"), "neither a folder nor a table"),
        (("golden", "today/a.png", "--out", "x"), "today/a.png is no folder"),
        (("golden/a.png", "today/a.png", "--out", "x"), "vde-nb compare golden/a.png today/a.png"),
        (("golden", "--method", "normality", "--out", "x"), "give its path as --model"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(run, folders, monkeypatch, words, told):
    monkeypatch.chdir(folders)
    status, out, err = run(*words)
    assert (status, out) == (2, "") and told in err
    assert err.startswith("vde-nb: error: ") and err.count("\n") == 1
    assert not (folders / "x").exists()


def test_a_scheduler_that_is_not_there_is_told(run, folders, monkeypatch):
    distributed = pytest.importorskip("distributed")

    def refuse(address, **_):
        raise OSError(f"Timed out trying to connect to {address}")

    monkeypatch.setattr(distributed, "Client", refuse)
    status, out, err = run(*both(folders), "--scheduler", "tcp://127.0.0.1:1")
    assert (status, out) == (
        2,
        "",
    ) and "No Dask scheduler can be reached at tcp://127.0.0.1:1" in err


def test_the_cluster_is_asked_for_its_executor_with_the_resources(run, folders, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    distributed = pytest.importorskip("distributed")
    asked: list[object] = []

    class Client:
        def __init__(self, address, **_):
            asked.append(address)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            asked.append("closed")

        def get_executor(self, **how):
            asked.append(how)
            return ThreadPoolExecutor(1)

    monkeypatch.setattr(distributed, "Client", Client)
    words = quick()[2:]
    status, *_ = run(*both(folders), *words, "--scheduler", "tcp://x:1", "--resource", "GPU=1")
    assert status == 0
    assert asked == ["tcp://x:1", {"resources": {"GPU": 1.0}}, "closed"]


def test_the_help_tells_of_rules_and_settings(run):
    status, out, _ = run("--help")
    assert status == 0
    for words in ("--fail-if RULE", "--scheduler ADDRESS", "--threshold", "exit status", "major"):
        assert words in out


def test_where_nothing_matters_holds_for_all_pairs(run, folders):
    how = (*both(folders), *quick(), "--ignore", "38,28,44,34")
    assert run(*how, "--fail-if", "anomalies > 0")[0] == 0
    assert run(*how[:-1], "38,28,44", "--no-resume")[0] == 2
