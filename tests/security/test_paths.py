"""No name leads out of the folder it belongs to, neither by dots nor by links."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.robustness import seeds
from tests.robustness.tools import python
from tests.security import hostile
from vde_nb import SettingError, VdeError
from vde_nb.errors import ImageError, OutputError, WeightsError
from vde_nb.panel._files import Root
from vde_nb.panel._session import restore

posix = pytest.mark.skipif(os.name != "posix", reason="needs symbolic links and pipes")

#: Names that lead out, or would on another system.
OUT = (
    *("../secret.png", "sub/../../secret.png", "./../secret.png", "sub/..", ".."),
    *("/etc/passwd", "//etc/passwd", "/", "~/secret.png/../../..", "a\0b.png", "a.png\0"),
    *("C:\\secret.png", "C:secret.png", "\\\\host\\share\\a.png", "\\secret.png"),
    *(".hidden.png", "sub/.hidden/a.png", ".ssh/id_rsa"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two pictures, and one beside it that is nobody's business."""
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    seeds.fill(folder)
    seeds.fill(folder / "sub")
    (tmp_path / "secret.png").write_bytes(seeds.pictures()["png"])
    (folder / ".hidden.png").write_bytes(seeds.pictures()["png"])
    return folder


@pytest.fixture
def links(root: Path) -> list[str]:
    """Names below the root of links that lead out of it."""
    outside = root.parent
    (root / "file.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    (root / "sub" / "up").symlink_to("../..")
    (root / "chain.png").symlink_to("file.png")
    (root / "circle.png").symlink_to("circle.png")
    (root / "device.png").symlink_to("/dev/zero")
    return [
        *("file.png", "folder/secret.png", "sub/up/secret.png", "chain.png", "device.png"),
        *("folder", "folder/root/../secret.png"),
    ]


# The panel's root and sessions


@pytest.mark.parametrize("name", OUT)
def test_the_root_of_a_panel_is_never_left_by_a_name(root: Path, name: str) -> None:
    with pytest.raises(ImageError):
        Root(root).path(name)
    with pytest.raises(ImageError):
        Root(root).list(name)


@posix
def test_the_root_of_a_panel_is_never_left_by_a_link(root: Path, links: list[str]) -> None:
    for name in links:
        with pytest.raises(ImageError):
            Root(root).path(name)
    listed = Root(root).list()
    assert listed.files == ("a.png", "b.png") and listed.folders == ("sub",)


def panel(root: Path) -> Any:
    given: dict[str, Any] = {}
    made = SimpleNamespace(root=root, pairs=[], sources=(None, None), given=given)
    made.restore_state = given.update
    return made


def with_source(name: str, **changes: Any) -> dict[str, Any]:
    session = json.loads(json.dumps(seeds.session()))
    session["pairs"] = [{"reference": {"file": "a.png"}, "current": {"file": name}}]
    return session | changes


def test_a_session_opens_what_lies_below_the_root(root: Path) -> None:
    there = panel(root)
    restore(there, with_source("sub/b.png"))
    assert there.given["pairs"][0][1] == str(root / "sub" / "b.png")


@pytest.mark.parametrize("name", OUT)
def test_a_session_opens_nothing_above_the_root(root: Path, name: str) -> None:
    there = panel(root)
    for session in (with_source(name), with_source("b.png", model={"file": name})):
        with pytest.raises(VdeError):
            restore(there, session)
    assert not there.given


@posix
def test_a_session_follows_no_link_out_of_the_root(root: Path, links: list[str]) -> None:
    there = panel(root)
    for name in links:
        with pytest.raises(VdeError):
            restore(there, with_source(name))
    assert not there.given


# Weights


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "/tmp/a.safetensors", "a/../b.safetensors"]
)
def test_an_index_of_weights_names_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    from vde_nb.segment._identify import weights_in

    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "model.safetensors").write_bytes(seeds.tensors())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    assert weights_in(folder) == []


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "a/b", "", "0" * 8, "A" * 64, "0" * 64 + "/.."]
)
def test_nothing_but_a_digest_becomes_the_name_of_an_embedding(tmp_path: Path, key: str) -> None:
    from vde_nb.segment.embeddings import EmbeddingCache

    with pytest.raises(SettingError):
        EmbeddingCache(tmp_path).get(key)


# Annotations


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "sub/../../secret.png", "a\0b"])
def test_annotations_name_no_picture_elsewhere(root: Path, name: str) -> None:
    from vde_nb.evaluate import load_coco

    document = json.loads(json.dumps(seeds.coco()))
    document["images"][0]["file_name"] = name
    (root / "coco.json").write_text(json.dumps(document))
    with pytest.raises(SettingError):
        load_coco(root / "coco.json")


