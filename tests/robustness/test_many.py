"""Thousands of comparisons in one process take no more memory than the first few."""

from __future__ import annotations

import pytest

from tests.robustness.tools import needs_linux, python, scaled

#: Compares `count` pairs of their own and prints how many bytes memory grew after the first 200:
#: until then pools of buffers and the arenas of threads fill.
_COMPARE = """
    import gc, sys
    import numpy as np
    import vde_nb
    from tests.robustness.tools import resident
    from vde_nb.stages import StageCache

    how, count = sys.argv[1], int(sys.argv[2])
    settings = {
        "robust": {"method": "robust"},
        "hybrid": {"method": "hybrid"},
        "ensemble": {"method": "ensemble"},
        "semantic": {"method": "semantic", "features": "embedded"},
        "cache": {"method": "hybrid", "cache": StageCache(6 * 2**20)},
        "files": {"method": "hybrid"},
    }[how]
    if how != "cache":
        settings["cache"] = None
    rows, columns = np.mgrid[:96, :128]
    scene = np.dstack([rows * 2, columns * 2, (rows + columns) % 97]).astype(np.uint8)
    level, found = 0, 0
    for number in range(count):
        draw = np.random.default_rng(number)
        pictures = [
            np.clip(scene + draw.normal(0, 2, scene.shape), 0, 255).astype(np.uint8) for _ in "ab"
        ]
        x, y = draw.integers(10, 70, 2)
        pictures[1][y : y + 14, x : x + 20] = 255 - pictures[1][y : y + 14, x : x + 20]
        if how == "files":
            from io import BytesIO
            from vde_nb._png import png
            pictures = [png(one) for one in pictures]
        result = vde_nb.compare(*pictures, **settings)
        found += bool(result.anomalies)
        if number % 50 == 0:  # what a user looks at must not stay either
            result.to_json(), result._repr_html_(), result.to_html(interactive=False)
        del result
        if number == min(200, count // 2):
            gc.collect()
            level = resident()
    gc.collect()
    assert found > 0.9 * count, found
    print(resident() - level)
"""


def grown(how: str, count: int, seconds: float) -> float:
    """Megabytes that memory grew after the first 200 of `count` comparisons."""
    ended = python(_COMPARE, how, count, seconds=seconds)
    assert ended.status == 0, ended.err[-2000:]
    return int(ended.out) / 1e6


@needs_linux
@pytest.mark.parametrize("how", ["hybrid", "cache"])
def test_three_hundred_comparisons_leave_memory_as_it_is(how: str) -> None:
    # One picture kept of each would be 4 MB, a whole comparison 50 MB.
    assert grown(how, 300, 100) < 4


@needs_linux
@pytest.mark.long
@pytest.mark.parametrize("how", ["robust", "hybrid", "ensemble", "semantic", "cache", "files"])
def test_five_thousand_comparisons_leave_memory_as_it_is(how: str) -> None:
    assert grown(how, scaled(5000), 3600) < 25
