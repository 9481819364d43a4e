"""``vde-nb cache``: it counts what is kept, and removes nothing but that."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vde_nb import _cli_cache
from vde_nb.segment.embeddings import EmbeddingCache, embedding_key
from vde_nb.segment.models import MODELS

pytest.importorskip("safetensors")

Run = Callable[..., "tuple[int, str]"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with three embeddings of two models, and weights."""
    home = tmp_path / "cache"
    monkeypatch.setenv("VDE_NB_CACHE", str(home))
    monkeypatch.setenv("VDE_NB_CACHE_LIMIT", "2GB")
    cache = EmbeddingCache()
    for number, model in enumerate(("sam_vit_b", "sam_vit_b", "sam2.1_tiny")):
        key = embedding_key(str(number), model, "", "", "float32")
        cache.put(key, {"image": np.zeros((4, 1000), np.float32)}, model=model)
    for name in ("sam_vit_b_01ec64.pth", "sam_vit_l_0b3195.pth.part", "mine.pth", "digests.json"):
        write(home / "weights" / name)
    for name in ("config.json", "model.safetensors", "model.safetensors.sha256"):
        write(home / "weights" / "sam2.1_tiny" / name)
    return home


def write(path: Path, size: int = 1000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command alone: (status, what it printed)."""

    def run(*words: str) -> tuple[int, str]:
        parser = argparse.ArgumentParser()
        _cli_cache.add_options(parser)
        status = _cli_cache.run(parser.parse_args(words))
        return status, capsys.readouterr().out

    return run


def files(folder: Path) -> list[str]:
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir())
    return [path.relative_to(folder).as_posix() for path in paths]


def test_info_counts_embeddings_by_model_and_weights(home: Path, run: Run) -> None:
    status, out = run("info")
    lines = [line.split() for line in out.splitlines()]
    assert status == 0
    assert lines[0] == [str(home)]
    assert [line[:2] for line in lines[1:4]] == [
        ["embeddings", "3"],
        ["sam2.1_tiny", "1"],
        ["sam_vit_b", "2"],
    ]
    assert lines[1][2:] == ["24.8", "kB", "of", "2.0", "GB"]
    assert lines[4] == ["files", "of", "weights", "6", "6.0", "kB"], "digests.json is none"
    assert len(lines) == 5


def test_info_for_programs(home: Path, run: Run) -> None:
    told = json.loads(run("info", "--json")[1])
    assert told["folder"] == str(home)
    assert told["embeddings"]["entries"] == 3
    assert told["embeddings"]["limit"] == 2 * 10**9
    assert told["embeddings"]["models"]["sam_vit_b"]["entries"] == 2
    assert told["weights"] == {"files": 6, "bytes": 6000}
    assert told["notes"] == []


def test_info_of_a_folder_that_is_not_there_makes_none(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "none"))
    status, out = run("info")
    assert (status, " 0 " in out) == (0, True)
    assert run("clear", "--weights") == (
        0,
        "Freed 0 B: 0 embeddings.\nFreed 0 B: 0 files of weights.\n",
    )
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_written_to_is_said(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "file" / "x"))
    status, out = run("info")
    assert status == 0
    assert f"Note: {tmp_path / 'file' / 'x'} cannot be written to (not a directory)" in out
    (note,) = json.loads(run("info", "--json")[1])["notes"]
    assert "VDE_NB_CACHE names another folder" in note


def test_a_wrong_limit_is_said(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VDE_NB_CACHE_LIMIT", "much")
    assert "Note: VDE_NB_CACHE_LIMIT='much' is no size" in run("info")[1]


def test_clear_removes_embeddings_only_and_says_what_it_freed(home: Path, run: Run) -> None:
    write(home / "embeddings" / "notes.txt")
    weights = files(home / "weights")
    assert run("clear") == (0, "Freed 24.8 kB: 3 embeddings.\n")
    assert files(home / "embeddings") == ["notes.txt"]
    assert files(home / "weights") == weights
    assert run("clear") == (0, "Freed 0 B: 0 embeddings.\n")


def test_clear_with_weights_leaves_what_was_not_downloaded(home: Path, run: Run) -> None:
    write(home / "weights" / "sam2.1_large" / "notes.txt")
    status, out = run("clear", "--weights")
    assert status == 0
    assert "Freed 6.0 kB: 6 files of weights." in out
    assert f"2 files in {home / 'weights'} not from a download: left there." in out
    assert files(home) == ["weights/mine.pth", "weights/sam2.1_large/notes.txt"]
    assert not (home / "weights" / "sam2.1_tiny").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_clear_does_not_follow_links_out_of_the_folder(
    home: Path, run: Run, tmp_path: Path
) -> None:
    for name in ("sam_vit_h_4b8939.pth", "folder/model.safetensors"):
        write(tmp_path / "outside" / name)
    (home / "weights" / "sam_vit_h_4b8939.pth").symlink_to(
        tmp_path / "outside" / "sam_vit_h_4b8939.pth"
    )
    (home / "weights" / "sam2.1_large").symlink_to(tmp_path / "outside" / "folder")
    run("clear", "--weights")
    assert (home / "weights" / "sam_vit_h_4b8939.pth").is_symlink()
    assert files(tmp_path / "outside") == ["folder/model.safetensors", "sam_vit_h_4b8939.pth"]


def test_what_cannot_be_removed_is_said_and_is_status_2(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    before = files(home)
    monkeypatch.setattr(Path, "unlink", fail)
    status, out = run("clear", "--weights")
    assert status == 2
    assert "Freed 0 B: 0 embeddings.\n3 embeddings could not be removed.\n" in out
    assert f"{home / 'weights' / 'sam_vit_b_01ec64.pth'} could not be removed." in out
    assert "1 file in" in out
    assert files(home) == before


def test_a_checkpoint_of_the_users_own_is_not_taken_for_a_download(
    home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    own = replace(MODELS["sam_vit_b"], name="mine", file="mine.pth", path=home / "weights/mine.pth")
    monkeypatch.setitem(MODELS, "mine", own)
    run("clear", "--weights")
    assert files(home / "weights") == ["mine.pth"]


@pytest.mark.parametrize("words", [[], ["clear", "--json"], ["wipe"]])
def test_anything_else_is_refused_before_anything_is_removed(
    home: Path, run: Run, words: list[str]
) -> None:
    before = files(home)
    with pytest.raises(SystemExit):
        run(*words)
    assert files(home) == before


def test_a_command_is_no_part_of_the_circle_it_is_called_from(home: Path) -> None:
    code = (
        "import sys\n"
        "from vde_nb import _cli_cache, _cli_weights\n"
        "from types import SimpleNamespace as Options\n"
        "assert _cli_cache.run(Options(action='info', json=False)) == 0\n"
        "assert _cli_weights.run(Options(action='list')) == 0\n"
        "assert 'vde_nb.cli' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
