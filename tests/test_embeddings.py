"""A picture is encoded once: embeddings are kept, and nothing in the folder can break a run."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vde_nb import SettingError
from vde_nb._cache_folder import cache_folder, make_folder
from vde_nb.images import load
from vde_nb.segment import embeddings
from vde_nb.segment._entry import Arrays, Unusable, pack, read
from vde_nb.segment.embeddings import EmbeddingCache, embedding_key, pixels_key, shared

posix = pytest.mark.skipif(os.name == "nt", reason="links and rights as on POSIX")

KEYS = [embedding_key(f"{number:032x}", "m", "w", "p", "float32") for number in range(12)]


def arrays(number: float = 0.0, size: int = 1000) -> Arrays:
    return {"image": np.full((1, size), number, np.float32)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def file_of(folder: Path, key: str) -> Path:
    return folder / f"{key}.safetensors"


def size_of_one(folder: Path) -> int:
    """Bytes of the file that `arrays` makes."""
    EmbeddingCache(folder / "one").put(KEYS[0], arrays())
    return file_of(folder / "one", KEYS[0]).stat().st_size


@pytest.fixture
def cache(tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "kept")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock that the test turns."""
    now = [time.time_ns()]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    return now


# What a picture is known by


def test_one_pixel_makes_another_key_and_so_does_another_shape() -> None:
    image = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
    other = image.copy()
    other[5, 3, 2] ^= 1
    keys = {pixels_key(one) for one in (image, other, image.reshape(4, 6, 3), image[:, ::-1])}
    assert len(keys) == 4


@settings(deadline=None)
@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_a_view_with_gaps_has_the_key_of_its_copy(image: npt.NDArray[np.uint8]) -> None:
    for view in (image[::2], image[:, ::-1], image.transpose(1, 0, 2), np.asfortranarray(image)):
        assert pixels_key(view) == pixels_key(view.copy())


def test_the_key_is_the_one_a_loaded_picture_has() -> None:
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert pixels_key(image) == load(image).key


def test_parts_of_a_key_do_not_run_together() -> None:
    assert embedding_key("a", "bc", "", "", "") != embedding_key("ab", "c", "", "", "")
    assert len({embedding_key(*("x" if i == j else "y" for i in range(5))) for j in range(5)}) == 5


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", "A" * 32, "0" * 15, "0" * 65, "0" * 32 + "\n"]
)
def test_only_a_digest_becomes_a_file_name(cache: EmbeddingCache, key: str) -> None:
    with pytest.raises(SettingError, match="no digest"):
        cache.get(key)
    with pytest.raises(SettingError, match="no digest"):
        cache.put(key, arrays())


# What is kept


def test_the_very_same_arrays_come_from_memory_and_cannot_be_changed(cache: EmbeddingCache) -> None:
    given_arrays = arrays(0.1)
    cache.put(KEYS[0], given_arrays)
    found = cache.get(KEYS[0])
    assert found is not None
    assert found["image"] is given_arrays["image"]
    with pytest.raises(ValueError, match="read-only"):
        found["image"][0] = 1
    found.clear()  # the dictionary is the caller's
    assert cache.get(KEYS[0]) is not None
    assert cache.get(KEYS[1]) is None
    assert cache.note() == ""


def test_another_session_finds_what_this_one_encoded(cache: EmbeddingCache, folder: Path) -> None:
    cache.put(KEYS[0], {"image": np.float32([[0.1, -3]]), "fine": np.float16([[7]])})
    later = EmbeddingCache(folder)
    found = later.get(KEYS[0])
    assert found is not None
    assert {name: array.dtype for name, array in found.items()} == {
        "image": np.float16,
        "fine": np.float16,
    }
    np.testing.assert_array_equal(found["image"], np.float16([[0.1, -3]]))
    assert not found["image"].flags.writeable
    again = later.get(KEYS[0])
    assert again is not None
    assert again["image"] is found["image"]


