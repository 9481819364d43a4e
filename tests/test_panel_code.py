"""The code that the panel hands out makes exactly what the panel shows."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.panel_stand_in import StandIn, picture
from vde_nb import samples
from vde_nb._png import png
from vde_nb.panel._code import _laid_out, _literal, _quoted, code_of
from vde_nb.panel._origin import Sample, Upload, Variable


def opened(reference: Any, current: Any, **traits: Any) -> StandIn:
    panel = StandIn()
    panel.open(reference, current)
    for name, value in traits.items():
        setattr(panel, name, value)
    return panel


def run(code: str, **names: Any) -> Any:
    scope: dict[str, Any] = dict(names)
    exec(code, scope)
    return scope["result"]


def assert_same(one: Any, two: Any) -> None:
    for name in ("reference", "current", "heatmap", "clean_heatmap", "mask"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert one.settings == two.settings
    assert one.ssim_score == two.ssim_score
    for a, b in zip(one.anomalies, two.anomalies, strict=True):
        assert (a.box, a.type, a.severity, a.score) == (b.box, b.type, b.severity, b.score)
        assert (a.verdict, a.comment, a.origin) == (b.verdict, b.comment, b.origin)
        assert a.outline.tobytes() == b.outline.tobytes()


def test_a_sample_is_loaded_once_and_nothing_needless_is_said() -> None:
    panel = opened(Sample("tyre", "reference"), Sample("tyre", "current"))
    assert code_of(panel) == (
        "import vde_nb as vde\n\n"
        'pair = vde.samples.load("tyre")\n'
        "result = vde.compare(pair.reference, pair.current)\n"
    )
    assert_same(run(code_of(panel)), panel.comparison)


def test_arrays_of_a_sample_are_recognised() -> None:
    pair = samples.load("wall")
    code = code_of(opened(pair.reference, pair.current))
    assert 'vde.samples.load("wall")' in code


def test_two_samples_are_both_loaded() -> None:
    panel = opened(Sample("tyre", "reference"), Sample("board", "current"))
    code = code_of(panel)
    assert 'vde.compare(pair.reference, vde.samples.load("board").current' in code.replace(
        "\n    ", " "
    ).replace("( ", "(")
    assert_same(run(code), panel.comparison)


def test_everything_on_the_screen_is_made_again() -> None:
    panel = opened(Sample("tyre", "reference"), Sample("tyre", "current"))
    found = panel.comparison.anomalies
    panel = opened(
        Sample("tyre", "reference"),
        Sample("tyre", "current"),
        method="hybrid",
        preset="sensitive",
        threshold=44,
        segmenter="none",
        settings={"ssim_weight": 0.35, "min_area": 64},
        nudge=(1.5, -0.5),
        ignore=[[0, 0, 50, 60], [700, 500, 100, 100]],
        prompts=[{"box": [100, 120, 60, 50], "points": [[130, 140, 1], [105, 122, 0]]}],
        reviews=[
            {
                "box": list(found[0].box),
                "verdict": "rejected",
                "type": "stain",
                "comment": 'it\'s "wet"\nonly',
            }
        ],
    )
    code = code_of(panel)
    for part in (
        'method="hybrid"',
        'preset="sensitive"',
        "threshold=44",
        "ssim_weight=0.35",
        "min_area=64",
        "nudge=(1.5, -0.5)",
        "ignore=[(0, 0, 50, 60), (700, 500, 100, 100)]",
        "vde.Prompt(box=(100, 120, 60, 50)",
        "vde.Review(",
    ):
        assert part in code
    assert max(map(len, code.splitlines())) <= 88
    assert_same(run(code), panel.comparison)


def test_what_the_preset_gives_is_not_repeated() -> None:
    panel = opened(
        Sample("tyre", "reference"),
        Sample("tyre", "current"),
        method="hybrid",
        preset="published",
        segmenter="none",
    )
    assert 'vde.compare(pair.reference, pair.current, preset="published")' in code_of(panel)


NAMES = [
    "a.png",
    "it's.png",
    'say "x".png',
    "two\nlines.png",
    "<script>alert(1)<script>.png",
    "🦀 ä.png",
]


@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_name_are_opened_by_the_path_as_given(tmp_path: Path, name: str) -> None:
    changed = picture()
    changed[20:40, 30:60] = 200
    (tmp_path / "r.png").write_bytes(png(picture()))
    (tmp_path / name).write_bytes(png(changed))
    panel = opened(str(tmp_path / "r.png"), str(tmp_path / name), segmenter="none")
    assert_same(run(code_of(panel)), panel.comparison)


def test_arrays_are_placeholders_that_say_what_they_must_hold() -> None:
    one, two = picture(), picture()
    two[20:40, 30:60] = 200
    panel = opened(one, Variable("after", two), threshold=60)
    code = code_of(panel)
    assert "# reference = your array of shape (60, 80, 3), uint8" in code
    assert "# after: the array of your notebook, 80 × 60 pixels" in code
    assert_same(run(code, reference=one, after=two), panel.comparison)


@pytest.mark.parametrize("name", ["vde", "list", "class", "result", "not a name", "pair"])
def test_variables_whose_names_are_taken_become_placeholders(name: str) -> None:
    code = code_of(opened(picture(), Variable(name, picture())))
    assert "# current = your Variable" in code
    ast.parse(code)


def test_a_file_name_cannot_leave_its_comment() -> None:
    upload = Upload("x.png\nimport os; os.abort()  # ", png(picture()))
    code = code_of(opened(picture(), upload))
    statements = ast.parse(code).body
    assert [type(one).__name__ for one in statements] == ["Import", "Assign"]


def test_several_references_are_a_list() -> None:
    one, two = picture(), picture(value=91)
    now = picture()
    now[10:20, 10:20] = 220
    panel = opened([one, two], now)
    assert_same(run(code_of(panel), reference=one, reference_2=two, current=now), panel.comparison)


def test_an_empty_panel_has_no_code_but_says_so() -> None:
    code = code_of(StandIn())
    assert "No pictures" in code
    ast.parse(code)


@given(st.text())
def test_text_of_any_kind_is_quoted_as_itself(text: str) -> None:
    assert ast.literal_eval(_quoted(text)) == text
    assert "\n" not in _quoted(text)


values = st.recursive(
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.lists(inner, max_size=6).map(tuple),
    max_leaves=30,
)


@given(values)
def test_values_are_laid_out_as_themselves(value: Any) -> None:
    written = _laid_out(_literal(value), 0, 9)
    assert ast.literal_eval(written) == value


def test_long_lists_take_a_line_an_item() -> None:
    value = [(100 + n, 200, 300, 400) for n in range(8)]
    written = _laid_out(_literal(value), 0, 9)
    assert len(written.splitlines()) == 10
    assert written.splitlines()[1] == "    (100, 200, 300, 400),"


def test_pictures_of_two_sizes_say_their_own() -> None:
    big = np.kron(picture(), np.ones((2, 2, 1), np.uint8))
    code = code_of(opened(picture(), Variable("big", big)))
    assert "# big: the array of your notebook, 160 × 120 pixels" in code


def test_the_code_of_a_real_panel_makes_what_it_shows() -> None:
    import vde_nb as vde

    pair = samples.load("tyre")
    panel = vde.Panel(pair.reference, pair.current, method="multi_fusion", segmenter="none")
    panel.threshold = 40
    panel.ignore = [[0, 0, 50, 60]]
    panel.nudge = (1.5, 0)
    panel.prompts = [{"box": [100, 120, 60, 50], "points": [[130, 140, 1]]}]
    panel.review(1, verdict="accepted", comment="seen")
    code = panel.code()
    assert "thresholds=(40, 60, 80)" in code and "nudge=(1.5, 0.0)" in code
    assert_same(run(code), panel.comparison)
    panel.close()


@pytest.mark.parametrize(
    "name", ["burrs.py", 'a"; import os; os.abort(); ".py', "C:\\new\\b.py", "a\nb"]
)
def test_plugins_are_named_as_they_were_given_and_stay_strings(name: str) -> None:
    panel = opened(Sample("tyre", "reference"), Sample("tyre", "current"))
    for names in ((name,), (name, "more")):
        panel.plugin_names = names
        (call,) = (
            one
            for one in ast.walk(ast.parse(code_of(panel)))
            if isinstance(one, ast.Call) and ast.unparse(one.func) == "vde.compare"
        )
        (named,) = (one.value for one in call.keywords if one.arg == "plugins")
        assert ast.literal_eval(named) == (name if len(names) == 1 else [*names])
