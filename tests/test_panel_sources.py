"""Pictures are picked below the root and nowhere else, and shown by what they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.panel_stand_in import StandIn, picture
from tests.panel_tools import widgets_alive
from vde_nb import ImageError, samples
from vde_nb._decode import ENDINGS
from vde_nb._png import png
from vde_nb._text import natural
from vde_nb.evaluate import load_masks
from vde_nb.images import load
from vde_nb.normality._prepare import sources as normality_sources
from vde_nb.panel import _sources
from vde_nb.panel._files import MOST, Listing, Root, paired
from vde_nb.panel._origin import Sample, Upload, Variable, as_sample, variables
from vde_nb.panel._sources import Sources, build_sources, thumbnail

links_needed = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in ("b10.png", "b9.PNG", "notes.txt", ".secret.png", "sub/c.png"):
        (root / name).write_bytes(png(picture()))
    (tmp_path / "above.png").write_bytes(png(picture()))
    return root


@pytest.fixture
def panel(folder: Path) -> StandIn:
    return StandIn(root=folder)


@pytest.fixture
def sources(panel: StandIn, folder: Path) -> Iterator[Sources]:
    made = build_sources(panel, folder)
    yield made
    made.close()


def pick(sources: Sources, side: str, kind: str) -> Any:
    sources.sides[side].kind.value = kind
    return sources.sides[side].pickers[kind]


# The files


def test_pictures_and_folders_are_listed_as_people_sort_them(folder: Path) -> None:
    assert Root(folder).list() == Listing("", ("sub",), ("b9.PNG", "b10.png"))
    assert Root(folder).list("sub") == Listing("sub", ("deep",), ("c.png",))


def test_a_folder_holds_the_same_pictures_for_everybody(folder: Path) -> None:
    """Panel, models of normality, and masks to measure by: one list of endings."""
    made = [f"{number}{ending}" for number, ending in enumerate(sorted(ENDINGS))]
    for part in ("reference", "current", "masks"):
        (folder / part).mkdir()
        for name in made:
            (folder / part / name.upper()).write_bytes(png(picture()))
    upper = [name.upper() for name in made]
    assert list(Root(folder).list("masks").files) == upper
    assert [Path(name).name for name, _ in normality_sources(folder / "masks")] == upper
    assert {pair.name for pair in load_masks(folder)} == {str(n) for n in range(len(made))}


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_what_is_listed_can_be_opened(tmp_path: Path, ending: str) -> None:
    Image.init()
    kind = Image.registered_extensions().get(ending)
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow cannot write {ending}")
    grey = Image.fromarray(picture()).convert("1" if ending == ".pbm" else "L")
    grey.save(tmp_path / f"a{ending}")
    assert load(tmp_path / f"a{ending}").array.shape == picture().shape


OUTSIDE = ["..", "../above.png", "sub/../../above.png", "/etc/passwd", "sub/..", "C:\\x.png", "\0"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_above_the_root_is_opened(folder: Path, path: str) -> None:
    for action in (Root(folder).path, Root(folder).list, Root(folder).given):
        with pytest.raises(ImageError):
            action(path)


@given(st.lists(st.sampled_from(["..", ".", "sub", "", "a", "/", "\\", "~", "x.png"]), max_size=6))
def test_no_path_made_of_pieces_leads_out(tmp_path_factory: Any, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp()
    try:
        found = Root(root).path("/".join(parts))
    except ImageError:
        return
    assert found.is_relative_to(Path(os.path.realpath(root)))


@links_needed
def test_links_that_leave_the_root_are_neither_listed_nor_followed(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "out.png").symlink_to(tmp_path / "above.png")
    (folder / "up").symlink_to(tmp_path)
    (folder / "in.png").symlink_to(folder / "sub" / "c.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    listing = Root(folder).list()
    assert listing.files == ("b9.PNG", "b10.png", "in.png")
    assert listing.folders == ("sub",)
    for path in ("out.png", "up/above.png", "up"):
        with pytest.raises(ImageError, match="leads out"):
            Root(folder).path(path)


@links_needed
def test_a_root_that_is_a_link_itself_is_fine(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    root = Root(tmp_path / "link")
    assert root.list().folders == ("sub",)
    assert root.relative(root.given("sub/c.png")) == "sub/c.png"
    assert root.relative(folder / "sub" / "c.png") == "sub/c.png"


def test_hidden_files_are_not_opened_by_name_either(folder: Path) -> None:
    for path in (".secret.png", ".hidden", "sub/.x/y.png"):
        with pytest.raises(ImageError, match="hidden"):
            Root(folder).path(path)


def test_a_folder_of_very_many_entries_is_cut_and_says_so(panel: StandIn, folder: Path) -> None:
    for number in range(MOST + 5):
        (folder / "sub" / f"{number}.png").touch()
    listing = Root(folder).list("sub")
    assert listing.cut and len(listing.files) + len(listing.folders) <= MOST
    sources = build_sources(panel, folder)
    browser = pick(sources, "reference", "Files")
    browser.folder.value = "sub"
    assert f"more than {MOST} entries" in browser.note.value
    sources.close()


def test_a_folder_that_is_gone_says_so(folder: Path) -> None:
    with pytest.raises(ImageError, match="does not exist any more"):
        Root(folder).list("gone")
    with pytest.raises(ImageError, match="is not a folder"):
        Root(folder).list("b10.png")


@given(st.lists(st.text()))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural)) == sorted(names)


def test_two_files_of_one_stem_are_not_guessed() -> None:
    one = Listing("a", (), ("1.png", "2.png"))
    two = Listing("b", (), ("1.jpg", "1.tif", "2.jpg"))
    assert paired(one, two) == ([("2.png", "2.jpg")], ["1.png", "1.jpg", "1.tif"])


# Where pictures come from


def test_samples_are_known_again_and_other_arrays_are_not() -> None:
    for name in samples.list():
        assert as_sample(samples.load(name).current) == Sample(name, "current")
    assert as_sample(np.array(samples.load("wall").current)) is None  # somebody may write into it
    assert as_sample("wall") is None and as_sample(picture()) is None


def test_what_is_picked_is_a_source_like_any_other() -> None:
    wanted = samples.load("tyre").reference
    assert load(Sample("tyre", "reference")).array.tobytes() == wanted.tobytes()
    assert load(Variable("a", picture())).array.shape == (60, 80, 3)
    upload = Upload("a.png", png(picture()))
    assert load(upload).array.tobytes() == load(upload).array.tobytes() == picture().tobytes()


def test_only_variables_that_can_be_pictures_are_offered() -> None:
    names = {
        "photo": picture(),
        "grey": np.zeros((9, 9)),
        "_3": picture(),
        "mask": np.zeros((9, 9), bool),
        "stack": np.zeros((4, 9, 9, 3), np.uint8),
        "row": np.zeros(9),
        "text": "photo",
    }
    assert [one.name for one in variables(names)] == ["grey", "photo"]


# The pickers


def test_a_sample_brings_its_partner_along(panel: StandIn, sources: Sources) -> None:
    pick(sources, "reference", "Samples").value = "tyre"
    assert panel.sources == (Sample("tyre", "reference"), Sample("tyre", "current"))
    assert "Sample tyre" in sources.sides["current"].name.value
    assert "800 × 600 px" in sources.sides["current"].size.value


def test_one_file_after_the_other_makes_a_pair(
    panel: StandIn, sources: Sources, folder: Path
) -> None:
    browser = pick(sources, "reference", "Files")
    browser.files.value = "b9.PNG"
    assert panel.sources == (str(folder / "b9.PNG"), None)
    assert "80 × 60 px" in sources.sides["reference"].size.value
    assert "Now choose the current picture" in sources.note.value
    browser = pick(sources, "current", "Files")
    browser.folder.value = "sub"
    browser.files.value = "sub/c.png"
    assert panel.sources == (str(folder / "b9.PNG"), str(folder / "sub" / "c.png"))
    assert not panel.errors


def test_the_way_up_ends_at_the_root(sources: Sources) -> None:
    browser = pick(sources, "reference", "Files")
    browser.folder.value = "sub"
    browser.folder.value = "sub/deep"
    assert "No pictures" in browser.note.value
    browser.folder.value = "sub"
    assert [path for _, path in browser.folder.options] == ["sub", "", "sub/deep"]
    browser.folder.value = ""
    assert [path for _, path in browser.folder.options] == ["", "sub"]


NAMES = [
    "<script>alert(1)<script>.png",
    'it\'s "quoted".png',
    "two\nlines.png",
    "🦀 ä.png",
    "$x^2$.png",
]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_as_the_text_they_are(panel: StandIn, folder: Path, name: str) -> None:
    (folder / name).write_bytes(png(picture()))
    sources = build_sources(panel, folder)
    browser = pick(sources, "reference", "Files")
    assert any(path == name for _, path in browser.files.options)
    assert all("\n" not in words for words, _ in browser.files.options)
    browser.files.value = name
    shown = sources.sides["reference"].name.value
    assert "<script>" not in shown and "mathjax_ignore" in shown
    sources.close()


def test_files_that_cannot_be_read_leave_the_old_pair(
    panel: StandIn, sources: Sources, folder: Path
) -> None:
    pick(sources, "reference", "Samples").value = "tyre"
    before, name = panel.sources, sources.sides["current"].name.value
    browser = pick(sources, "current", "Files")
    (folder / "b9.PNG").unlink()
    (folder / "b10.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    for path in ("b9.PNG", "b10.png"):
        browser.files.value = path
        assert panel.sources == before
        assert sources.sides["current"].name.value == name
    assert [type(error) for _, error in panel.errors] == [ImageError, ImageError]


def test_a_first_picture_that_cannot_be_read_is_told(
    panel: StandIn, sources: Sources, folder: Path
) -> None:
    (folder / "b9.PNG").write_bytes(b"nothing")
    pick(sources, "reference", "Files").files.value = "b9.PNG"
    [(title, error)] = panel.errors
    assert "reference" in title or "picture" in title
    assert "does not look like a picture" in str(error)
    assert "—" in sources.sides["reference"].name.value


def test_variables_of_the_notebook_are_offered_and_copied(
    panel: StandIn, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = picture()
    monkeypatch.setattr(_sources, "_namespace", lambda: {"mine": mine})
    chooser = pick(sources, "reference", "From the notebook")
    assert [words for words, _ in chooser.options] == ["—", "mine, 80 × 60"]
    chooser.value = chooser.options[1][1]
    mine[:] = 0
    assert "mine" in sources.sides["reference"].name.value
    assert np.asarray(panel.sources[0]).max() == 90


def test_swap_swaps(panel: StandIn, sources: Sources) -> None:
    assert sources.swap.disabled
    pick(sources, "reference", "Samples").value = "tyre"
    sources.swap.click()
    assert panel.sources == (Sample("tyre", "current"), Sample("tyre", "reference"))


def test_two_folders_make_pairs_by_name(panel: StandIn, sources: Sources, folder: Path) -> None:
    (folder / "sub" / "b10.png").write_bytes(png(picture(value=100)))
    one, two = sources.pairs.browsers
    assert sources.pairs.go.disabled
    two.folder.value = "sub"
    assert "1 pair of one name; 2 without a partner" in sources.pairs.note.value
    sources.pairs.go.click()
    assert panel.pairs == ((str(folder / "b10.png"), str(folder / "sub" / "b10.png")),)
    assert one.listing.folder == ""


def test_thumbnails_are_small_and_never_enlarged() -> None:
    assert load(thumbnail(picture(600, 1200))).array.shape == (80, 160, 3)
    assert load(thumbnail(picture(20, 30))).array.shape == (20, 30, 3)
    assert load(thumbnail(picture(1, 4000))).array.shape == (1, 160, 3)


def test_close_frees_every_widget(panel: StandIn, folder: Path) -> None:
    known = len(widgets_alive())
    made = build_sources(panel, folder)
    for side in ("reference", "current"):
        for kind in ("Samples", "Files", "From the notebook"):
            pick(made, side, kind)
    made.close()
    assert len(widgets_alive()) == known
    panel.status = "ready"
    assert not panel.errors


# Uploads


class Browser:
    """Sends a file in parts, as the script does."""

    def __init__(self, entry: Any) -> None:
        self.entry, self.answers = entry, []
        entry.send = lambda content, buffers=None: self.answers.append(content)

    def send(self, name: str, data: bytes, size: int | None = None, step: int = 100) -> None:
        parts = max(1, -(-len(data) // step))
        for index in range(parts):
            content = {
                "kind": "upload",
                "id": "1",
                "side": self.entry.side,
                "name": name,
                "size": len(data) if size is None else size,
                "index": index,
                "parts": parts,
            }
            part = memoryview(data[index * step : (index + 1) * step])
            self.entry._receive(self.entry, content, [part])


@pytest.fixture
def entry(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> Browser:
    from vde_nb.viewer import bundle

    monkeypatch.setattr(bundle, "esm", lambda name: "export default { render() {} }")
    monkeypatch.setattr(bundle, "css", lambda: ".vde {}")
    return Browser(pick(sources, "reference", "Upload"))


def test_an_upload_arrives_in_parts(panel: StandIn, sources: Sources, entry: Browser) -> None:
    entry.send("<b>mine</b>.png", png(picture()))
    assert entry.answers == [{"kind": "uploaded", "id": "1", "ok": True, "message": ""}]
    assert "&lt;b&gt;mine" in sources.sides["reference"].name.value
    assert "80 × 60 px" in sources.sides["reference"].size.value


def test_a_broken_upload_is_told_and_changes_nothing(
    panel: StandIn, sources: Sources, entry: Browser
) -> None:
    entry.send("a.png", b"no picture at all" * 20)
    entry.send("b.png", png(picture()), size=7)
    assert [answer["ok"] for answer in entry.answers[:2]] == [False, False]
    assert "a.png does not look like a picture" in entry.answers[0]["message"]
    assert panel.sources == (None, None)


def test_a_picture_of_300_megapixels_is_refused_before_it_is_unpacked(
    panel: StandIn, sources: Sources, entry: Browser
) -> None:
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    entry.send("bomb.png", bomb)
    assert "300" in entry.answers[0]["message"] and not entry.answers[0]["ok"]