def test_a_part_of_a_larger_array_does_not_keep_the_rest_alive(cache: EmbeddingCache) -> None:
    batch = np.zeros((8, 1000), np.float32)
    cache.put(KEYS[0], {"image": batch[:1]})
    found = cache.get(KEYS[0])
    assert found is not None
    assert found["image"].base is None
    assert batch.flags.writeable


floats = npst.arrays(
    st.sampled_from([np.float16, np.float32]),
    npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    elements=st.floats(-65504, 65504, width=16),
)
scales = st.sampled_from([1.0, 1e-7, 1e-30, 1e30])


@settings(deadline=None)  # the disk may be busy
@given(
    st.dictionaries(st.text(min_size=1, max_size=5).filter("__metadata__".__ne__), floats), scales
)
def test_arrays_come_back_as_they_were_within_rounding(
    tmp_path_factory: pytest.TempPathFactory, given_arrays: Arrays, scale: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip"
    scaled = {
        name: np.multiply(array, np.float32(scale), out=array.copy())
        if array.dtype == np.float32
        else array
        for name, array in given_arrays.items()
    }
    path.write_bytes(pack(KEYS[0], scaled, {}))
    found = read(path, KEYS[0])
    assert found.keys() == scaled.keys()
    for name, array in scaled.items():
        assert found[name].shape == array.shape
        if array.dtype == np.float16:
            np.testing.assert_array_equal(found[name], array)
        else:
            most = np.abs(array).max(initial=0) * 2.0**-11
            assert np.all(np.abs(found[name].astype(np.float64) - array) <= most)


@pytest.mark.parametrize("value", [65505.0, 1e30, 1e-7])
def test_what_float16_cannot_hold_is_stored_whole(
    cache: EmbeddingCache, folder: Path, value: float
) -> None:
    cache.put(KEYS[0], {"image": np.float32([value, 0]), "other": np.float32([1])})
    found = EmbeddingCache(folder).get(KEYS[0])
    assert found is not None
    np.testing.assert_array_equal(found["image"], np.float32([value, 0]))
    assert (found["image"].dtype, found["other"].dtype) == (np.float32, np.float16)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_an_embedding_that_is_not_finite_is_not_kept(
    cache: EmbeddingCache, folder: Path, bad: float, dtype: type
) -> None:
    cache.put(KEYS[0], {"good": np.zeros(3, dtype), "image": np.array([1, bad], dtype)})
    assert cache.get(KEYS[0]) is None
    assert "not finite" in cache.note()
    assert not folder.exists()


def test_other_numbers_are_refused(cache: EmbeddingCache) -> None:
    with pytest.raises(TypeError, match="image: an embedding is float16 or float32, not float64"):
        cache.put(KEYS[0], {"image": np.zeros(3)})


# Bounds


def test_memory_is_bounded_and_drops_what_was_used_longest_ago(folder: Path) -> None:
    cache = EmbeddingCache(folder, memory_bytes=3 * 4500, disk_bytes=0)
    for number in range(3):
        cache.put(KEYS[number], arrays(number))
    cache.get(KEYS[0])
    cache.put(KEYS[3], arrays(3))
    assert [cache.get(key) is not None for key in KEYS[:4]] == [True, False, True, True]
    assert cache.info()["memory_bytes"] <= 3 * 4500
    cache.put(KEYS[4], arrays(size=10**5))
    assert cache.get(KEYS[4]) is None
    assert not folder.exists()


def test_the_disk_is_bounded_and_drops_what_was_used_longest_ago(
    tmp_path: Path, folder: Path
) -> None:
    limit = 3 * size_of_one(tmp_path)
    cache = EmbeddingCache(folder, disk_bytes=limit)
    for number in range(3):
        cache.put(KEYS[number], arrays(number))
    cache.get(KEYS[0])  # from memory, which is a use all the same
    EmbeddingCache(folder).get(KEYS[1])  # another process
    cache.put(KEYS[3], arrays(3))
    assert names(folder) == sorted(f"{KEYS[number]}.safetensors" for number in (0, 1, 3))
    cache.put(KEYS[3], arrays(4))  # what replaces itself needs no room
    assert len(names(folder)) == 3
    assert cache.info()["bytes"] <= limit


@pytest.mark.parametrize("jump", [-(10**9) * 86400 * 400, 10**9 * 86400 * 400])
def test_a_clock_that_jumps_does_not_change_what_was_used_last(
    tmp_path: Path, folder: Path, clock: list[int], jump: int
) -> None:
    limit = 3 * size_of_one(tmp_path)
    cache = EmbeddingCache(folder, disk_bytes=limit)
    cache.put(KEYS[0], arrays(0))
    clock[0] += jump
    cache.put(KEYS[1], arrays(1))
    clock[0] -= jump
    later = EmbeddingCache(folder, disk_bytes=limit)  # knows nothing of the jump
    later.put(KEYS[2], arrays(2))
    later.get(KEYS[0])
    later.put(KEYS[3], arrays(3))
    later.put(KEYS[4], arrays(4))
    assert names(folder) == sorted(f"{KEYS[number]}.safetensors" for number in (0, 3, 4))


def test_room_is_made_before_writing_and_checked_after_it(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = size_of_one(tmp_path)
    cache = EmbeddingCache(folder, disk_bytes=3 * one)
    for number in range(3):
        cache.put(KEYS[number], arrays(number))
    flush = os.fsync

    def another_process_writes(handle: int) -> None:
        monkeypatch.setattr(os, "fsync", flush)
        entries = [path for path in folder.iterdir() if path.suffix == ".safetensors"]
        assert len(entries) == 2
        other = EmbeddingCache(folder, disk_bytes=3 * one)
        for number in range(4, 7):
            other.put(KEYS[number], arrays(number))
        flush(handle)

    monkeypatch.setattr(os, "fsync", another_process_writes)
    cache.put(KEYS[3], arrays(3))
    assert names(folder) == sorted(f"{KEYS[number]}.safetensors" for number in (3, 5, 6))


def test_an_entry_removed_while_it_is_replaced_is_nobodys_fault(
    cache: EmbeddingCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings.EntryFolder, "_make_room", lambda *_: shutil.rmtree(folder))
    make_folder(folder)
    cache.put(KEYS[0], arrays())
    assert cache.note() == ""


def test_a_single_embedding_above_the_limit_is_kept_in_memory(folder: Path) -> None:
    cache = EmbeddingCache(folder, disk_bytes=1000)
    cache.put(KEYS[0], arrays())
    assert cache.get(KEYS[0]) is not None
    assert "in memory only: the disk's limit is 0.0 MB" in cache.note()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("1.5 GiB", 3 * 2**29), ("500m", 5 * 10**8), ("0", 0), ("", 2**32)],
)
def test_the_limit_is_asked_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, size: int
) -> None:
    monkeypatch.setenv("VDE_NB_CACHE_LIMIT", text)
    cache = EmbeddingCache(folder)
    assert (cache.info()["limit"], cache.note()) == (size, "")
    assert EmbeddingCache(folder, disk_bytes=7).info()["limit"] == 7


