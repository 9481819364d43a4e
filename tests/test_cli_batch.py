"""``vde-nb batch``: a run from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vde_nb as vde
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
    assert status == 1 and out.startswith("With errors: 1 could not be compared")
    assert "does not look like a picture" in out


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


def test_the_same_command_goes_on_where_it_was(run, folders):
    first = run(*both(folders), *quick())
    status, out, _ = run(*both(folders), *quick())
    assert status == first[0] and "not again" in " ".join(out.split())
    status, out, err = run(*both(folders), *quick(), "--no-resume")
    assert (status, out) == (2, "") and err.startswith("vde-nb: error: ")
    status, out, err = run(*both(folders), *quick(), "--threshold", 70)
    assert (status, out) == (2, "") and "threshold was" in err


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
        (("nothing.csv", "--out", "x"), "nothing.csv"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(run, folders, monkeypatch, words, told):
    monkeypatch.chdir(folders)
    status, out, err = run(*words)
    assert (status, out) == (2, "") and told in err
    assert err.startswith("vde-nb: error: ") and err.count("\n") == 1
    assert not (folders / "x").exists() or not list((folders / "x").glob("*.ndjson"))


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
