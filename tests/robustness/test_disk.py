"""A disk that is full, a folder that cannot be written: an error in words, and nothing half."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import vde_nb
from tests.robustness import seeds
from tests.robustness.test_sharing import KEYS, arrays, changed
from tests.robustness.tools import LINUX, needs_linux, python
from vde_nb._write import write_all, write_atomically
from vde_nb.errors import OutputError
from vde_nb.segment.embeddings import EmbeddingCache

#: Kibibytes of the disk that is full soon.
SIZE = 256


def mount(*arguments: str) -> bool:
    if not LINUX or os.geteuid() != 0:
        return False
    try:
        return (
            subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with `SIZE` KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={SIZE}k", "tmpfs", str(folder)):
        pytest.skip("file systems may not be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def sealed(tiny: Path) -> Path:
    """A disk that cannot be written any more, even by root, with an older result on it."""
    (tiny / "results.json").write_text("{}")
    if not mount("-o", "remount,ro", str(tiny)):
        pytest.skip("file systems may not be mounted read-only here")
    return tiny


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_bsize


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tiny: Path) -> None:
    target = write_atomically(tiny / "results.json", "old")
    with pytest.raises(OutputError, match="free some space"):
        write_atomically(target, b"x" * 1024 * 2 * SIZE, overwrite=True)
    with pytest.raises(OutputError, match="free some space"):
        write_all({tiny / f"{n}.bin": lambda: b"x" * 1024 * (SIZE // 3) for n in range(4)})
    assert [one.name for one in tiny.iterdir()] == ["results.json"]
    assert target.read_text() == "old"
    assert free(tiny) > 1024 * (SIZE - 16)


def test_a_comparison_that_cannot_be_saved_whole_is_not_saved(tiny: Path) -> None:
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    found = vde_nb.compare(noise, 255 - noise, method="hybrid")
    with pytest.raises(OutputError, match="free some space"):
        found.save(tiny / "out")
    assert not list(tiny.iterdir())
    found.to_json(tiny / "results.json")
    assert json.loads((tiny / "results.json").read_text())["anomalies"] is not None


def test_a_full_disk_keeps_embeddings_in_memory_and_says_so(tiny: Path) -> None:
    cache = EmbeddingCache(tiny / "kept", disk_bytes=10**9)
    for number, key in enumerate(KEYS):
        large = {"image": np.full((64, 32, 32), number, np.float16)}
        cache.put(key, large)
    assert "free some space" in cache.note()
    for number, key in enumerate(KEYS):
        kept = cache.get(key)
        assert kept is not None and (kept["image"] == number).all()
    assert cache.note() == ""  # said once
    assert not [one for one in (tiny / "kept").iterdir() if one.suffix == ".tmp"]


def test_a_model_does_not_replace_a_sound_one_on_a_full_disk(tiny: Path) -> None:
    from vde_nb.normality import Normality

    data = seeds.model()
    (tiny / "m.normality.safetensors").write_bytes(data)
    model = Normality.load(tiny / "m.normality.safetensors")
    (tiny / "ballast").write_bytes(bytes(max(0, free(tiny) - 8192)))
    with pytest.raises(OutputError, match="free some space"):
        model.save(tiny / "m", overwrite=True)
    assert (tiny / "m.normality.safetensors").read_bytes() == data


@needs_linux
def test_a_file_size_limit_is_an_error_in_words_too(tmp_path: Path) -> None:
    """Where nothing may be mounted: the system refuses to make a file any longer (RLIMIT_FSIZE)."""
    ended = python(
        """
        import resource, signal, sys
        from pathlib import Path
        from vde_nb import OutputError
        from vde_nb._write import write_atomically
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        target = write_atomically(Path(sys.argv[1]) / "a.bin", b"old")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            write_atomically(target, b"x" * 50_000, overwrite=True)
        except OutputError as error:
            print(type(error).__name__, [one.name for one in target.parent.iterdir()])
        assert target.read_bytes() == b"old"
        """,
        tmp_path,
    )
    assert ended.status == 0, ended.err
    assert ended.out.strip() == "OutputError ['a.bin']"


def test_a_sealed_folder_is_said_and_left_as_it_is(sealed: Path) -> None:
    found = vde_nb.compare(*changed(0), method="hybrid")
    for act in (
        lambda: found.save(sealed, overwrite=True),
        lambda: found.save(sealed / "out"),
        lambda: found.to_json(sealed / "results.json", overwrite=True),
        lambda: found.to_csv(sealed / "a.csv"),
        lambda: found.to_html(sealed / "a.html"),
    ):
        with pytest.raises(OutputError, match="choose a folder you may write to"):
            act()
    assert (sealed / "results.json").read_text() == "{}"


def test_pictures_on_a_sealed_disk_are_compared(tiny: Path) -> None:
    seeds.fill(tiny)
    if not mount("-o", "remount,ro", str(tiny)):
        pytest.skip("file systems may not be mounted read-only here")
    assert vde_nb.compare(tiny / "a.png", tiny / "b.png").anomalies is not None


def test_a_sealed_cache_costs_only_time(sealed: Path) -> None:
    for folder in (sealed, sealed / "below"):
        cache = EmbeddingCache(folder)
        cache.put(KEYS[0], arrays(7))
        assert "name another folder with VDE_NB_CACHE" in cache.note()
        kept = cache.get(KEYS[0])
        assert kept is not None and (kept["image"] == 7).all()