@pytest.mark.parametrize("text", ["lots", "-1", "nan", "9" * 400, "4 apples"])
def test_a_limit_that_is_none_is_said_and_the_usual_one_holds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("VDE_NB_CACHE_LIMIT", text)
    cache = EmbeddingCache(folder)
    assert cache.info()["limit"] == 2**32
    assert "is no size; write one such as 4GB or 500MB. 4.3 GB are used." in cache.note()


# What others do to the folder


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    if how == "a bit turned":
        data[-1] ^= 1
    elif how == "a shape changed":
        data[8 : 8 + length] = data[8 : 8 + length].replace(b"[1,1000]", b"[1000,1]")
    elif how == "another name inside":
        data[8 : 8 + length] = data[8 : 8 + length].replace(b'"image"', b'"imagf"')
    elif how == "another version":
        data[8 : 8 + length] = data[8 : 8 + length].replace(b'embedding":"1"', b'embedding":"0"')
    else:
        size = {"empty": 0, "header cut": 20, "numbers cut": len(data) - 1}
        data = {
            "text": bytearray(b"what is this?" * 50),
            "a huge header": bytearray(b"\xff" * 8 + b"{}"),
            "deep JSON": bytearray((10**5).to_bytes(8, "little") + b"[" * 10**5),
        }.get(how) or data[: size.get(how, 0)]
    assert data != path.read_bytes()
    path.write_bytes(data)


