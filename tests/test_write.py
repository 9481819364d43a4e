"""Files appear whole or not at all, and are replaced only when that was asked for."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from vde_nb import OutputError
from vde_nb._write import write_all, write_atomically

links_needed = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_text_is_written_as_utf8_with_its_line_ends(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "ünï.txt", "a\r\nß\n")
    assert path.read_bytes() == "a\r\nß\n".encode()
    assert names(tmp_path) == ["ünï.txt"]


def test_an_existing_file_is_kept_unless_overwriting_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OutputError, match=r"a\.txt exists; pass overwrite=True \(or --overwrite\)"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    write_atomically(path, "new", overwrite=True)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_the_error_is_an_os_error_too(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="exists"):
        (tmp_path / "a").touch()
        write_atomically(tmp_path / "a", b"")


def test_a_file_that_appears_while_we_write_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    flush = os.fsync

    def someone_is_faster(handle: int) -> None:
        path.write_text("theirs")
        flush(handle)

    monkeypatch.setattr(os, "fsync", someone_is_faster)
    with pytest.raises(OutputError, match="exists"):
        write_atomically(path, "ours")
    assert path.read_text() == "theirs"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_exactly_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    path, start = tmp_path / "a.txt", threading.Barrier(8)

    def race(number: int) -> int | None:
        start.wait()
        try:
            write_atomically(path, str(number))
        except OutputError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [one for one in pool.map(race, range(8)) if one is not None]
    assert [path.read_text()] == [str(one) for one in winners]
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "may write to"),
        (errno.EROFS, "may write to"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_a_failure_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(OutputError, match=advice) as caught:
        write_atomically(path, "new", overwrite=True)
    assert str(path) in str(caught.value)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_without_permission_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", failing(errno.EACCES))
    with pytest.raises(OutputError, match="permission denied; choose a folder you may write to"):
        write_atomically(tmp_path / "a.txt", "new")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is a folder"),
        ("missing/a.txt", "there is no folder .*missing"),
        ("x" * 300, "shorter name"),
        ("zero\0byte", "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        write_atomically(tmp_path / name, "new", overwrite=True)
    assert names(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a special file")
def test_a_pipe_or_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="not a regular file"):
        write_atomically(tmp_path / "pipe", "new", overwrite=True)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@links_needed
def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    with pytest.raises(OutputError, match="exists"):
        write_atomically(link, "new")
    write_atomically(link, "new", overwrite=True)
    assert (link.is_symlink(), link.read_text(), real.read_text()) == (False, "new", "old")


@links_needed
def test_a_link_to_nowhere_exists_too(tmp_path: Path) -> None:
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists"):
        write_atomically(link, "new")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.usefixtures("umask")
def test_permissions_are_those_of_open_and_are_kept(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "a.txt", "one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write_atomically(path, "two", overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_several_files_go_into_folders_that_are_made(tmp_path: Path) -> None:
    write_all({tmp_path / "a/b/one": lambda: "1", tmp_path / "a/two": lambda: b"2"})
    assert (tmp_path / "a/b/one").read_text() == "1"
    assert (tmp_path / "a/two").read_text() == "2"
    assert names(tmp_path / "a") == ["b", "two"]


def test_one_existing_file_stops_all_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "two").write_text("old")
    made: list[str] = []
    with pytest.raises(OutputError, match="two exists"):
        write_all({tmp_path / n: lambda n=n: made.append(n) or n for n in ("one", "two")})
    assert made == []
    assert names(tmp_path) == ["two"]


def test_when_making_one_fails_none_appears(tmp_path: Path) -> None:
    def fail() -> str:
        raise KeyError("no such picture")

    with pytest.raises(KeyError):
        write_all({tmp_path / "new/one": lambda: "1", tmp_path / "new/sub/two": fail})
    assert names(tmp_path) == []


def test_when_moving_one_fails_the_moved_ones_go_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_text("old")
    replace = Path.replace

    def full_at_last(self: Path, target: Path) -> Path:
        if target.name == "last":
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full_at_last)
    targets = [tmp_path / name for name in ("old", "first", "last")]
    with pytest.raises(OutputError, match="last cannot be written: no space left"):
        write_all({target: lambda: "new" for target in targets}, overwrite=True)
    assert names(tmp_path) == ["old"]


def test_a_file_in_a_folders_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        write_all({tmp_path / "file" / "one": lambda: "1"})
    assert names(tmp_path) == ["file"]


def test_an_unknown_home_folder_is_said() -> None:
    with pytest.raises(OutputError, match="no_such_user"):
        write_atomically("~no_such_user_here/a.txt", "")
