"""Pairs are known by what they show and by what they are called."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.batch.small import small_pair, write_pairs
from vde_nb.batch._identity import Identities, is_as_it_was, stamp_of
from vde_nb.batch._pairs import Given, list_pairs
from vde_nb.images import load_pair


def known(pair: Any, name: str = "x") -> tuple[str, bytes | None]:
    reference, current = pair
    identities, made = Identities(), Given(1, name, reference, current)
    content, _ = identities.content_of(made)
    return identities.name(made, content), content


def test_the_same_pictures_have_the_same_content_whatever_they_are_called() -> None:
    pair = small_pair(0)
    one, two = known(pair, "a"), known(pair, "b")
    assert one[1] == two[1]
    assert one[0] != two[0]


def test_one_pixel_makes_another_content() -> None:
    reference, current = small_pair(0)
    other = current.copy()
    other[0, 0, 0] ^= 1
    assert known((reference, current))[1] != known((reference, other))[1]


def test_a_pair_that_is_given_twice_has_two_identities_the_same_in_every_run() -> None:
    def identities() -> list[str]:
        numbers = Identities()
        return [numbers.name(one, None) for one in list_pairs([("a.png", "b.png")] * 3).pairs]

    assert len(set(identities())) == 3
    assert identities() == identities()


def test_reference_and_current_are_not_interchangeable() -> None:
    one, two = small_pair(0)
    assert known((one, two))[1] != known((two, one))[1]


def test_a_file_its_bytes_and_its_copy_are_the_same(tmp_path: Path) -> None:
    ((one, two),) = write_pairs(tmp_path, 1)
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(two).read_bytes())
    data = Path(one).read_bytes(), Path(two).read_bytes()
    assert known((one, two))[1] == known((one, str(copy)))[1] == known(data)[1]


@given(
    a=st.sampled_from(["|u1", "<u2", "<f4"]),
    b=st.sampled_from([(6, 8, 3), (8, 6, 3), (3, 16, 3), (48, 3)]),
)
def test_bytes_that_mean_another_picture_are_another_content(a: str, b: tuple[int, ...]) -> None:
    data = np.zeros(6 * 8 * 3, np.uint8)
    usual = data.reshape(6, 8, 3)
    other = np.zeros(b, a)
    same = other.shape == usual.shape and other.dtype == usual.dtype
    assert (known((usual, usual))[1] == known((other, other))[1]) == same


def test_pictures_of_pillow_are_known_by_everything_that_decides_how_they_are_read() -> None:
    grey = Image.new("L", (8, 8), 7)
    palette = Image.new("P", (8, 8), 7)
    palette.putpalette([0] * 768)
    red = Image.new("P", (8, 8), 7)
    red.putpalette([255, 0, 0] * 256)
    found = [known((one, one))[1] for one in (grey, palette, red)]
    assert len(set(found)) == 3
    assert known((grey, grey))[1] == known((grey.copy(), grey.copy()))[1]


def test_loaded_pairs_and_lists_of_references_have_content_too() -> None:
    one, two = small_pair(0), small_pair(1)
    pair = load_pair(*one)
    assert known((pair, None))[1] == known((load_pair(*one), None))[1]
    assert known((pair, None))[1] != known((load_pair(*two), None))[1]
    listed = known(([one[0], two[0]], one[1]))[1]
    assert listed not in (None, known(([two[0], one[0]], one[1]))[1])


@pytest.mark.parametrize("source", ["missing.png", ".", "https://x/y.png", object()])
def test_what_cannot_be_read_has_no_content_but_an_identity(source: Any) -> None:
    identity, content = known((source, source))
    assert len(identity) == 32
    assert content is None


def test_a_file_that_serves_many_pairs_is_read_once(tmp_path: Path) -> None:
    ((one, two), (_, other)) = write_pairs(tmp_path, 2)
    for path in (one, two, other):
        os.utime(path, (time.time() - 60, time.time() - 60))
    numbers = Identities()
    numbers.content_of(Given(1, "a", one, two))
    before = numbers.bytes_hashed
    numbers.content_of(Given(2, "b", one, other))
    assert numbers.bytes_hashed - before == Path(other).stat().st_size


def test_a_file_that_is_written_again_is_noticed(tmp_path: Path) -> None:
    ((one, two),) = write_pairs(tmp_path, 1)
    numbers = Identities()
    before, stamps = numbers.content_of(Given(1, "a", one, two))
    assert is_as_it_was(stamps)
    Path(two).write_bytes(Path(one).read_bytes())
    assert not is_as_it_was(stamps)
    assert numbers.content_of(Given(2, "a", one, two))[0] != before
    Path(two).unlink()
    assert stamp_of(two) is None
    assert not is_as_it_was(stamps)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names here")
    os.mkfifo(tmp_path / "pipe.png")
    _, content = known((str(tmp_path / "pipe.png"), small_pair(0)[1]))
    assert content is None


class Raises:
    """A source whose picture cannot be had, for a reason of its own."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("the camera has gone")


@pytest.mark.parametrize("source", [Raises(), [Raises()]])
def test_a_source_that_raises_whatever_has_no_content(source: Any) -> None:
    assert known((source, small_pair(0)[1]))[1] is None


def test_pairs_that_are_wrong_have_no_content_to_share() -> None:
    wrong = list(list_pairs([7, (None, "a.png")]).pairs)
    numbers = Identities()
    assert [numbers.content_of(one) for one in wrong] == [(None, ()), (None, ())]
    assert len({numbers.name(one, None) for one in wrong}) == 2