@pytest.mark.parametrize(
    "how",
    [
        *("a bit turned", "a shape changed", "another name inside", "another version"),
        *("empty", "header cut", "numbers cut", "text", "a huge header", "deep JSON"),
    ],
)
def test_a_damaged_entry_is_said_and_made_again(
    cache: EmbeddingCache, folder: Path, how: str
) -> None:
    cache.put(KEYS[0], arrays(3))
    damage(file_of(folder, KEYS[0]), how)
    later = EmbeddingCache(folder)
    assert later.get(KEYS[0]) is None
    what = "another version of vde-nb" if how == "another version" else "was damaged"
    assert what in (told := later.note())
    assert "is encoded again" in told
    later.get(KEYS[0])
    assert later.note() == ""  # once
    later.put(KEYS[0], arrays(4))
    found = EmbeddingCache(folder).get(KEYS[0])
    assert found is not None
    assert found["image"][0, 0] == 4


def test_an_entry_under_another_name_is_not_used(cache: EmbeddingCache, folder: Path) -> None:
    cache.put(KEYS[0], arrays())
    file_of(folder, KEYS[0]).rename(file_of(folder, KEYS[1]))
    later = EmbeddingCache(folder)
    assert later.get(KEYS[1]) is None
    assert "belongs to another picture" in later.note()


@pytest.mark.parametrize("array", [np.float16([np.nan]), np.float32([np.inf]), np.int32([1])])
def test_a_file_that_passes_all_checks_but_holds_no_embedding_is_not_used(
    folder: Path, array: npt.NDArray[Any]
) -> None:
    from safetensors.numpy import save

    from vde_nb.segment._entry import _digest

    header = {"vde-nb-embedding": "1", "key": KEYS[0], "content": _digest({"image": array})}
    make_folder(folder)
    file_of(folder, KEYS[0]).write_bytes(save({"image": array}, metadata=header))
    cache = EmbeddingCache(folder)
    assert cache.get(KEYS[0]) is None
    assert "holds" in cache.note()


def test_strange_files_are_neither_used_nor_counted_nor_touched(
    tmp_path: Path, folder: Path
) -> None:
    from safetensors.numpy import save

    make_folder(folder)
    file_of(folder, KEYS[0]).write_bytes(save({"image": np.zeros(900, np.float32)}))
    (folder / "model.safetensors").write_bytes(b"x" * 9000)
    (folder / "README").write_text("mine")
    before = {path: path.read_bytes() for path in folder.iterdir()}

    cache = EmbeddingCache(folder, disk_bytes=2 * size_of_one(tmp_path))
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], arrays(1))
    told = cache.note()
    assert "was not written by vde-nb and is left as it is" in told
    assert str(file_of(folder, KEYS[0])) in told
    for number in range(1, 5):
        cache.put(KEYS[number], arrays(number))
    assert 0 < cache.info()["entries"] <= 2
    assert cache.clear() > 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@posix
