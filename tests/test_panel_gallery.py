"""A run in the panel: gone through, reviewed, and never shown on pictures that are not its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vde_nb as vde
from tests.panel_tools import FakeViewer
from vde_nb.errors import OutputError, SettingError
from vde_nb.panel import Panel
from vde_nb.panel._files import Root
from vde_nb.panel._known import located
from vde_nb.panel._session import load_session, restore, session_of
from vde_nb.plugins import loaded_plugins

HOW: dict[str, Any] = {"method": "hybrid", "segmenter": "none"}
#: Spots in the current pictures: how many, and so how bad they are.
SPOTS = {"one.png": 1, "none.png": 0, "two.png": 2, "four.png": 4}


def scene(spots: int = 0) -> Any:
    """A grey wall with `spots` brighter squares."""
    picture = np.full((120, 160, 3), 110, np.uint8)
    for at in range(spots):
        picture[20 + 40 * (at // 2) : 44 + 40 * (at // 2), 20 + 60 * (at % 2) :][:, :24] = 210
    return picture


def write(path: Path, picture: Any) -> None:
    assert cv2.imwrite(str(path), picture[..., ::-1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, a damaged pair, and a run of all of them."""
    root = tmp_path_factory.mktemp("made")
    for folder in ("before", "after"):
        (root / folder).mkdir()
        (root / folder / "broken.png").write_bytes(b"none")
    for name, spots in SPOTS.items():
        write(root / "before" / name, scene())
        write(root / "after" / name, scene(spots))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)  # so that the run holds wherever it is copied
        how = {"workers": 0, "progress": False, "fail_if": "anomalies>1", **HOW}
        vde.compare_many(("before", "after"), out="run", **how)
    return root


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Path:
    """The same, to be written into."""
    shutil.copytree(made, tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def opened(site: Path) -> Iterator[Callable[..., Panel]]:
    """Open the run of the site in panels, which are closed in the end."""
    panels: list[Panel] = []

    def opener(**options: Any) -> Panel:
        panels.append(Panel(run=site / "run", **{"root": site, **options}))
        panels[-1].wait()
        return panels[-1]

    yield opener
    for one in panels:
        one.close()
    for plugin in loaded_plugins():
        plugin.remove()


def names(panel: Panel) -> list[str]:
    return [one["name"] for one in panel.frames]


def goto(panel: Panel, name: str) -> None:
    panel.index = names(panel).index(name)
    panel.wait()


def watched(panel: Panel) -> FakeViewer:
    viewer = FakeViewer(panel)
    viewer.say("hello")
    panel.wait()
    return viewer


def stored(site: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((site / "run/reviews.json").read_text())["pairs"]
    return found


# Opening


def test_the_pairs_of_a_run_come_worst_first_with_what_it_found(opened: Any) -> None:
    panel = opened()
    assert names(panel) == ["broken.png", "four.png", "two.png", "one.png", "none.png"]
    assert [one["status"] for one in panel.frames] == [
        *("error", "changed", "changed", "changed", "clean")
    ]
    assert [one["count"] for one in panel.frames] == [None, 4, 2, 1, 0]
    assert [one["verdict"] for one in panel.frames] == ["fail", "fail", "fail", "pass", "pass"]
    assert len(panel.run) == 5


def test_nothing_is_computed_before_it_is_looked_at(opened: Any) -> None:
    panel = opened(only="changed")
    assert panel.index == 1, "the first that is shown"
    assert [pair.comparison is None for pair in panel._pairs] == [True, False, True, True, True]
    assert panel._sweep.patch()["filmstrip"]["missing"] == 0


def test_method_preset_and_settings_are_those_of_the_run(site: Path) -> None:
    run = vde.compare_many(
        [(site / "before/one.png", site / "after/one.png")],
        workers=0,
        progress=False,
        method="robust",
        segmenter="none",
        false_alarms=0.5,
        ignore=[(0, 0, 10, 10)],
        nudge=(1.0, 0.0),
    )
    panel = run.panel(root=site)
    panel.wait()
    assert (panel.method, panel.segmenter) == ("robust", "none")
    assert panel.settings["false_alarms"] == 0.5
    assert panel.ignore == [[0, 0, 10, 10]] and panel.nudge == (1.0, 0.0)
    assert panel._strip()["gallery"]["pair"]["remark"] == ""
    panel.close()
    run.delete()


def test_what_is_given_goes_before_what_the_run_says(opened: Any) -> None:
    panel = opened(threshold=90)
    assert panel.threshold == 90 and panel.segmenter == "none"
    assert [one["count"] for one in panel.frames] == [None] * 5, "found with another threshold"
    other = opened(method="ensemble")
    assert other.method == "ensemble" and other.segmenter == "graphcut"


def test_a_run_and_pictures_exclude_each_other(site: Path) -> None:
    with pytest.raises(SettingError, match="run= alone"):
        Panel(scene(), scene(1), run=site / "run")
    with pytest.raises(SettingError, match=r"'chnged' is not .* Did you mean 'changed'"):
        Panel(run=site / "run", only="chnged")
    with pytest.raises(SettingError, match="holds no run"):
        Panel(run=site / "before")


def test_settings_of_a_stranger_are_checked(site: Path) -> None:
    path = site / "run/run.json"
    manifest = json.loads(path.read_text())
    for patch, words in (
        ({"method": "rm -rf"}, "cannot be used"),
        ({"settings": {"threshold": 999}}, "threshold"),
        ({"settings": {"model": "/etc/passwd"}, "method": "normality"}, "give the same as model="),
    ):
        path.write_text(json.dumps(manifest | patch))
        with pytest.raises(SettingError, match=words):
            Panel(run=site / "run", root=site)


def test_plugins_of_a_run_are_named_and_never_imported(site: Path, opened: Any) -> None:
    path, trap = site / "run/run.json", site / "trap.py"
    trap.write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"plugins": [str(trap)]}))
    panel = opened()
    assert "(plugins: trap.py), which are not loaded" in panel._strip()["gallery"]["about"]
    assert not (site / "ran").exists()


