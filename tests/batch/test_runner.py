"""compare_many: every pair a row, the same rows whoever computes them."""

from __future__ import annotations

import csv
import json
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vde_nb as vde
from tests.batch.small import (
    FAST,
    all_files,
    manifest_of,
    rows_of,
    small_pair,
    start_script,
    write_pairs,
)
from vde_nb.batch import _job, compare_many
from vde_nb.batch._loop import _same
from vde_nb.batch._row import KEYS, checked_row
from vde_nb.errors import OutputError, SettingError
from vde_nb.images import load_pair


@pytest.fixture
def own_types() -> Iterator[None]:
    yield
    vde.reset_anomaly_types()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every comparison that is made in this process."""
    made: list[Any] = []
    usual = _job.compare

    def counted(*args: Any, **options: Any) -> Any:
        made.append(args)
        return usual(*args, **options)

    monkeypatch.setattr(_job, "compare", counted)
    return made


def test_every_pair_is_a_row_with_what_compare_says(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "in", 3)
    run = compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    rows = rows_of(tmp_path / "run")
    assert [row["status"] for row in rows] == ["changed", "changed", "clean"]
    assert [tuple(row) for row in rows] == [KEYS] * 3
    assert [checked_row(row) for row in rows] == rows
    usual = {name: value for name, value in FAST.items() if name != "progress"}
    one = vde.compare(*pairs[0], **usual)
    assert rows[0]["anomalies"] == len(one.anomalies)
    assert rows[0]["change"] == one.change_score_percent
    assert rows[0]["ssim"] == one.ssim_score
    assert rows[0]["largest"] == max(anomaly.area for anomaly in one.anomalies)
    assert (rows[0]["reference"], rows[0]["current"]) == pairs[0]
    assert len(run) == 3
    assert manifest_of(tmp_path / "run")["counts"]["changed"] == 2


def test_one_process_two_processes_and_threads_write_the_same_bytes(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "in", 8)
    pairs += [pairs[0], ("missing.png", pairs[0][1])]
    compare_many(pairs, workers=0, out=tmp_path / "none", save=["thumbnails", "html"], **FAST)
    compare_many(pairs, workers=2, out=tmp_path / "two", save=["html", "thumbnails"], **FAST)
    with ThreadPoolExecutor(3) as threads:
        out = tmp_path / "threads"
        compare_many(pairs, executor=threads, out=out, save=["thumbnails", "html"], **FAST)
    expected = all_files(tmp_path / "none")
    assert len(expected) > 24
    assert all_files(tmp_path / "two") == expected
    assert all_files(tmp_path / "threads") == expected


def test_a_pair_that_cannot_be_compared_is_a_row_and_stops_nothing(tmp_path: Path) -> None:
    ((one, two),) = write_pairs(tmp_path, 1)
    (tmp_path / "damaged.png").write_bytes(Path(one).read_bytes()[:200])
    (tmp_path / "narrow.png").write_bytes(cv2.imencode(".png", np.zeros((10, 90)))[1].tobytes())
    bad = ["damaged.png", "narrow.png", "missing.png"]
    pairs = [(one, str(tmp_path / name)) for name in bad] + [7, (one, two)]
    compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    rows = rows_of(tmp_path / "run")
    assert [row["status"] for row in rows] == ["error"] * 4 + ["changed"]
    assert [row["error_kind"] for row in rows[:4]] == ["ImageError"] * 3 + ["SettingError"]
    assert [row["retry"] for row in rows[:4]] == [False, False, True, False]
    assert "missing.png does not exist" in rows[2]["error"]
    assert rows[0]["folder"] is None


def test_errors_name_files_as_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compare_many([("no.png", "non.png")], workers=0, out="run", **FAST)
    (row,) = rows_of(tmp_path / "run")
    assert row["error"].startswith("no.png does not exist")


def test_identical_pictures_are_compared_once_whatever_they_are_called(
    tmp_path: Path, computed: list[Any]
) -> None:
    pair, other = small_pair(0), small_pair(1)
    pairs = [(*pair, "a"), (*other, "b"), (*pair, "c"), (*pair, "a")]
    compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    rows = rows_of(tmp_path / "run")
    assert len(computed) == 2
    assert [row["same_as"] for row in rows] == [None, None, rows[0]["id"], rows[0]["id"]]
    assert len({row["id"] for row in rows}) == 4
    assert rows[2]["folder"] == rows[0]["folder"]
    assert rows[2]["change"] == rows[0]["change"]


def test_identical_pictures_wait_for_the_one_that_is_being_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()
    usual = _job.compare

    def slow(*args: Any, **options: Any) -> Any:
        begun.release()
        go_on.wait(10)
        return usual(*args, **options)

    monkeypatch.setattr(_job, "compare", slow)

    def make() -> Iterator[Any]:
        for number in range(20):
            yield (*small_pair(0), f"n{number}")
        go_on.set()

    with ThreadPoolExecutor(4) as threads:
        compare_many(make(), executor=threads, out=tmp_path / "run", **FAST)
    assert not begun.acquire(timeout=0) or not begun.acquire(timeout=0)
    rows = rows_of(tmp_path / "run")
    assert [row["same_as"] for row in rows] == [None] + [rows[0]["id"]] * 19


def test_of_a_generator_only_a_few_pictures_are_alive(tmp_path: Path) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    def make() -> Iterator[Any]:
        nonlocal most
        for number in range(40):
            pair = load_pair(*small_pair(number))
            alive.add(pair)
            most = max(most, len(alive))
            yield pair
            del pair

    with ThreadPoolExecutor(2) as threads:
        compare_many(make(), executor=threads, in_flight=3, out=tmp_path / "run", **FAST)
    assert len(rows_of(tmp_path / "run")) == 40
    assert most <= 5


def test_results_hold_no_times_and_no_folders_of_this_machine(tmp_path: Path) -> None:
    ((one, two),) = write_pairs(tmp_path / "in", 1)
    compare_many([(one, two)], workers=0, out=tmp_path / "run", **FAST)
    (row,) = rows_of(tmp_path / "run")
    assert row["files"] == ["results.json", "thumbnail.jpg"]
    folder = tmp_path / "run" / row["folder"]
    document = json.loads((folder / "results.json").read_text("utf-8"))
    assert document["timings_ms"] == {}
    assert document["image_name"] == two
    small = cv2.imread(str(folder / "thumbnail.jpg"))
    assert small.shape[0] == 60
    assert 160 <= small.shape[1] <= 170
    (timing,) = (tmp_path / "run" / "timings.ndjson").read_text().splitlines()
    assert json.loads(timing)["seconds"] > 0


def test_a_large_picture_has_a_small_thumbnail(tmp_path: Path) -> None:
    reference = np.full((900, 1800, 3), 90, np.uint8)
    current = reference.copy()
    current[300:600, 300:900] = 220
    compare_many([(reference, current)], workers=0, out=tmp_path / "run", **FAST)
    (row,) = rows_of(tmp_path / "run")
    small = cv2.imread(str(tmp_path / "run" / row["folder"] / "thumbnail.jpg"))
    assert small.shape[:2] == (128, 2 * 256 + 4)
    assert abs(int(small[60, 20].mean()) - 90) < 5  # the reference stands on the left


def test_a_rule_gives_each_pair_a_verdict(tmp_path: Path) -> None:
    pairs = [*write_pairs(tmp_path / "in", 3), ("no.png", "no.png")]
    out = tmp_path / "run"
    compare_many(pairs, workers=0, out=out, fail_if="anomalies>0", **FAST)
    assert [row["verdict"] for row in rows_of(out)] == ["fail", "fail", "pass", "fail"]
    compare_many(pairs, workers=0, out=out, fail_if="change>99", **FAST)
    assert [row["verdict"] for row in rows_of(out)] == ["pass", "pass", "pass", "fail"]
    with pytest.raises(SettingError):
        compare_many(pairs, workers=0, out=out, fail_if="nothing>0", **FAST)


def test_tables_hold_the_rows_and_no_formulas(tmp_path: Path) -> None:
    pairs = [(*small_pair(0), "=1+1"), (*small_pair(1, False), "plain"), ("no.png", "no.png")]
    out = tmp_path / "run"
    compare_many(pairs, workers=0, out=out, **FAST)
    with (out / "results.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == ["'=1+1", "plain", "no.png"]
    assert [line["status"] for line in lines] == ["changed", "clean", "error"]
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(out / "results.parquet").to_pylist()
    assert [line["name"] for line in table] == ["=1+1", "plain", "no.png"]
    assert table[0]["width"] == 80
    assert table[2]["anomalies"] is None
    assert json.loads(table[0]["types"]) == rows_of(out)[0]["types"]


def test_a_run_loads_no_library_for_its_tables_that_it_can_do_without(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    process = start_script(
        tmp_path,
        "import sys\n"
        "from tests.batch.small import FAST, small_pair\n"
        "from vde_nb.batch import compare_many\n"
        "compare_many([small_pair(0)], workers=0, out='run', **FAST)\n"
        "print(sorted({'pandas', 'distributed', 'torch', 'matplotlib'} & {*sys.modules}))\n",
    )
    assert process.communicate(timeout=60) == (b"[]\n", b"")


def test_columns_of_a_table_stay_with_their_rows(tmp_path: Path) -> None:
    write_pairs(tmp_path, 1)
    (tmp_path / "p.csv").write_text("reference,current,lot\n000_ref.png,000_cur.png,7\n")
    compare_many(tmp_path / "p.csv", workers=0, out=tmp_path / "run", **FAST)
    (row,) = rows_of(tmp_path / "run")
    assert row["given"] == {"lot": "7"}
    assert row["reference"] == "000_ref.png"
    assert manifest_of(tmp_path / "run")["source"] == str(tmp_path / "p.csv")


def test_what_is_ignored_is_ignored_in_every_pair(tmp_path: Path) -> None:
    mask = np.zeros((60, 80), np.bool_)
    mask[15:45, 25:55] = True
    pairs = write_pairs(tmp_path / "in", 2)
    compare_many(pairs, workers=0, out=tmp_path / "mask", ignore=mask, **FAST)
    compare_many(pairs, workers=0, out=tmp_path / "boxes", ignore=[(25, 15, 30, 30)], **FAST)
    for name in ("mask", "boxes"):
        assert [row["status"] for row in rows_of(tmp_path / name)] == ["clean", "clean"]
    with pytest.raises(SettingError, match="ignore="):
        compare_many(pairs, workers=0, out=tmp_path / "bad", ignore=[(1, 2, 3)], **FAST)
    with pytest.raises(SettingError, match="other settings: ignore was"):
        compare_many(pairs, workers=0, out=tmp_path / "boxes", ignore=mask, **FAST)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_model_goes_to_the_workers_once_and_results_do_not_say_from_where(
    tmp_path: Path, workers: int
) -> None:
    wall = vde.samples.load("wall").reference[:96, :128]
    normals = [vde.samples.stress(wall, seed, defects=()).current for seed in range(4)]
    model = vde.Normality.fit(normals, model="variation")
    folder = tmp_path / "in"
    folder.mkdir()
    for number, picture in enumerate(normals[:2]):
        cv2.imwrite(str(folder / f"{number}.png"), picture[..., ::-1])
    out = tmp_path / "run"
    options: dict[str, Any] = {"method": "normality", "progress": False, "workers": workers}
    compare_many(folder, out=out, model=model, **options)
    rows = rows_of(out)
    assert [row["name"] for row in rows] == ["0.png", "1.png"]
    assert {row["method"] for row in rows} == {"normality"}
    if workers:
        text = (out / rows[0]["folder"] / "results.json").read_text("utf-8")
        assert '"model": "model.safetensors"' in text
    compare_many(folder, out=out, model=model, **options)
    assert "not again: 2" in " ".join(manifest_of(out)["notes"])
    other = vde.Normality.fit(normals[1:], model="variation")
    with pytest.raises(SettingError, match="model was"):
        compare_many(folder, out=out, model=other, **options)


def test_progress_is_told_and_may_end_the_run(tmp_path: Path) -> None:
    told: list[Any] = []
    pairs = write_pairs(tmp_path / "in", 3)
    quiet = {**FAST, "progress": lambda done, total, row: told.append((done, total, row["name"]))}
    compare_many(pairs, workers=0, out=tmp_path / "run", **quiet)
    assert told == [(n, 3, pair[1]) for n, pair in enumerate(pairs, 1)]

    def enough(done: int, total: int | None, row: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compare_many(pairs, workers=0, out=tmp_path / "ended", **{**FAST, "progress": enough})
    assert manifest_of(tmp_path / "ended")["state"] == "interrupted"
    assert len(rows_of(tmp_path / "ended")) == 1


def test_a_bar_is_shown_on_a_terminal_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {**FAST, "progress": True}
    compare_many(write_pairs(tmp_path / "in", 1), workers=0, out=tmp_path / "run", **options)
    assert capsys.readouterr().err == ""


def test_without_a_folder_the_run_is_temporary_and_says_so() -> None:
    run = compare_many([small_pair(0)], workers=0, **FAST)
    assert Path(run.folder).is_dir()
    assert any("temporary folder" in note for note in run.notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": -1}, "workers=-1"),
        ({"workers": True}, "workers=True"),
        ({"in_flight": 0}, "in_flight=0"),
        ({"save": "nothing"}, "save: what='nothing'"),
        ({"method": "nothing"}, "nothing"),
        ({"threshold": 900}, "threshold"),
        ({"segmenter": "nothing"}, "no segmenter"),
        ({"plugins": ["no_such_module"]}, "no_such_module cannot be imported"),
        ({"plugins": ["/no/such.py"]}, "/no/such.py cannot be imported"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    given = {"workers": 0, **FAST, **options}
    with pytest.raises(SettingError, match=said):
        compare_many([small_pair(0)], out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()
    with pytest.raises(TypeError, match="Did you mean"):
        compare_many([small_pair(0)], out=tmp_path / "run", treshold=5, **FAST)
    with pytest.raises(SettingError, match="executor has its own"):
        compare_many([], executor=ThreadPoolExecutor(1), workers=1, **FAST)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="other things than a run"):
        compare_many([small_pair(0)], workers=0, out=tmp_path, **FAST)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(OutputError, match="none of a run"):
        compare_many([small_pair(0)], workers=0, out=tmp_path, **FAST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "run.json"]
    with pytest.raises(OutputError, match="cannot be used"):
        compare_many([small_pair(0)], workers=0, out=tmp_path / "mine.txt", **FAST)


_PLUGIN = """
import vde_nb