def test_links_are_not_followed_out_of_the_folder(
    cache: EmbeddingCache, folder: Path, tmp_path: Path
) -> None:
    cache.put(KEYS[0], arrays(1))
    outside = tmp_path / "outside"
    file_of(folder, KEYS[0]).rename(outside)
    file_of(folder, KEYS[0]).symlink_to(outside)
    data, stamp = outside.read_bytes(), outside.stat().st_mtime_ns
    later = EmbeddingCache(folder)
    assert later.get(KEYS[0]) is None
    later.put(KEYS[0], arrays(2))
    assert later.get(KEYS[0]) is not None
    assert "is a link, a folder or a device and is left as it is" in later.note()
    later.clear()
    assert (outside.read_bytes(), outside.stat().st_mtime_ns) == (data, stamp)
    assert file_of(folder, KEYS[0]).is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a special file")
def test_a_pipe_in_an_entrys_place_is_not_waited_for(folder: Path) -> None:
    make_folder(folder)
    os.mkfifo(file_of(folder, KEYS[0]))
    cache = EmbeddingCache(folder)
    assert cache.get(KEYS[0]) is None
    cache.put(KEYS[0], arrays())
    assert cache.get(KEYS[0]) is not None
    assert stat.S_ISFIFO(file_of(folder, KEYS[0]).stat().st_mode)


def test_the_folder_may_go_while_we_run(cache: EmbeddingCache, folder: Path) -> None:
    cache.put(KEYS[0], arrays(0))
    shutil.rmtree(folder)
    assert cache.get(KEYS[0]) is not None  # from memory
    assert cache.get(KEYS[1]) is None
    cache.put(KEYS[1], arrays(1))
    assert names(folder) == [f"{KEYS[1]}.safetensors"]
    shutil.rmtree(folder)
    assert (cache.clear(), cache.info()["entries"], cache.note()) == (0, 0, "")


def test_an_entry_deleted_by_another_process_is_encoded_again(
    cache: EmbeddingCache, folder: Path
) -> None:
    cache.put(KEYS[0], arrays())
    EmbeddingCache(folder).clear()
    assert cache.get(KEYS[0]) is not None
    assert EmbeddingCache(folder).get(KEYS[0]) is None
    assert names(folder) == []
    assert cache.note() == ""


@posix
def test_an_entry_deleted_in_the_middle_of_reading_is_read_to_its_end(
    cache: EmbeddingCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(KEYS[0], arrays(5))
    opened = os.fdopen

    def delete(*arguments: Any) -> Any:
        file_of(folder, KEYS[0]).unlink()
        return opened(*arguments)

    monkeypatch.setattr(os, "fdopen", delete)
    later = EmbeddingCache(folder)
    found = later.get(KEYS[0])
    assert found is not None
    assert found["image"][0, 0] == 5
    assert later.note() == ""


# What the disk does


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        ("flush", errno.ENOSPC, "no space left on device; free some space or name another folder"),
        ("open", errno.EROFS, "read-only file system; name another folder with VDE_NB_CACHE"),
        ("make", errno.EACCES, "permission denied; name another folder with VDE_NB_CACHE"),
    ],
)
def test_without_a_disk_to_write_to_it_works_and_says_so(
    cache: EmbeddingCache,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    code: int,
    words: str,
) -> None:
    if place == "flush":
        monkeypatch.setattr(os, "fsync", failing(code))
    else:
        monkeypatch.setattr(Path, "open" if place == "open" else "mkdir", failing(code))
    for number in range(2):
        cache.put(KEYS[number], arrays(number))
        assert cache.get(KEYS[number]) is not None
    assert words in (told := cache.note())
    assert "last as long as this process" in told
    assert told.count("cannot be kept") == 1
    cache.put(KEYS[2], arrays(2))
    assert cache.note() == ""  # said once
    assert cache.info()["notes"] == [told]
    monkeypatch.undo()
    assert not folder.exists() or names(folder) == []
    cache.put(KEYS[3], arrays(3))  # and tried again: space may be free by now
    assert EmbeddingCache(folder).get(KEYS[3]) is not None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights do not bind this user")
