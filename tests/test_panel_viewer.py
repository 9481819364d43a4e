"""What goes between panel and viewer, without a browser."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vde_nb as vde
from tests.panel_tools import QUICK, FakeViewer, quick_panel, unpacked, widgets_alive
from vde_nb import samples
from vde_nb.panel import Panel
from vde_nb.panel._uploads import LARGEST, Uploads


@pytest.fixture
def panel() -> Iterator[Panel]:
    made = quick_panel()
    yield made
    made.close()


@pytest.fixture
def viewer(panel: Panel) -> FakeViewer:
    made = FakeViewer(panel)
    made.say("hello")
    made.settle()
    return made


def png(array: Any) -> bytes:
    ok, data = cv2.imencode(".png", np.ascontiguousarray(array[..., ::-1]))
    assert ok
    return data.tobytes()


def picture(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_hello_is_answered_with_everything(panel: Panel, viewer: FakeViewer) -> None:
    found = panel.comparison
    assert viewer.state("threshold") == 50
    assert viewer.state("panel_id").startswith("vde-panel-")
    assert len(viewer.state("panel_id")) == len("vde-panel-") + 8
    pair = viewer.last("pair")["pair"]
    assert (pair["width"], pair["height"], pair["deep"]) == (800, 600, False)
    assert np.array_equal(picture(viewer.blobs("reference")[-1][1]), found.reference)
    assert np.array_equal(picture(viewer.blobs("current")[-1][1]), found.current)
    assert np.array_equal(unpacked(viewer.blobs("clean")[-1][1], (600, 800)), found.clean_heatmap)
    result = viewer.last("result")["result"]
    assert result["token"] == pair["token"]
    assert len(result["anomalies"]) == len(found.anomalies)
    for key, token in result["tokens"].items():
        assert viewer.blobs(key)[-1][0] == token
    counts = viewer.last("counts")["values"]
    assert counts[50] == len(found.anomalies)
    assert viewer.state("filmstrip")["items"][0]["count"] == len(found.anomalies)


def test_every_message_is_json_and_none_is_large(viewer: FakeViewer) -> None:
    for content, buffers in viewer.messages:
        assert len(json.dumps(content, allow_nan=False)) < 1_000_000
        assert all(len(one) <= 3_000_000 for one in buffers)


def test_the_masks_are_those_of_the_anomalies(panel: Panel, viewer: FakeViewer) -> None:
    content, buffers = [one for one in viewer.messages if one[0]["kind"] == "result"][-1]
    bits = np.frombuffer(zlib.decompress(buffers[0]), np.uint8)
    for anomaly, start in zip(panel.comparison.anomalies, content["masks"], strict=True):
        count = anomaly.outline.size
        whole = np.unpackbits(bits[start : start + -(-count // 8)], bitorder="little")[:count]
        assert np.array_equal(whole.reshape(anomaly.outline.shape), anomaly.outline)


def test_regions_that_a_method_groups_are_not_counted_along_the_threshold(
    panel: Panel, viewer: FakeViewer
) -> None:
    before = len(viewer.all("counts"))
    panel.method = "ensemble"
    viewer.settle()
    viewer.until(lambda: viewer.last("result")["result"]["summary"]["method"] == "ensemble")
    viewer.until(lambda: not panel._comparing._worker.busy())
    assert len(viewer.all("counts")) == before


def test_a_panel_nobody_looks_at_packs_nothing(panel: Panel) -> None:
    viewer = FakeViewer(panel)
    panel.wait()
    assert viewer.messages == []
    assert panel._link._packs is None


def test_the_raw_pictures_arrive_before_the_comparison_is_finished(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, go_on = vde.panel._comparing.compared, threading.Event()

    def slow(*arguments: Any) -> Any:
        go_on.wait(5)
        return real(*arguments)

    panel.wait()
    viewer = FakeViewer(panel)
    viewer.say("hello")
    viewer.settle()
    viewer.messages.clear()
    monkeypatch.setattr(vde.panel._comparing, "compared", slow)
    pair = samples.load("label")
    panel.open(pair.reference, pair.current)
    viewer.until(lambda: viewer.blobs("reference") and viewer.blobs("current"))
    assert viewer.all("result") == []
    assert panel.status == "running"
    viewer.until(lambda: viewer.state("progress") is not None)
    go_on.set()
    panel.wait()
    assert viewer.state("progress") is None


def test_a_moved_threshold_resends_no_picture_and_no_map(panel: Panel, viewer: FakeViewer) -> None:
    viewer.messages.clear()
    viewer.say("threshold", value=80, seq=1, final=True)
    viewer.until(lambda: viewer.all("result"))
    assert viewer.all("blob") == []
    result = viewer.last("result")["result"]
    assert (result["threshold"], result["seq"]) == (80, 1)
    assert panel.threshold == 80
    assert panel.comparison.threshold == 80


def test_of_many_thresholds_the_last_is_answered(panel: Panel, viewer: FakeViewer) -> None:
    viewer.messages.clear()
    for seq, value in enumerate(range(60, 100, 2), 1):
        viewer.say("threshold", value=value, seq=seq, final=False)
    viewer.say("threshold", value=98, seq=21, final=True)
    viewer.until(lambda: any(one["result"]["seq"] == 21 for one in viewer.all("result")))
    last = viewer.last("result")["result"]
    assert (last["threshold"], last["seq"]) == (98, 21)
    seqs = [one["result"]["seq"] for one in viewer.all("result")]
    assert seqs == sorted(seqs)


def test_a_threshold_set_by_python_is_told_with_the_last_seq_seen(
    panel: Panel, viewer: FakeViewer
) -> None:
    viewer.say("threshold", value=80, seq=7, final=True)
    panel.threshold = 33
    told = [one for one in viewer.all("state") if "threshold" in one["patch"]][-1]
    assert (told["patch"]["threshold"], told["seq"]) == (33, 7)


def test_a_picture_that_did_not_change_is_not_sent_again(panel: Panel, viewer: FakeViewer) -> None:
    viewer.messages.clear()
    panel.method = "multi_fusion"
    viewer.settle()
    keys = {one["key"] for one in viewer.all("blob")}
    assert keys == {"clean", "heatmap"}
    viewer.messages.clear()
    panel.nudge = (3, 0)
    panel.wait()
    viewer.until(lambda: viewer.all("result"))
    assert "reference" not in {one["key"] for one in viewer.all("blob")}
    assert np.array_equal(picture(viewer.blobs("current")[-1][1]), panel.comparison.current)


def test_a_reloaded_page_gets_all_again_without_any_work(
    panel: Panel, viewer: FakeViewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vde.panel._comparing, "compared", None)
    monkeypatch.setattr(vde.panel._link.payload, "picture_png", None)
    viewer.messages.clear()
    viewer.say("hello")
    kinds = [content["kind"] for content, _ in viewer.messages]
    assert kinds[0] == "pair", "a pair makes the viewer forget the rest"
    assert {"pair", "state", "blob", "result", "counts"} == set(kinds)
    keys = {one["key"] for one in viewer.all("blob")}
    assert keys == {"reference", "current", "clean", "heatmap"}


def test_what_was_packed_ahead_is_sent_once(panel: Panel) -> None:
    viewer = FakeViewer(panel)
    panel._link.expect()
    panel.wait()
    viewer.until(lambda: panel._link._result is not None)
    time.sleep(0.2)  # the pictures are packed, and nobody has been told
    viewer.say("hello")
    viewer.settle()
    for key in ("reference", "current", "clean", "heatmap"):
        assert len(viewer.blobs(key)) == 1


def test_a_page_that_comes_late_gets_all(panel: Panel) -> None:
    panel.threshold = 70
    panel.wait()
    viewer = FakeViewer(panel)
    viewer.say("hello")
    viewer.settle()
    assert viewer.last("result")["result"]["threshold"] == 70
    assert {"reference", "current", "clean"} <= {one["key"] for one in viewer.all("blob")}


def test_pixels_are_answered_at_once_even_while_comparing(
    panel: Panel, viewer: FakeViewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = panel.comparison
    monkeypatch.setattr(vde.panel._comparing, "compared", lambda *_: time.sleep(0.3))
    panel.threshold = 99
    viewer.say("pixel", id="p1", x=30, y=40)
    answer = viewer.last("pixel")
    assert answer["id"] == "p1"
    assert answer["reference"] == found.reference[40, 30].tolist()
    assert answer["heat"] == found.heatmap[40, 30]
    viewer.say("pixel", id="p2", x=-1, y=4000)
    assert "reference" not in viewer.last("pixel")
    panel.cancel()


def test_tiles_are_cut_from_the_picture_the_viewer_means(panel: Panel, viewer: FakeViewer) -> None:
    token = viewer.blobs("reference")[-1][0]
    viewer.say("tile", id="t1", picture="reference", level=1, x=1, y=0, token=token)
    viewer.until(lambda: viewer.all("tile"))
    content, buffers = [one for one in viewer.messages if one[0]["kind"] == "tile"][-1]
    assert content["id"] == "t1"
    assert np.array_equal(picture(bytes(buffers[0])), panel.comparison.reference[:512, 512:])
    viewer.say("tile", id="t2", picture="reference", level=1, x=0, y=0, token="of another picture")
    viewer.say("tile", id="t3", picture="reference", level=1, x=99, y=0, token=token)
    viewer.say(
        "tile", id="t4", picture="current", level=1, x=0, y=0, token=viewer.blobs("current")[-1][0]
    )
    viewer.until(lambda: viewer.last("tile")["id"] == "t4")
    assert [one["id"] for one in viewer.all("tile")] == ["t1", "t4"]
    assert panel.message == ""


def test_edits_of_the_viewer_can_be_undone_by_it(panel: Panel, viewer: FakeViewer) -> None:
    prompts = [{"box": [10, 10, 60, 60], "points": []}]
    viewer.say("edits", prompts=prompts, ignore=[], label="prompt", seq=1)
    viewer.say("edits", prompts=prompts, ignore=[[0, 0, 50.4, 20]], label="ignore", seq=2)
    assert panel.ignore == [[0, 0, 50, 20]]
    assert viewer.state("edits")["can_undo"] is True
    assert viewer.state("edits")["seq"] == 2
    viewer.say("undo")
    assert (panel.prompts, panel.ignore) == (prompts, [])
    viewer.say("redo")
    viewer.say("nudge", dx=1, dy=0)
    viewer.say("nudge", dx=0, dy=-0.5)
    assert panel.nudge == (1.0, -0.5)
    assert viewer.state("edits")["nudge"] == [1.0, -0.5]
    panel.wait()
    assert viewer.state("registration")["nudge"] == [1.0, -0.5]


def test_what_a_person_does_reaches_the_traits(panel: Panel, viewer: FakeViewer) -> None:
    viewer.say("view", view={"mode": "blink", "opacity": 0.7})
    assert (panel.view["mode"], panel.view["opacity"]) == ("blink", 0.7)
    viewer.say("select", number=2)
    assert panel.selected == 2
    viewer.say("select", number=2000)
    assert panel.selected == 0
    viewer.say("review", number=1, verdict="accepted")
    viewer.say("review", number=1, comment="fine")
    panel.wait()
    assert panel.comparison.reviews[0].verdict == "accepted"
    assert panel.comparison.reviews[0].comment == "fine"
    viewer.until(lambda: viewer.last("result")["result"]["anomalies"][0]["comment"] == "fine")
    viewer.say("refine", number=1)
    panel.wait()
    assert len(panel.comparison.prompts) == 1
    viewer.say("auto_align")
    panel.wait()
    assert viewer.state("registration")["model"]


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "threshold", "value": "high", "seq": 1},
        {"kind": "threshold", "value": 999, "seq": 1},
        {"kind": "threshold"},
        {"kind": "edits", "prompts": [{"box": "x"}], "ignore": [], "seq": 1},
        {"kind": "edits", "prompts": None, "ignore": [[1]], "seq": 1},
        {"kind": "edits", "prompts": [{"box": None, "points": [[1e300, 0, 1]]}], "seq": 1},
        {"kind": "nudge", "dx": float("inf"), "dy": 0},
        {"kind": "view", "view": {"mode": "<script>"}},
        {"kind": "view"},
        {"kind": "refine", "number": 77},
        {"kind": "review", "number": 1, "verdict": "perhaps"},
        {"kind": "review", "number": 1, "type": "<img src=x>"},
        {"kind": "goto", "index": -1},
        {"kind": "explain", "on": "yes"},
        {"kind": "pixel", "x": "a", "y": 2},
        {"kind": "upload", "id": 5},
    ],
)
def test_a_message_that_makes_no_sense_is_told_and_breaks_nothing(
    panel: Panel, viewer: FakeViewer, message: dict[str, Any]
) -> None:
    before = panel.comparison
    viewer.panel._incoming.received(message, [])
    assert panel.message
    assert viewer.state("error")["message"] == panel.message
    assert panel.comparison is before
    viewer.say("threshold", value=61, seq=2, final=True)
    assert panel.comparison.threshold == 61


@pytest.mark.parametrize("message", [None, 3, [], {}, {"kind": 5}, {"kind": "no such thing"}])
def test_a_message_of_no_known_kind_is_ignored(
    panel: Panel, viewer: FakeViewer, message: Any
) -> None:
    viewer.panel._incoming.received(message, None)
    assert panel.message == ""


def test_messages_on_another_thread_are_handled_on_the_panels(
    panel: Panel, viewer: FakeViewer
) -> None:
    handled: list[int] = []
    panel.observe(lambda change: handled.append(threading.get_ident()), "threshold")
    other = threading.Thread(target=lambda: viewer.say("threshold", value=72, seq=1, final=True))
    other.start()
    other.join()
    panel._dispatcher.drain()
    assert handled == [threading.get_ident()]
    assert panel.comparison.threshold == 72


def test_an_error_in_words_and_its_dismissal(panel: Panel, viewer: FakeViewer) -> None:
    viewer.say("error", message="The picture cannot be drawn.", details="at stage.js:5")
    assert viewer.state("error")["details"] == "at stage.js:5"
    assert panel.message == "The picture cannot be drawn."
    viewer.say("dismiss")
    assert viewer.state("error") is None
    assert panel.message == ""
    viewer.say("ping", id=9)
    assert viewer.last("pong")["id"] == 9


def test_explaining_sends_the_stages_and_follows_changes(panel: Panel, viewer: FakeViewer) -> None:
    viewer.say("explain", on=True)
    viewer.until(lambda: viewer.blobs("stage"))
    total = [c for c, _ in viewer.messages if c.get("key") == "stage"][-1]["meta"]["total"]
    viewer.until(lambda: len(viewer.blobs("stage")) == total)
    viewer.messages.clear()
    viewer.say("threshold", value=90, seq=1, final=True)
    viewer.until(lambda: len(viewer.blobs("stage")) == total)
    viewer.say("explain", on=False)
    assert viewer.state("explaining") is False
    assert viewer.state("explain") is None


def test_the_filmstrip_gets_its_pictures_little_by_little() -> None:
    pairs = [samples.load(name) for name in ("wall", "tyre", "label")]
    panel = Panel(pairs=pairs, **QUICK)
    viewer = FakeViewer(panel)
    viewer.say("hello")
    viewer.until(lambda: len(viewer.blobs("thumb")) == 3)
    assert viewer.state("filmstrip")["index"] == 0
    assert [one["name"] for one in viewer.state("filmstrip")["items"]] == ["wall", "tyre", "label"]
    viewer.say("goto", index=2)
    panel.wait()
    assert panel.index == 2
    assert viewer.state("filmstrip")["index"] == 2
    viewer.settle()
    assert viewer.last("result")["result"]["token"] == viewer.last("pair")["pair"]["token"]
    viewer.messages.clear()
    viewer.say("hello")
    assert len(viewer.blobs("thumb")) == 3
    panel.close()


def test_an_answer_for_another_pair_is_never_sent() -> None:
    pairs = [samples.load(name) for name in ("wall", "tyre", "label")]
    panel = Panel(pairs=pairs, **QUICK)
    viewer = FakeViewer(panel)
    viewer.say("hello")
    for index in (1, 2, 0, 2, 1):
        viewer.say("goto", index=index)
        panel._dispatcher.pump(lambda: False, 0.03)
    viewer.settle()
    viewer.until(lambda: viewer.all("counts"))
    token = ""
    for content, _ in viewer.messages:
        if content["kind"] == "pair":
            token = content["pair"]["token"] if content["pair"] else ""
        if content["kind"] == "result":
            assert content["result"]["token"] == token
        if content["kind"] == "counts":
            assert content["token"] == token
    panel.close()


# Uploads


def send(viewer: FakeViewer, data: bytes, name: str = "new.png", **changes: Any) -> None:
    size = 1 << 20
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    about = {"id": "u1", "side": "current", "name": name, "size": len(data), "parts": len(parts)}
    for index, part in enumerate(parts):
        viewer.say("upload", part, **{**about, "index": index, **changes})


def test_an_uploaded_picture_is_compared(panel: Panel, viewer: FakeViewer) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
    panel.open(noisy, noisy)
    panel.wait()
    data = png(255 - noisy)
    assert len(data) > 2 << 20
    send(viewer, data, name="../../etc/<b>new</b>.png")
    panel.wait()
    assert viewer.last("uploaded")["ok"] is True
    assert np.array_equal(panel.comparison.pair.current.array, 255 - noisy)
    assert panel.names[1] == "../../etc/<b>new</b>.png"
    assert len(panel._incoming.uploads) == 0


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (b"no picture at all", {}),
        (b"", {}),
        (b"x" * 100, {"size": 99}),
        (b"x" * 100, {"size": 101}),
        (b"x" * 100, {"parts": 2, "index": 1}),
        (b"x" * 100, {"size": LARGEST + 1}),
        (b"x" * 100, {"side": "left"}),
        (b"x" * 100, {"size": -1}),
    ],
)
def test_a_broken_upload_is_told_and_the_old_picture_stays(
    panel: Panel, viewer: FakeViewer, data: bytes, changes: dict[str, Any]
) -> None:
    before = panel.comparison
    send(viewer, data, **changes)
    panel.wait()
    answer = viewer.last("uploaded")
    assert answer["ok"] is False
    assert answer["message"] == panel.message
    assert panel.comparison is before
    assert panel.status == "ready"
    assert len(panel._incoming.uploads) == 0


def test_parts_out_of_order_and_too_many_files_are_refused() -> None:
    uploads = Uploads()

    def part(key: str, index: int, **changes: Any) -> Any:
        about = {"id": key, "side": "current", "name": "a", "size": 30, "parts": 3}
        return uploads.take({**about, "index": index, **changes}, b"x" * 10)

    assert part("a", 0) is None
    assert part("a", 1) is None
    assert part("a", 2)[1].data == b"x" * 30
    part("a", 0)
    with pytest.raises(vde.ImageError, match="did not arrive whole"):
        part("a", 2)
    assert len(uploads) == 0
    for key in "abcd":
        part(key, 0)
    with pytest.raises(vde.ImageError, match="4 files"):
        part("e", 0)
    part("a", 1, name="a")
    with pytest.raises(vde.ImageError):
        part("a", 2, side="reference")
    uploads.drop("b")
    assert part("e", 0) is None


def test_a_cancelled_upload_is_forgotten(panel: Panel, viewer: FakeViewer) -> None:
    viewer.say("upload", b"x" * 5, id="u", side="current", name="a", size=10, parts=2, index=0)
    assert len(panel._incoming.uploads) == 1
    viewer.say("upload_cancel", id="u")
    assert len(panel._incoming.uploads) == 0


def test_the_first_upload_of_an_empty_panel(tmp_path: Path) -> None:
    panel = Panel(**QUICK)
    viewer = FakeViewer(panel)
    viewer.say("hello")
    pair = samples.load("wall")
    send(viewer, png(pair.reference), side="reference", id="r")
    assert viewer.last("uploaded")["ok"] is True
    assert panel.status == "empty"
    send(viewer, b"broken", id="c")
    panel.wait()
    assert viewer.last("uploaded")["ok"] is False
    send(viewer, png(pair.current), id="d")
    assert panel.comparison is not None
    assert viewer.last("uploaded")["ok"] is True
    panel.close()


# In a notebook


class Kernel:
    """What IPython needs to believe that it runs in a notebook, and what was displayed there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        shell = type("Shell", (), {"kernel": object()})()
        monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)
        monkeypatch.setattr("IPython.display.display", self.display)
        monkeypatch.setattr("vde_nb.panel.viewer.esm", lambda entry: "export default {}")
        monkeypatch.setattr("vde_nb.panel.viewer.css", lambda: "")

    def display(self, data: dict[str, Any], raw: bool, display_id: str = "") -> Any:
        assert raw
        self.outputs.append(data)
        return type("Handle", (), {"update": lambda _, new, raw: self.updates.append(new)})()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def test_what_stays_in_a_saved_notebook_is_a_picture_and_a_table(
    panel: Panel, kernel: Kernel
) -> None:
    panel.wait()
    panel._ipython_display_()
    view, static = kernel.outputs
    assert set(view) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert view["text/plain"] == repr(panel)
    html = static["text/html"]
    assert f'class="vde-static vde-static-{panel._id}"' in html
    assert "<img" in html and "<table" in html and "Run this cell to use the panel." in html
    assert len(html) < 400_000


