"""kill -9 at any moment: a file is the old one or the new one, and what was begun goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from tests.robustness.tools import needs_linux, scaled, start
from vde_nb._write import write_all
from vde_nb.segment.embeddings import EmbeddingCache

pytestmark = needs_linux

#: Writes a file over and over, each time with another letter, and says when it begins.
_WRITE = """
    import sys
    from itertools import cycle
    from vde_nb._write import write_atomically
    print("go", flush=True)
    for letter in cycle(b"bcdefgh"):
        write_atomically(sys.argv[1], bytes([letter]) * int(sys.argv[2]), overwrite=True)
"""
#: Writes several files at once, all with the same letter.
_WRITE_ALL = """
    import sys
    from itertools import cycle
    from pathlib import Path
    from vde_nb._write import write_all
    folder = Path(sys.argv[1])
    print("go", flush=True)
    for letter in cycle(b"bcdefgh"):
        data = bytes([letter]) * int(sys.argv[2])
        write_all({folder / f"{n}.bin": lambda data=data: data for n in range(3)}, overwrite=True)
"""
_KEEP = """
    import sys
    from pathlib import Path
    from tests.robustness.test_sharing import KEYS, arrays
    from vde_nb.segment.embeddings import EmbeddingCache
    print("go", flush=True)
    while True:
        for number, key in enumerate(KEYS):
            EmbeddingCache(Path(sys.argv[1]), disk_bytes=30_000).put(key, arrays(number))
"""


def killed(code: str, *arguments: object, after: float) -> None:
    """Run `code`, and kill it so many seconds after it said that it begins."""
    child = start(code, *arguments)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"go\n", child.communicate()[1].decode()[-1500:]
        time.sleep(after)
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == -signal.SIGKILL


def kills(folder: Path, count: int, seed: int) -> None:
    """Kill writers of one file `count` times; the file is whole each time."""
    draw, size = Random(seed), 400_000
    target = folder / "results.json"
    target.write_bytes(b"a" * size)
    for _ in range(count):
        killed(_WRITE, target, size, after=draw.uniform(0, 0.08))
        content = target.read_bytes()
        assert len(content) == size and len(set(content)) == 1
        # At most the one temporary file of the killed writer stays, under a name that tells.
        left = [one.name for one in folder.iterdir() if one != target]
        assert len(left) <= 1 and all(one.startswith(".vde-nb-") for one in left)
        for name in left:
            (folder / name).unlink()


def test_a_file_is_the_old_or_the_new_one_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    kills(tmp_path, 3, seed=os.getpid())


@pytest.mark.long
def test_a_file_is_the_old_or_the_new_one_after_a_hundred_kills(tmp_path: Path) -> None:
    kills(tmp_path, scaled(100), seed=time.time_ns())


@pytest.mark.long
def test_each_of_several_files_is_whole_whenever_their_writer_is_killed(tmp_path: Path) -> None:
    draw = Random(0)
    for number in range(3):
        (tmp_path / f"{number}.bin").write_bytes(b"a" * 300_000)
    for _ in range(scaled(30)):
        killed(_WRITE_ALL, tmp_path, 300_000, after=draw.uniform(0, 0.1))
        for number in range(3):
            content = (tmp_path / f"{number}.bin").read_bytes()
            assert len(content) == 300_000 and len(set(content)) == 1
    write_all({tmp_path / "0.bin": lambda: b"new"}, overwrite=True)
    assert (tmp_path / "0.bin").read_bytes() == b"new"


@pytest.mark.long
def test_a_folder_of_embeddings_survives_a_hundred_kills(tmp_path: Path) -> None:
    from tests.robustness.test_sharing import KEYS

    draw, folder = Random(0), tmp_path / "kept"
    for _ in range(scaled(100)):
        killed(_KEEP, folder, after=draw.uniform(0, 0.1))
        cache = EmbeddingCache(folder, disk_bytes=30_000)
        for number, key in enumerate(KEYS):
            kept = cache.get(key)
            assert kept is None or (kept["image"] == number).all()
        assert cache.note() == ""
    assert "damaged" not in cache.info()["models"]


def test_saving_a_comparison_can_be_repeated_after_a_kill(tmp_path: Path) -> None:
    """What a killed `save` left does not stand in the way of the next one."""
    code = """
        import sys
        import vde_nb
        from tests.robustness.test_sharing import changed
        result = vde_nb.compare(*changed(1), method="hybrid")
        print("go", flush=True)
        while True:
            result.save(sys.argv[1], what=("results", "csv", "annotated"), overwrite=True)
    """
    killed(code, tmp_path, after=0.03)
    child = start(code.replace("while True:", "for _ in range(1):"), tmp_path)
    try:
        _, err = child.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    assert child.returncode == 0, err.decode()[-1500:]
    names = {one.name for one in tmp_path.iterdir() if not one.name.startswith(".vde-nb-")}
    assert {"results.json", "annotated.png"} <= names