def test_a_folder_that_may_only_be_read_is_read(cache: EmbeddingCache, folder: Path) -> None:
    cache.put(KEYS[0], arrays())
    folder.chmod(0o500)
    later = EmbeddingCache(folder)
    assert later.get(KEYS[0]) is not None
    later.put(KEYS[1], arrays())
    folder.chmod(0o700)
    assert "permission denied" in later.note()


def test_an_entry_that_may_not_be_read_is_said(
    cache: EmbeddingCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(KEYS[0], arrays())
    monkeypatch.setattr(os, "open", failing(errno.EACCES))
    later = EmbeddingCache(folder)
    assert later.get(KEYS[0]) is None
    assert "cannot be read: permission denied; pictures are encoded again" in later.note()


def test_a_file_in_the_folders_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    cache = EmbeddingCache(tmp_path / "file" / "kept")
    cache.put(KEYS[0], arrays())
    assert cache.get(KEYS[0]) is not None
    assert cache.get(KEYS[1]) is None
    assert "name another folder with VDE_NB_CACHE" in (told := cache.note())
    assert "cannot be read" not in told
    assert (tmp_path / "file").read_text() == "mine"


def test_an_interrupted_write_leaves_nothing(
    cache: EmbeddingCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.put(KEYS[0], arrays())
    assert names(folder) == []


def test_under_the_final_name_there_is_only_a_whole_file(
    cache: EmbeddingCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    flush = os.fsync

    def look(handle: int) -> None:
        seen.append(file_of(folder, KEYS[0]).exists())
        flush(handle)

    monkeypatch.setattr(os, "fsync", look)
    cache.put(KEYS[0], arrays())
    assert seen == [False]
    assert names(folder) == [f"{KEYS[0]}.safetensors"]


def test_what_a_killed_writer_left_is_swept_up_later(cache: EmbeddingCache, folder: Path) -> None:
    make_folder(folder)
    old, fresh = (folder / f".vde-nb-{digit * 16}.tmp" for digit in "01")
    for path in (old, fresh):
        path.write_bytes(b"x" * 100)
    os.utime(old, (0, 0))
    cache.put(KEYS[0], arrays())
    assert (old.exists(), fresh.exists()) == (False, True)  # somebody may be writing the other
    assert cache.get(KEYS[0]) is not None


# Many at once


def test_eight_threads_share_one_cache(tmp_path: Path, folder: Path) -> None:
    one = size_of_one(tmp_path)
    cache = EmbeddingCache(folder, memory_bytes=3 * 4500, disk_bytes=5 * one)
    start = threading.Barrier(8)

    def work(thread: int) -> int:
        start.wait()
        found = 0
        for turn in range(40):
            number = (thread * 5 + turn) % 8
            kept = cache.get(KEYS[number])
            if kept is None:
                cache.put(KEYS[number], arrays(number))
            else:
                assert np.all(kept["image"] == number)
                found += 1
            if turn % 13 == 12:
                file_of(folder, KEYS[number]).unlink(missing_ok=True)
        return found

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) > 0
    assert cache.info()["bytes"] <= 5 * one
    assert cache.info()["memory_bytes"] <= 3 * 4500
    assert cache.note() == ""
    assert all(".tmp" not in name for name in names(folder))


def write_and_read(folder: str, value: int, limit: int) -> str:
    """Run by a process of its own; what went wrong, or how often something was found."""
    found = 0
    for turn in range(60):
        number = turn % 4
        EmbeddingCache(Path(folder), disk_bytes=limit).put(KEYS[number], arrays(value))
        cache = EmbeddingCache(Path(folder), disk_bytes=limit)
        kept = cache.get(KEYS[number])
        if cache.note():
            return "unusable"
        if kept is not None:
            if np.ptp(kept["image"]) or kept["image"][0, 0] not in (1, 2):
                return "mixed"
            found += 1
    return str(found)


def test_two_processes_write_the_same_entries(tmp_path: Path, folder: Path) -> None:
    limit = 3 * size_of_one(tmp_path)
    # "spawn", because a fork of a process with threads may hang
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        waiting = [pool.apply_async(write_and_read, (str(folder), v, limit)) for v in (1, 2)]
        found = [int(one.get(60)) for one in waiting]
    assert min(found) > 0
    cache = EmbeddingCache(folder, disk_bytes=limit)
    assert 0 < cache.info()["bytes"] <= limit
    assert "damaged" not in cache.info()["models"]
    assert all(name.endswith(".safetensors") for name in names(folder))


# The folder


@posix
def test_only_the_owner_may_look_into_a_folder_that_we_made(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache = EmbeddingCache(tmp_path / "a" / "b" / "embeddings")
        cache.put(KEYS[0], arrays())
        for made in ("a", "a/b", "a/b/embeddings"):
            assert stat.S_IMODE((tmp_path / made).stat().st_mode) == 0o700
        (tmp_path / "shared").mkdir(mode=0o750)
        EmbeddingCache(tmp_path / "shared").put(KEYS[0], arrays())
        assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o750
    finally:
        os.umask(before)


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "there"))
    assert cache_folder() == tmp_path / "there"
    assert not cache_folder().exists()
    first = shared()
    assert shared() is first
    assert first.info()["folder"] == str(tmp_path / "there" / "embeddings")
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "elsewhere"))
    assert shared().info()["folder"] == str(tmp_path / "elsewhere" / "embeddings")
    monkeypatch.setenv("VDE_NB_CACHE", "")
    assert cache_folder().is_absolute()
    assert "vde-nb" in str(cache_folder())