def test_the_saved_picture_follows_when_nothing_changes_any_more(kernel: Kernel) -> None:
    pair = samples.load("wall")
    panel = Panel(**QUICK)
    panel._ipython_display_()
    assert "<img" not in kernel.outputs[1]["text/html"]
    panel.open(pair.reference, pair.current)
    panel.wait()
    assert len(kernel.updates) == 1, "wait() brings it up to date at once"
    for value in (60, 70, 80):
        panel.threshold = value
    panel.wait()
    assert len(kernel.updates) == 2
    panel.wait()
    assert len(kernel.updates) == 2, "nothing changed, nothing is sent"
    panel.close()


def test_a_panel_that_was_waited_for_shows_the_same_every_time(kernel: Kernel) -> None:
    shown = []
    for _ in range(2):
        panel = quick_panel()
        panel.wait()
        panel._ipython_display_()
        shown.append(kernel.outputs[-1]["text/html"].replace(panel._id, "ID"))
        panel.close()
    assert shown[0] == shown[1]


def test_widgets_of_a_closed_panel_are_gone(kernel: Kernel) -> None:
    quick_panel().close()
    before, threads = widgets_alive(), threading.active_count()
    for _ in range(3):
        panel = quick_panel()
        panel._ipython_display_()
        panel._ipython_display_()
        assert len(widgets_alive()) > len(before) + 5
        panel.wait()
        panel.close()
    assert widgets_alive() == before
    deadline = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= threads


def test_the_viewer_has_no_traits_that_would_be_saved(kernel: Kernel, panel: Panel) -> None:
    panel._ipython_display_()
    state = panel.viewer.get_state()
    big = {name for name, value in state.items() if len(str(value)) > 1000}
    assert big <= {"_esm", "_css"}
    panel.wait()
    assert panel.viewer.get_state() == state