def test_only_plugins_that_are_missing_are_told_of(site: Path, opened: Any, tmp_path: Path) -> None:
    path, mine = site / "run/run.json", tmp_path / "mine.py"
    mine.write_text("x = 1")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"plugins": ["mine.py"]}))
    assert "(plugins: mine.py)" in opened()._strip()["gallery"]["about"]
    assert "(plugins" not in opened(plugins=mine)._strip()["gallery"]["about"]
    path.write_text(json.dumps(manifest | {"plugins": [{"a": 1}, *map(str, range(9))]}))
    assert "and 5 more" in opened()._strip()["gallery"]["about"]


def test_plugins_of_a_run_are_told_by_what_is_in_them(
    site: Path, opened: Any, tmp_path: Path
) -> None:
    """Not by their names: there may be another one of that name."""
    path, mine, other = site / "run/run.json", tmp_path / "mine.py", tmp_path / "more" / "mine.py"
    other.parent.mkdir()
    text = "import vde_nb\nvde_nb.anomaly_type('{}')(lambda region: 0.0)\n"
    mine.write_text(text.format("burr"))
    other.write_text(text.format("drip"))

    def about(panel: Panel) -> str:
        return str(panel._strip()["gallery"]["about"]).partition("\n")[2]

    one = vde.load_plugin(mine)
    told = {"plugins": ["mine.py"], "plugin_digests": [one.digest]}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    try:
        assert "lugins" not in about(opened()), "it is loaded already"
        vde.reset_anomaly_types()
        assert "(plugins: mine.py), which are not loaded" in about(opened())
        panel = opened(plugins=other)
        assert "mine.py, of which another version is loaded" in about(panel)
        assert "Plug-ins are loaded that the run did not use (mine.py)" in about(panel)
        vde.load_plugin(other).remove()
        panel.plugins = mine
        assert "lugins" not in about(panel)
    finally:
        vde.load_plugin(mine).remove()
        vde.load_plugin(other).remove()


def test_what_is_found_otherwise_for_lack_of_a_plugin_is_told_so(
    site: Path, opened: Any, tmp_path: Path
) -> None:
    """And not that it was another machine's doing."""
    mine = tmp_path / "mine.py"
    mine.write_text("import vde_nb\nvde_nb.anomaly_type('burr')(lambda region: 1.0)\n")
    path = site / "run/run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"plugins": ["mine.py"]}))
    panel = opened()
    goto(panel, "one.png")
    known = panel._pair.known
    known.row = {**known.row, "types": {"burr": known.row["anomalies"]}}
    panel._done(panel._pair, panel.comparison, panel._request(panel._pair))
    remark = panel._strip()["gallery"]["pair"]["remark"]
    assert "found something else" in remark and "(plugins: mine.py)" in remark
    assert "another kind of machine" not in remark


