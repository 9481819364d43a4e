"""Prompts are checked against the picture they lie in, before a model sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vde_nb.errors import SettingError
from vde_nb.segment._tasks import checked_task
from vde_nb.segment.base import Prompt


def test_a_click_between_pixels_is_on_the_pixel_it_lies_in() -> None:
    """As panels with a zoom send them."""
    points: Any = ((10.9, 5.2, 1), (np.float32(3.5), 19.99, 0.0))
    for prompt in (Prompt(points=points), Prompt((8, 2, 9, 9), points)):
        task = checked_task(prompt, 20, 30, clip=True)
        assert task.prompt.points == ((10, 5, 1), (3, 19, 0))
        assert {type(one) for point in task.prompt.points for one in point} == {int}
        assert all(isinstance(one, int) for one in task.extent)


@pytest.mark.parametrize("point", [(-0.1, 3, 1), (30.0, 3, 1), (3, 20, 1)])
def test_a_click_beside_the_picture_is_refused(point: Any) -> None:
    with pytest.raises(SettingError, match="outside the 30 x 20 picture"):
        checked_task(Prompt(points=(point,)), 20, 30, clip=True)


@pytest.mark.parametrize(
    "prompt",
    [
        {"box": (10**400, 0, 5, 5)},
        {"box": (0, 0, 10**400, 5)},
        {"points": ((10**400, 0, 1),)},
        {"points": ((1e300, 0, 1),)},
    ],
)
def test_numbers_beyond_all_pictures_are_refused(prompt: Any) -> None:
    with pytest.raises(SettingError, match=r"30 x 20 picture|needed are"):
        checked_task(Prompt(**prompt), 20, 30, clip=True)


@pytest.mark.parametrize("reach", [2.5, 2.0, float("nan"), float("inf"), "2", None, -1])
def test_a_reach_is_a_whole_number_of_pixels(reach: Any) -> None:
    with pytest.raises(SettingError, match="whole number"):
        checked_task(Prompt((2, 2, 5, 5), reach=reach), 20, 30, clip=True)
    with pytest.raises(SettingError, match="whole number"):
        checked_task(Prompt(points=((2, 2, 1),), reach=reach), 20, 30, clip=True)


def test_a_reach_may_be_a_number_of_numpys() -> None:
    reach: Any = np.int64(3)
    task = checked_task(Prompt((2, 2, 5, 5), reach=reach), 20, 30, clip=True)
    assert task.frame == (0, 0, 10, 10)
    assert type(task.prompt.reach) is int