def test_a_relative_folder_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VDE_NB_CACHE", "here")
    cache = EmbeddingCache()
    monkeypatch.chdir("/")
    cache.put(KEYS[0], arrays())
    assert file_of(tmp_path / "here" / "embeddings", KEYS[0]).exists()


@posix
def test_an_unknown_home_folder_is_said_and_memory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VDE_NB_CACHE", "~no_such_user_here/cache")
    cache = EmbeddingCache()
    cache.put(KEYS[0], arrays())
    assert cache.get(KEYS[0]) is not None
    assert "no_such_user_here" in (told := cache.note())
    assert "in memory only" in told
    assert (cache.clear(), cache.info()["folder"], repr(cache)) == (0, "", "EmbeddingCache('')")


def test_what_is_kept_is_told_by_model(cache: EmbeddingCache, folder: Path) -> None:
    cache.put(KEYS[0], arrays(), model="sam_vit_b", made="today")
    cache.put(KEYS[1], arrays(), model="sam_vit_b")
    cache.put(KEYS[2], arrays())
    file_of(folder, KEYS[3]).write_bytes(b"half")
    info = cache.info()
    one = file_of(folder, KEYS[2]).stat().st_size
    assert {name: counts["entries"] for name, counts in info["models"].items()} == {
        "damaged": 1,
        "sam_vit_b": 2,
        "unnamed": 1,
    }
    assert info["models"]["damaged"]["bytes"] == 4
    assert info["models"]["unnamed"]["bytes"] == one
    assert (info["entries"], info["memory_entries"]) == (4, 3)
    json.dumps(info)
    assert cache.clear() == info["bytes"]
    assert cache.get(KEYS[0]) is None
    assert cache.info()["memory_bytes"] == 0


def test_words_about_an_entry_may_be_anything(tmp_path: Path) -> None:
    from vde_nb.segment._entry import read_about

    path = tmp_path / "entry"
    path.write_bytes(pack(KEYS[0], arrays(), {"model": 'ünï "\n\0', "key": "x"}))
    assert read_about(path) == {"model": 'ünï "\n\0', "key": "x"}
    assert read(path, KEYS[0])["image"].shape == (1, 1000)
    with pytest.raises(Unusable, match="another picture"):
        read(path, KEYS[1])