# Pictures


def test_what_the_run_found_and_what_is_computed_agree(opened: Any) -> None:
    panel = opened()
    for name in SPOTS:
        goto(panel, name)
        assert panel.status == "ready" and panel._strip()["gallery"]["pair"]["remark"] == ""
        row = panel.run.row(panel.shown_row)
        assert len(panel.comparison.anomalies) == row["anomalies"] == SPOTS[name]


def test_that_they_do_not_agree_is_said(site: Path, opened: Any) -> None:
    path = site / "run/results.ndjson"
    path.write_text(path.read_text().replace('"anomalies":4', '"anomalies":7'))
    panel = opened()
    goto(panel, "four.png")
    remark = panel._strip()["gallery"]["pair"]["remark"]
    assert "The run: 7 regions" in remark and "now: 4 regions" in remark


def test_other_settings_are_said_and_leave_when_they_are_taken_back(opened: Any) -> None:
    panel = opened(only="changed")
    panel.threshold = 120
    panel.wait()
    assert "other settings" in panel._strip()["gallery"]["pair"]["remark"]
    panel.reset()
    panel.change(segmenter="none", method="hybrid")
    panel.wait()
    assert panel._strip()["gallery"]["pair"]["remark"] == ""
    panel.ignore = [[0, 0, 20, 20]]
    panel.wait()
    assert "other ignored regions" in panel._strip()["gallery"]["pair"]["remark"]


def test_a_picture_that_was_changed_since_is_not_shown_as_if_it_were_the_runs(
    site: Path, opened: Any
) -> None:
    write(site / "after/two.png", scene(3))
    panel = opened()
    goto(panel, "two.png")
    assert panel.status == "error" and panel.comparison is None
    assert "not what the run has compared" in panel.message
    write(site / "after/two.png", scene(2))
    goto(panel, "one.png")
    goto(panel, "two.png")
    assert panel.status == "ready", "the same bytes again"


def test_a_picture_that_is_gone_is_told(site: Path, opened: Any) -> None:
    (site / "before/two.png").unlink()
    panel = opened()
    goto(panel, "two.png")
    assert panel.status == "error" and "two.png is gone" in panel.message