@vde_nb.anomaly_type("greenish")
def greenish(region):
    return 1.0
"""


def test_a_plugin_brings_types_of_ones_own_to_every_worker(tmp_path: Path, own_types: None) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(_PLUGIN)
    pairs = write_pairs(tmp_path / "in", 2)
    compare_many(pairs, workers=2, out=tmp_path / "run", plugins=plugin, **FAST)
    assert [row["types"] for row in rows_of(tmp_path / "run")] == [{"greenish": 1}] * 2
    plugin.write_text(_PLUGIN + "\n# changed\n")
    with pytest.raises(SettingError, match="a plugin, a model or what is ignored has changed"):
        compare_many(pairs, workers=2, out=tmp_path / "run", plugins=plugin, **FAST)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_plugin_that_is_edited_while_a_run_begins_ends_it(
    tmp_path: Path, own_types: None, workers: int
) -> None:
    """The pairs would be compared with rules that the run does not know of."""
    plugin = tmp_path / "own.py"
    plugin.write_text(_PLUGIN)

    def pairs() -> Iterator[Any]:
        plugin.write_text(_PLUGIN.replace("1.0", "0.0"))
        yield from write_pairs(tmp_path / "in", 2)

    options = {"workers": workers, "out": tmp_path / "run", "plugins": plugin, **FAST}
    with pytest.raises(vde.VdeError, match=r"own\.py is another version on this worker, or was"):
        compare_many(pairs(), **options)


def test_a_run_tells_what_its_plugins_were(tmp_path: Path, own_types: None) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(_PLUGIN)
    run = compare_many([small_pair(0)], workers=0, out=tmp_path / "run", plugins=plugin, **FAST)
    assert run.manifest["plugins"] == ["own.py"]
    assert run.manifest["plugin_digests"] == [vde.load_plugin(plugin).digest]


def test_what_only_this_process_knows_is_refused_for_others_and_works_here(
    tmp_path: Path, own_types: None
) -> None:
    @vde.anomaly_type("mine")
    def mine(region: Any) -> float:
        return 1.0

    pairs = [small_pair(0)]
    with pytest.raises(SettingError, match=r"anomaly types mine.*plugins="):
        compare_many(pairs, workers=1, out=tmp_path / "no", **FAST)
    compare_many(pairs, workers=0, out=tmp_path / "here", **FAST)
    with ThreadPoolExecutor(1) as threads:
        compare_many(pairs, executor=threads, out=tmp_path / "threads", **FAST)
    for name in ("here", "threads"):
        assert rows_of(tmp_path / name)[0]["types"] == {"mine": 1}


def test_a_function_of_features_stays_in_this_process(tmp_path: Path) -> None:
    def describe(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (16, 12)).astype(np.float32) / 255

    options = {"method": "semantic", "features": describe, "progress": False}
    with pytest.raises(SettingError, match=r"a function.*plugins="):
        compare_many([small_pair(0)], workers=1, out=tmp_path / "no", **options)
    compare_many([small_pair(0)], workers=0, out=tmp_path / "here", **options)
    assert rows_of(tmp_path / "here")[0]["status"] != "error"
    vde.remove_features("describe")


def test_a_picture_that_is_written_again_while_it_waits_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((one, two),) = write_pairs(tmp_path, 1)
    usual = _job.ready

    def late(plan: Any) -> Any:
        Path(two).write_bytes(Path(one).read_bytes())
        return usual(plan)

    monkeypatch.setattr(_job, "ready", late)
    compare_many([(one, two)], workers=0, out=tmp_path / "run", **FAST)
    (row,) = rows_of(tmp_path / "run")
    assert (row["error_kind"], row["retry"]) == ("ChangedError", True)


def test_nothing_of_the_clock_decides_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_pairs(tmp_path / "in", 3)
    compare_many(pairs, workers=0, out=tmp_path / "one", **FAST)
    usual = time.time
    jumps = iter([0, 1e9, -1e9, 5e8] * 500)
    monkeypatch.setattr(time, "time", lambda: usual() + next(jumps))
    compare_many(pairs, workers=0, out=tmp_path / "two", **FAST)
    assert all_files(tmp_path / "one") == all_files(tmp_path / "two")


def test_every_wrong_pair_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    pairs = [small_pair(0), 7, (None, small_pair(0)[1]), ("a",), small_pair(1)]
    compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    rows = rows_of(tmp_path / "run")
    assert [row["status"] for row in rows] == ["changed", "error", "error", "error", "changed"]
    said = ("Pair 2: it is a int", "Pair 3: it has no reference", "Pair 4: it is a tuple")
    for row, text in zip(rows[1:4], said, strict=True):
        assert row["error"].startswith(text)
        assert row["same_as"] is None


def test_a_nul_in_a_name_or_a_path_stops_nothing(tmp_path: Path) -> None:
    pairs = [(*small_pair(0), "a\0b"), ("c\0d.png", "e.png"), small_pair(1)]
    compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    rows = rows_of(tmp_path / "run")
    assert [row["status"] for row in rows] == ["changed", "error", "changed"]
    assert (rows[0]["name"], rows[1]["reference"]) == ("a\ufffdb", "c\ufffdd.png")


def test_a_row_that_could_not_be_read_again_is_an_error_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = _job.found_row

    def odd(about: Any, *rest: Any) -> Any:
        row = usual(about, *rest)
        return {**row, "types": {"a\0b": 1}} if about["name"] == "odd" else row

    monkeypatch.setattr(_job, "found_row", odd)
    pairs = [(*small_pair(0), "odd"), (*small_pair(1), "even"), (*small_pair(0), "same")]
    compare_many(pairs, workers=0, out=tmp_path / "run", fail_if="major>0", **FAST)
    rows = rows_of(tmp_path / "run")
    assert [row["status"] for row in rows] == ["error", "changed", "changed"]
    assert rows[0]["error"] == "What was found cannot be kept: types is not one of a row."
    assert (rows[0]["verdict"], rows[0]["files"]) == ("fail", [])


@pytest.mark.parametrize("together", [False, True])
def test_an_error_is_of_one_pair_and_not_of_all_with_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    failed: list[str] = []
    usual = _job.compare
    go_on = threading.Event()

    def short_of_memory(*args: Any, **options: Any) -> Any:
        if together:
            go_on.wait(10)
        if len(failed) < 2:
            failed.append("")
            raise MemoryError
        return usual(*args, **options)

    monkeypatch.setattr(_job, "compare", short_of_memory)

    def make() -> Iterator[Any]:
        for number in range(5):
            yield (*small_pair(0), f"n{number}")
        go_on.set()

    with ThreadPoolExecutor(2) as threads:
        executor = {"executor": threads} if together else {"workers": 0}
        compare_many(make(), out=tmp_path / "run", **executor, **FAST)
    rows = rows_of(tmp_path / "run")
    assert [row["status"] for row in rows] == ["error"] * 2 + ["changed"] * 3
    assert [row["same_as"] for row in rows] == [None] * 3 + [rows[2]["id"]] * 2


def test_damaged_files_of_the_same_content_are_told_by_their_own_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ((one, _),) = write_pairs(tmp_path, 1)
    names = [f"{letter}.png" for letter in "abc"]
    for name in names:
        (tmp_path / name).write_bytes(Path(one).read_bytes()[:200])
    pairs = [(one, name) for name in names]
    compare_many(pairs, workers=0, out="alone", **FAST)
    with ThreadPoolExecutor(2) as threads:
        compare_many(pairs, executor=threads, out="run", **FAST)
    compare_many(pairs[:1], workers=0, out="again", **FAST)
    compare_many(pairs, workers=0, out="again", **FAST)
    for run in ("alone", "run", "again"):
        rows = rows_of(tmp_path / run)
        assert [row["error"].split()[0] for row in rows] == names
        assert [row["same_as"] for row in rows] == [None] * 3


def test_of_pictures_that_wait_one_copy_is_alive(tmp_path: Path) -> None:
    pair = load_pair(*small_pair(0)), load_pair(*small_pair(0))
    assert _same([pair[1], "b.png"], [pair[0], "a.png"]) == [pair[0], "b.png"]
    assert _same(pair[1], "a.png") is pair[1]


def test_pictures_go_when_their_row_is_written(tmp_path: Path) -> None:
    alive: list[int] = []
    pictures: weakref.WeakSet[Any] = weakref.WeakSet()

    def make() -> Iterator[Any]:
        for number in range(3):
            pair = load_pair(*small_pair(number))
            pictures.add(pair)
            yield pair
            del pair
            time.sleep(0.05)  # for the thread to let go of what it has done
            alive.append(len(pictures))

    with ThreadPoolExecutor(1) as threads:
        compare_many(make(), executor=threads, in_flight=1, out=tmp_path / "run", **FAST)
    assert alive == [0, 0, 0]