# What is written


def test_what_is_saved_is_named_by_us_and_not_by_the_picture(tmp_path: Path) -> None:
    found = hostile.comparison("../../evil")
    folder = tmp_path / "deep" / "er" / "out"
    found.save(folder, what=("results", "csv", "coco", "annotated", "masks", "html"))
    made = {path.relative_to(tmp_path).parts[:3] for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {("deep", "er", "out")}


@posix
def test_a_link_in_the_place_of_a_result_is_not_written_through(tmp_path: Path) -> None:
    found = hostile.comparison("a")
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError):
        found.save(tmp_path / "out", what=("results",))
    found.save(tmp_path / "out", what=("results",), overwrite=True)
    assert (tmp_path / "precious").read_text() == "mine"


# Folders of runs

_OPEN = """
    import sys
    from vde_nb import VdeError
    from vde_nb.batch.run import open_run
    try:
        run = open_run(sys.argv[1])
        shown = [row["name"] for row in run.rows()]
        thumbnails = [run.thumbnail(row) for row in run.rows()]
        text = run.to_html() + run._repr_html_() + repr(run) + str(run.summary())
        print(len(shown), sum(one is not None for one in thumbnails), "SECRET" in text)
    except VdeError as error:
        print(type(error).__name__)
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    pytest.importorskip("vde_nb.batch.run")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "thumbnail.jpg").write_bytes(b"\xff\xd8\xffSECRET")
    (tmp_path / "secret" / "rows").write_text('{"SECRET": 1}\n')
    return hostile.run_folder(tmp_path / "run", "a")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "../../../../etc/passwd"),
        ("folder", "../secret"),
        ("folder", "pairs/../../secret"),
        ("folder", "/etc"),
        ("folder", "pairs/00/" + "f" * 32),
        ("files", ["../../../secret/thumbnail.jpg"]),
        ("files", ["/etc/passwd"]),
        ("files", ["masks/../../x"]),
        ("files", ["a\0b"]),
        ("files", [".ssh"]),
        ("same_as", ".." * 16),
    ],
)
def test_a_row_names_no_file_outside_of_its_run(run: Path, key: str, value: Any) -> None:
    from vde_nb.batch._row import checked_row

    row = json.loads((run / "results.ndjson").read_text().splitlines()[0])
    assert checked_row(row)
    with pytest.raises(ValueError):
        checked_row(row | {key: value})


@posix
@pytest.mark.parametrize("what", ["thumbnail", "pair", "pairs", "rows", "reviews"])
def test_no_link_in_the_folder_of_a_run_is_followed(run: Path, what: str) -> None:
    place, secret = run / "pairs" / "00" / f"{1:032x}", run.parent / "secret"
    target, to = {
        "thumbnail": (place / "thumbnail.jpg", secret / "thumbnail.jpg"),
        "pair": (place, secret),
        "pairs": (run / "pairs", secret),
        "rows": (run / "results.ndjson", secret / "rows"),
        "reviews": (run / "reviews.json", secret / "rows"),
    }[what]
    if target.exists():
        target.rename(run.parent / "moved")
    target.symlink_to(to)
    ended = python(_OPEN, run, seconds=60)
    assert ended.status == 0, ended.err[-1500:]
    assert "True" not in ended.out


@posix
@pytest.mark.parametrize("name", ["run.json", "results.ndjson", "journal.ndjson", "reviews.json"])
def test_a_pipe_in_the_folder_of_a_run_is_not_waited_for(run: Path, name: str) -> None:
    (run / name).unlink(missing_ok=True)
    if name == "journal.ndjson":
        (run / "results.ndjson").unlink()
    os.mkfifo(run / name)
    ended = python(_OPEN, run, seconds=30)
    assert ended.status == 0, ended.err[-1500:]


@posix
def test_deleting_a_run_deletes_nothing_else(run: Path) -> None:
    from vde_nb.batch.run import open_run

    secret = run.parent / "secret"
    (run / "pairs" / "00" / "link").symlink_to(secret)
    (run / "mine.txt").write_text("mine")
    (run / "pairs" / "zz").symlink_to(secret)
    with suppress(VdeError):  # it may refuse; what it may not do is take what is not its own
        open_run(run).delete()
    assert (secret / "thumbnail.jpg").is_file() and (secret / "rows").is_file()
    assert (run / "mine.txt").read_text() == "mine"


def test_a_model_is_not_read_from_a_device() -> None:
    from vde_nb.normality import Normality

    if Path("/dev/zero").exists():
        with pytest.raises(WeightsError):
            Normality.load("/dev/zero")