def test_a_picture_outside_of_the_root_is_not_opened(
    site: Path, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    panel = opened(root=site / "before")
    goto(panel, "two.png")
    assert panel.status == "error"
    assert f"root='{site}/after'" in panel.message and panel._pair is not None
    assert panel._pair.loaded is None


def test_a_link_out_of_the_root_is_not_followed(site: Path, opened: Any) -> None:
    outside = site.parent / "outside.png"
    (site / "after/two.png").rename(outside)
    (site / "after/two.png").symlink_to(outside)
    panel = opened()
    goto(panel, "two.png")
    assert panel.status == "error" and "outside" in panel.message


def test_a_picture_the_run_names_cannot_be_taken_for_a_pair_of_ones_own(
    site: Path, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run from a stranger names is opened through its checks, and in no other way."""
    monkeypatch.chdir(site)
    panel = opened(root=site / "before")
    goto(panel, "two.png")
    panel.open_side("reference", scene())
    panel.wait()
    assert panel.status == "error" and panel._pairs[0].loaded is None


@pytest.mark.parametrize("way", ["side", "both"])
def test_another_reference_can_be_opened_before_the_runs_pair_was_read(
    site: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = Panel(run=site / "run", root=site, only="changed")
    assert panel._pair is not None and panel._pair.loaded is None
    if way == "side":
        panel.open_side("reference", scene())
    else:
        panel.open(reference=scene())
    panel.wait()
    assert panel.status == "ready", panel.message
    assert panel.run is None and len(panel.comparison.anomalies) == 4
    panel.close()
    monkeypatch.chdir(site)
    panel = Panel(run=site / "run", root=site / "before", only="changed")
    panel.open_side("reference", scene())
    panel.wait()
    assert "lies outside of" in panel.message, "the true reason"
    panel.close()


def test_arrays_are_not_kept_by_a_run(tmp_path: Path) -> None:
    run = vde.compare_many([(scene(), scene(1))], workers=0, progress=False, **HOW)
    panel = run.panel(root=tmp_path)
    panel.wait()
    assert panel.status == "error" and "in memory" in panel.message
    panel.close()
    run.delete()


def test_pairs_that_are_the_same_are_told_apart(site: Path) -> None:
    pair = site / "before/one.png", site / "after/one.png"
    run = vde.compare_many([pair, pair, pair], workers=0, progress=False, **HOW)
    panel = run.panel(root=site)
    for at in range(3):
        panel.index = at
        panel.wait()
        assert panel.status == "ready"
    panel.review_pair(1, reviewed=True)
    assert [one["reviewed"] for one in panel.frames] == [False, True, False]
    panel.close()
    run.delete(reviews=True)


def test_relative_paths_begin_where_the_table_lies(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "pairs.csv").write_text("reference,current\nbefore/one.png,after/one.png\n")
    run = vde.compare_many(site / "pairs.csv", workers=0, progress=False, **HOW)
    for root, where in ((site, site.parent), (site, site), (".", site)):
        monkeypatch.chdir(where)
        panel = run.panel(root=root)
        panel.wait()
        assert panel.status == "ready", panel.message
        panel.close()
    run.delete()


def test_files_are_found_below_the_root_only(tmp_path: Path) -> None:
    root = Root(tmp_path / "in")
    (tmp_path / "in").mkdir()
    for place in ("in/a.png", "b.png"):
        (tmp_path / place).write_bytes(b"x")
    bases = [tmp_path / "in"]
    assert located("a.png", root, bases) == (str(tmp_path / "in/a.png"), "")
    for text in ("../b.png", str(tmp_path / "b.png")):
        found, words = located(text, root, bases)
        assert found is None and "lies outside" in words
    for text in ("c.png", "/etc/none.png", "http://x/a.png", "a\0.png", "~nobody/x", ".hidden"):
        found, words = located(text, root, bases)
        assert found is None and "is gone" in words, text
    assert "in memory" in located("", root, bases)[1]


def test_a_damaged_pair_tells_what_the_run_said_and_compares_once_it_is_mended(
    site: Path, opened: Any
) -> None:
    panel = opened()
    assert panel.index == 0 and panel.status == "error"
    assert panel._strip()["gallery"]["pair"]["facts"].startswith("The run failed: ")
    for folder in ("before", "after"):
        write(site / folder / "broken.png", scene())
    goto(panel, "one.png")
    goto(panel, "broken.png")
    assert panel.status == "ready"
    assert "now it can be compared" in panel._strip()["gallery"]["pair"]["remark"]


# Reviews


def test_a_review_is_on_the_disk_at_once_and_there_again(site: Path, opened: Any) -> None:
    panel = opened()
    goto(panel, "two.png")
    identity = panel.shown_row
    panel.review(1, verdict="accepted")
    assert stored(site)[identity]["reviewed"] is False, "one of two"
    panel.review(2, verdict="rejected", type="glare", comment="the lamp")
    assert stored(site)[identity]["reviewed"] is True
    assert all(one["found"] for one in stored(site)[identity]["regions"]), (
        "also what had been found"
    )
    panel.close()
    again = opened()
    assert [one["reviewed"] for one in again.frames] == [False, False, True, False, False]
    goto(again, "two.png")
    said = {one.verdict: one.type for one in again.comparison.anomalies}
    assert set(said) == {"accepted", "rejected"} and said["rejected"] == "glare"
    assert again._strip()["gallery"]["pair"]["remark"] == "", "a relabelled region agrees, too"


def test_a_verdict_taken_back_opens_the_pair_again(site: Path, opened: Any) -> None:
    panel = opened()
    goto(panel, "one.png")
    panel.review(1, verdict="accepted")
    assert panel.frames[panel.index]["reviewed"]
    panel.review(1, verdict=None)
    assert not panel.frames[panel.index]["reviewed"]
    assert stored(site) == {}


def test_a_pair_without_regions_is_marked_by_hand(site: Path, opened: Any) -> None:
    panel = opened()
    at = names(panel).index("none.png")
    panel.review_pair(at, reviewed=True, comment="nothing there")
    identity = panel._pairs[at].known.identity
    assert stored(site)[identity] | {"when": ""} == {
        **{"reviewed": True, "marked": True, "comment": "nothing there", "regions": []},
        "when": "",
    }
    panel.review_pair(at, reviewed=False)
    assert stored(site)[identity]["reviewed"] is False
    with pytest.raises(SettingError, match="no run"):
        panel.review_pair(99, reviewed=True)


def test_a_pair_marked_as_done_stays_so_while_its_regions_are_reviewed(
    site: Path, opened: Any
) -> None:
    panel = opened()
    goto(panel, "two.png")
    panel.review_pair(reviewed=True, comment="seen")
    panel.review(1, verdict="accepted")
    said = stored(site)[panel.shown_row]
    assert (said["reviewed"], said["marked"], said["comment"]) == (True, True, "seen")


def test_a_mark_taken_back_leaves_decided_regions_decided(opened: Any) -> None:
    panel = opened()
    goto(panel, "one.png")
    panel.review_pair(reviewed=True)
    panel.review(1, verdict="accepted")
    panel.review_pair(reviewed=False)
    assert panel.frames[panel.index]["reviewed"]


def test_a_region_marked_by_hand_comes_back_with_its_review(site: Path, opened: Any) -> None:
    panel = opened()
    goto(panel, "none.png")
    panel.prompts = [{"box": [40, 40, 30, 30], "points": []}]
    panel.wait()
    count = len(panel.comparison.anomalies)
    if not count:
        pytest.skip("the segmenter found no outline there")
    panel.review(1, verdict="accepted", comment="overlooked")
    panel.close()
    again = opened()
    goto(again, "none.png")
    assert again.comparison.anomalies[0].comment == "overlooked"
    assert again.frames[again.index]["reviewed"]
    assert stored(site)[again.shown_row]["regions"][0]["origin"] == "prompted"


def test_looking_and_trying_settings_writes_nothing(site: Path, opened: Any) -> None:
    panel = opened()
    goto(panel, "two.png")
    panel.threshold = 90
    panel.wait()
    assert not (site / "run/reviews.json").exists()


def test_reviews_that_cannot_be_written_are_said_and_kept(
    site: Path, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = opened()
    goto(panel, "one.png")

    def full(*_: Any, **__: Any) -> None:
        raise OutputError("No space left.")

    with monkeypatch.context() as patched:
        patched.setattr("vde_nb.batch._reviews.write_atomically", full)
        panel.review(1, verdict="accepted")
    bar = panel._strip()["gallery"]
    assert bar["trouble"] == "Reviews are not saved: No space left." and not bar["saved"]
    assert panel.comparison.anomalies[0].verdict == "accepted"
    panel.review_pair(0, reviewed=True)
    assert panel._strip()["gallery"]["trouble"] == ""
    assert len(stored(site)) == 2, "both are written with the next"


def test_broken_reviews_are_told_and_the_run_can_be_looked_at(site: Path, opened: Any) -> None:
    (site / "run/reviews.json").write_text("{}")
    panel = opened(only="changed")
    assert panel.status == "ready"
    assert "Move it away" in panel._strip()["gallery"]["trouble"]
    panel.review(1, verdict="accepted")
    assert (site / "run/reviews.json").read_text() == "{}"


def test_two_panels_on_one_pair_keep_what_the_other_said(site: Path, opened: Any) -> None:
    mine, yours = opened(only="changed"), opened(only="changed")
    mine.review_pair(comment="a note of mine")
    yours.review_pair(reviewed=True)
    said = stored(site)[mine.shown_row]
    assert (said["comment"], said["marked"]) == ("a note of mine", True)
    assert yours._strip()["gallery"]["pair"]["comment"] == "a note of mine"
    mine.review(1, verdict="accepted")
    yours.review(2, verdict="rejected")
    yours.review(1, comment="yes")
    said = stored(site)[mine.shown_row]
    assert (said["marked"], len(said["regions"])) == (True, 2)
    assert {(one["verdict"], one["comment"]) for one in said["regions"]} == {
        *(("accepted", "yes"), ("rejected", ""))
    }
    assert [one.verdict for one in yours.comparison.anomalies[:2]] == ["accepted", "rejected"]
    mine.ignore = [[150, 110, 5, 5]]
    yours.prompts = [{"box": [40, 40, 30, 30], "points": []}]
    mine.wait()
    yours.wait()
    mine.review(1, verdict=None)
    said = stored(site)[mine.shown_row]
    assert said["edits"]["ignore"] == [[150, 110, 5, 5]] and len(said["edits"]["prompts"]) == 1
    assert sorted(str(one["verdict"]) for one in said["regions"]) == ["None", "rejected"]


def test_the_last_of_two_panels_to_decide_a_region_makes_the_pair_reviewed(
    site: Path, opened: Any
) -> None:
    mine, yours = opened(), opened()
    for panel in (mine, yours):
        goto(panel, "two.png")
    mine.review(1, verdict="accepted")
    yours.review(2, verdict="accepted")
    yours.wait()
    assert stored(site)[yours.shown_row]["reviewed"] is True


def test_a_reviewed_pair_stays_so_when_its_region_is_ignored(site: Path, opened: Any) -> None:
    panel = opened()
    goto(panel, "one.png")
    panel.review(1, verdict="rejected")
    panel.ignore = [[0, 0, 80, 80]]
    panel.wait()
    assert not panel.comparison.anomalies and panel.frames[panel.index]["reviewed"]
    assert stored(site)[panel.shown_row]["reviewed"] is True


def test_a_run_is_opened_again_at_the_first_pair_that_nobody_has_reviewed(opened: Any) -> None:
    panel = opened(only="changed")
    assert names(panel)[panel.index] == "four.png"
    panel.review_pair(reviewed=True)
    panel.close()
    again = opened(only="changed")
    assert names(again)[again.index] == "two.png"
    for index in (2, 3):
        again.review_pair(index, reviewed=True)
    again.close()
    last = opened(only="changed")
    assert names(last)[last.index] == "four.png", "all have been reviewed"


def test_a_pair_that_failed_here_is_among_the_errors(opened: Any) -> None:
    panel = opened()
    gallery = panel._gallery
    gallery._only = "errors"
    assert gallery.first == 0, "in the run"
    gallery.pairs[0].known.row = {**gallery.pairs[0].known.row, "status": "clean"}
    gallery.pairs[0].status = "clean"
    gallery.pairs[3].status = "error"
    assert gallery.first == 3, "as gallery_words.js has it"


def test_the_keys_of_the_run_are_made_once(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = opened(only="changed")._gallery
    keys = gallery.keys(gallery.choice)
    monkeypatch.delattr("vde_nb.panel._gallery.Request")
    assert gallery.keys(gallery.choice) == keys


def test_the_export_has_what_was_said(site: Path, opened: Any) -> None:
    panel = opened(only="changed")
    panel.review(1, verdict="accepted", comment="=1")
    panel.run.reviews.to_csv(site / "reviews.csv")
    text = (site / "reviews.csv").read_text()
    assert "four.png" in text and "accepted" in text and "'=1" in text
    name, data, mime = panel._gallery.export("csv")
    assert (name, mime) == ("reviews.csv", "text/csv") and data.decode().split() == text.split()


# The viewer


def test_the_viewer_is_told_what_is_left(opened: Any) -> None:
    panel = opened(only="changed")
    viewer = watched(panel)
    bar = viewer.state("gallery")
    assert bar["title"] == "run" and bar["filter"] == "changed"
    assert bar["pair"]["name"] == "four.png" and bar["pair"]["facts"].startswith("4 regions")
    items = viewer.state("filmstrip")["items"]
    assert [one["found"] for one in items] == ["error", "changed", "changed", "changed", "clean"]
    viewer.say("pair_review", index=2, run=bar["run"], marked=True)
    told = viewer.last("frame")
    assert (told["index"], told["item"]["reviewed"], told["missing"]) == (2, True, 0)
    viewer.say("pair_review", index=1, run=bar["run"], comment="a note")
    assert viewer.state("gallery")["pair"]["comment"] == "a note"
    assert "reviewed" not in viewer.last("frame")["item"]


def test_what_was_said_of_another_run_goes_nowhere(opened: Any, site: Path) -> None:
    shutil.copytree(site / "run", site / "second")
    panel = opened(only="changed")
    viewer = watched(panel)
    first = viewer.state("gallery")["run"]
    panel.open_run(site / "second", only="changed")
    panel.wait()
    for run in (first, None):
        viewer.say("pair_review", index=1, run=run, marked=True)
        assert "Another run" in viewer.last("announce")["text"]
    assert not list(site.glob("*/reviews.json"))
    viewer.say("pair_review", index=1, run=viewer.state("gallery")["run"], marked=True)
    assert (site / "second/reviews.json").exists() and not (site / "run/reviews.json").exists()
    panel.open(scene(), scene(1))
    panel.wait()
    viewer.say("pair_review", index=0, run=first, marked=True)
    assert not panel.message and "Another run" in viewer.last("announce")["text"]


def test_a_verdict_that_comes_after_the_pair_has_changed_goes_nowhere(
    opened: Any, site: Path
) -> None:
    panel = opened(only="changed")
    viewer = watched(panel)
    before = panel._pair.token
    panel.index = 2
    panel.wait()
    viewer.say("review", number=1, verdict="accepted", token=before)
    assert panel.reviews == [] and not (site / "run/reviews.json").exists()
    assert "Another pair" in viewer.last("announce")["text"]
    viewer.say("review", number=1, verdict="accepted", token=panel._pair.token)
    assert len(panel.reviews) == 1


@pytest.mark.parametrize(
    "content",
    [
        {"index": 99, "marked": True},
        {"index": 0, "marked": "yes"},
        {"index": 0, "comment": 5},
        {"index": -1},
    ],
)
def test_nonsense_of_a_viewer_is_shown_and_changes_nothing(
    opened: Any, site: Path, content: dict[str, Any]
) -> None:
    panel = opened(only="changed")
    viewer = watched(panel)
    viewer.say("pair_review", run=viewer.state("gallery")["run"], **content)
    assert panel.message
    assert not (site / "run/reviews.json").exists()


def test_thumbnails_are_those_the_run_has_drawn(site: Path, opened: Any) -> None:
    for name in ("before", "after"):  # no picture is opened for them
        (site / name / "two.png").unlink()
    panel = opened(only="changed")
    viewer = watched(panel)
    viewer.until(lambda: len(viewer.blobs("thumb")) >= 4)
    data = next(
        bytes(buffers[0])
        for content, buffers in viewer.messages
        if content["kind"] == "blob" and content["key"] == "thumb" and content["meta"]["index"] == 2
    )
    small = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert small is not None and small.shape[:2] == (72, 96), (
        "one of the two pictures, of the shape they have"
    )


def test_a_thumbnail_that_leads_out_of_the_run_is_not_read(site: Path, opened: Any) -> None:
    panel = opened(only="changed")
    known = panel._pairs[1].known
    assert known.thumbnail() is not None
    path = site / "run" / known.row["folder"] / "thumbnail.jpg"
    outside = site.parent / "secret.jpg"
    path.rename(outside)
    path.symlink_to(outside)
    assert known.thumbnail() is None
    path.unlink()
    path.write_bytes(b"\xff\xd8\xff nonsense")
    assert known.thumbnail() is None


def test_a_long_run_is_told_in_parts(opened: Any, site: Path) -> None:
    path = site / "run/results.ndjson"
    row = json.loads(path.read_text().splitlines()[0])
    lines = [
        json.dumps({**row, "id": f"{at:032x}", "number": at + 1, "folder": None, "files": []})
        for at in range(450)
    ]
    path.write_text("\n".join(lines) + "\n")
    panel = opened()
    viewer = watched(panel)
    assert len(viewer.state("filmstrip")["items"]) == 450
    before = len(viewer.all("state"))
    panel.review_pair(3, reviewed=True)
    panel.review_pair(7, reviewed=True)
    assert [one["index"] for one in viewer.all("frame")] == [3, 7]
    assert all(one["item"]["reviewed"] for one in viewer.all("frame"))
    told = [set(one["patch"]) for one in viewer.all("state")[before:]]
    assert told == [{"gallery"}] * 2, "none of the others are gone through"
    panel.threshold = 51
    panel.threshold = 50
    panel.wait()
    told = viewer.state("filmstrip")
    assert "items" not in told and not {3, 7} & {at for at, _ in told["changed"]}, "told before"
    viewer.say("hello")
    assert len(viewer.state("filmstrip")["items"]) == 450, "a page that is loaded again"


def test_more_pairs_than_fit_are_the_worst_and_that_is_said(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vde_nb.panel._gallery.MOST", 3)
    panel = opened()
    assert names(panel) == ["broken.png", "four.png", "two.png"]
    assert "the 3 worst of the 5" in panel._strip()["gallery"]["about"]


def test_opening_other_pictures_leaves_the_run(opened: Any, site: Path) -> None:
    panel = opened(only="changed")
    viewer = watched(panel)
    panel.open(scene(), scene(1))
    panel.wait()
    assert panel.run is None and viewer.state("gallery") is None
    panel.review(1, verdict="accepted")
    assert not (site / "run/reviews.json").exists()
    panel.open_run(site / "run", only="changed")
    panel.wait()
    assert panel.run is not None and viewer.state("gallery")["pair"]["name"] == "four.png"


def test_the_pictures_of_a_run_are_not_exchanged(opened: Any) -> None:
    with pytest.raises(SettingError, match="stay as they were"):
        opened(only="changed").swap()


# Sessions and code


def test_a_session_names_the_run_and_the_pair(opened: Any, site: Path) -> None:
    panel = opened()
    goto(panel, "two.png")
    panel.review(1, verdict="accepted")
    panel.threshold = 70
    panel.wait()
    panel.save_session(site / "session.json")
    document = json.loads((site / "session.json").read_text())
    assert document["run"] == {"folder": "run", "row": panel.shown_row}
    assert document["pairs"] == []
    other = Panel(root=site)
    load_session(other, site / "session.json")
    other.wait()
    assert other.threshold == 70 and other.shown_row == panel.shown_row
    assert "accepted" in [one.verdict for one in other.comparison.anomalies]
    other.close()


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"folder": "../run", "row": ""}, "leads out"),
        ({"folder": "/etc", "row": ""}, "not a path below"),
        ({"folder": "before", "row": ""}, "there is no run"),
        ({"outside": "run"}, "outside the root"),
        ({"folder": "run"}, "row must be text"),
        ("run", "must be an object"),
        ({"folder": "run", "row": "", "x": 1}, "unknown 'x'"),
    ],
)
def test_a_session_opens_runs_below_the_root_only(
    opened: Any, site: Path, run: Any, words: str
) -> None:
    document = session_of(opened()) | {"run": run}
    other = Panel(root=site)
    with pytest.raises(SettingError, match=words):
        restore(other, document)
    assert other.run is None
    other.close()


def test_a_run_outside_of_the_root_is_not_named_by_its_place(opened: Any, site: Path) -> None:
    document = session_of(opened(root=site / "before"))
    assert document["run"]["outside"] == "run" and str(site) not in json.dumps(document["run"])


def test_the_code_says_which_run_the_pair_is_of(
    opened: Any, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    panel = opened(root=".", only="changed")
    code = panel.code()
    assert '# One pair of vde.Panel(run="run", root=".")' in code
    space: dict[str, Any] = {}
    exec(code, space)
    assert len(space["result"].anomalies) == 4


def test_a_run_by_a_model_of_normality_asks_for_that_model(site: Path) -> None:
    rng = np.random.default_rng(0)

    def frame(spots: int = 0) -> Any:
        noisy = scene(spots) + rng.normal(0, 2, (120, 160, 3))
        return np.clip(noisy, 0, 255).astype(np.uint8)

    vde.Normality.fit([frame() for _ in range(5)]).save(site / "scene.safetensors")
    vde.Normality.fit([frame() for _ in range(4)]).save(site / "other.safetensors")
    (site / "frames").mkdir()
    for at in range(3):
        write(site / "frames" / f"{at}.png", frame(at == 1))
    run = vde.compare_many(
        site / "frames",
        out=site / "judged",
        method="normality",
        model=site / "scene.safetensors",
        segmenter="none",
        workers=0,
        progress=False,
    )
    with pytest.raises(SettingError, match="is not the model that the run judges by"):
        run.panel(root=site, model=site / "other.safetensors")
    panel = run.panel(root=site, only="all", model=site / "scene.safetensors")
    panel.wait()
    assert panel.status == "ready", panel.message
    assert panel.method == "normality" and panel._strip()["gallery"]["pair"]["remark"] == ""
    assert [one["count"] for one in panel.frames] == [1, 0, 0]
    panel.close()
    (site / "scene.safetensors").rename(site / "judged/model.safetensors")
    panel = run.panel(root=site)
    panel.wait()
    assert panel.status == "ready", "the model lies in the folder of the run"
    panel.close()


# The pickers


def test_a_run_below_the_root_is_chosen_among_the_pictures(opened: Any, site: Path) -> None:
    from vde_nb.panel._sources import build_sources

    panel = Panel(root=site)
    sources = build_sources(panel, site)
    runs = sources.runs
    assert runs.go.disabled
    runs.browser.go("run")
    assert not runs.go.disabled
    runs.go.click()
    panel.wait()
    assert len(panel.pairs) == 5 and panel.run is not None
    sources.close()
    panel.close()
