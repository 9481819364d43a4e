"""Declarations, validation, presets and round trips."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vde_nb.errors import SettingError
from vde_nb.settings import PRESETS, Settings, declarations, resolve


def test_names_are_unique_and_every_setting_says_what_it_is() -> None:
    names = [one.name for one in declarations()]
    assert len(names) == len(set(names))
    for one in declarations():
        assert one.help.endswith(".") and one.range
        assert one.check(one.default) == one.default


def test_an_unknown_name_is_a_type_error_that_lists_the_near_ones() -> None:
    with pytest.raises(TypeError, match=r"no setting 'treshold'\. Did you mean .*'threshold'"):
        resolve(treshold=3)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("threshold", 256, "threshold=256 is not allowed: whole number from 0 to 255"),
        ("threshold", -1, "from 0 to 255"),
        ("threshold", "50", "whole number"),
        ("threshold", True, "whole number"),
        ("threshold", 50.5, "whole number"),
        ("threshold", None, "whole number"),
        ("ssim_weight", float("nan"), "number from 0 to 1"),
        ("ssim_weight", 1.01, "number from 0 to 1"),
        ("fusion_weights", (), "must not be empty"),
        ("fusion_weights", (0.1, 2.0), "list, each a number from 0 to 1"),
        ("fusion_weights", "0.1", "list, each a number"),
        ("colour", "gray", "one of 'grey', 'absolute', 'channels'. Did you mean 'grey'?"),
        ("min_area", -5, "min_area=-5"),
        ("nudge", 3, "nudge=(3.0,) is not allowed: 2 numbers from -1000 to 1000"),
        ("nudge", (1, 2, 3), "nudge=(1.0, 2.0, 3.0) is not allowed: 2 numbers"),
        ("nudge", (1, 1001), "nudge=1001.0 is not allowed: 2 numbers from -1000 to 1000"),
        ("nudge", (1, None), "nudge=None is not allowed: 2 numbers"),
        ("nudge", "12", "nudge='12' is not allowed: 2 numbers"),
        ("max_megapixels", 0, "max_megapixels"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(
    name: str, value: object, words: str
) -> None:
    with pytest.raises(SettingError) as caught:
        resolve(**{name: value})
    assert words in str(caught.value)


def test_numpy_scalars_lists_and_whole_floats_are_taken() -> None:
    made = resolve(threshold=np.int64(60), ssim_weight=np.float32(0.25), thresholds=[10, 20.0])
    assert (made.detect.threshold, made.difference.ssim_weight) == (60, 0.25)
    assert made.detect.thresholds == (10, 20)
    assert type(made.detect.threshold) is int
    assert resolve(thresholds=40).detect.thresholds == (40,)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(SettingError, match=r"no preset 'publised'.*Did you mean 'published'"):
        resolve(preset="publised")


def test_presets_name_only_settings_that_exist() -> None:
    for preset in PRESETS:
        for method in ("robust", "hybrid", "multi_fusion", "ensemble"):
            if (method, preset) != ("robust", "published"):
                assert resolve(method, preset).preset == preset


def test_the_published_notebooks_have_no_robust_method() -> None:
    with pytest.raises(
        SettingError, match=r"no method 'robust': .* hybrid, multi_fusion, ensemble"
    ):
        resolve("robust", "published")
    with pytest.raises(SettingError, match="no method 'robust'"):
        resolve(preset="published")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"align": True}, "auto"),
        ({"align": False}, "off"),
        ({"align": np.bool_(True)}, "auto"),
        ({"align": "affine"}, "affine"),
        ({"normalise": True}, "local"),
        ({"normalise": False}, "off"),
        ({"normalise": "global"}, "global"),
    ],
)
def test_true_and_false_are_choices_where_that_says_something(
    given: dict[str, object], taken: str
) -> None:
    for method in ("robust", "hybrid"):
        assert resolve(method, **given).flat()[next(iter(given))] == taken


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("align", "rigid", "one of 'off', 'auto', 'translation', 'affine', 'homography'"),
        ("align", 1, "align=1"),
        ("align", None, "align=None"),
        ("normalise", "locl", "Did you mean 'local'"),
        ("classifier", True, "classifier=True"),
        ("fit", True, "fit=True"),
        ("flow", "yes", "true or false"),
        ("flow", 1, "true or false"),
        ("antialiasing", "off", "true or false"),
        ("tolerance", 11, "whole number from 0 to 10"),
        ("tolerance", -1, "tolerance=-1"),
        ("false_alarms", 0, "false_alarms=0"),
        ("false_alarms", float("inf"), "false_alarms=inf"),
    ],
)
def test_the_settings_of_registration_and_tolerance_are_checked(
    name: str, value: object, words: str
) -> None:
    with pytest.raises(SettingError) as caught:
        resolve(**{name: value})
    assert words in str(caught.value)


def test_robust_aligns_and_levels_and_the_others_only_when_asked() -> None:
    robust = resolve()
    assert (robust.method, robust.align.align, robust.align.normalise) == (
        "robust",
        "auto",
        "local",
    )
    for method in ("hybrid", "multi_fusion", "ensemble"):
        for preset in PRESETS:
            chosen = resolve(method, preset).align
            assert (chosen.align, chosen.normalise) == ("off", "off")


def test_every_preset_of_robust_is_robust_and_more_or_less_sensitive() -> None:
    sensitive, usual, strict = (
        resolve("robust", one) for one in ("sensitive", "default", "strict")
    )
    for chosen in (sensitive, usual, strict):
        assert chosen.align.align == "auto" and chosen.detect.open_iterations == 0
    for name in ("threshold", "min_area"):
        low, middle, high = (one.flat()[name] for one in (sensitive, usual, strict))
        assert low < middle < high


def test_what_is_given_wins_over_the_preset() -> None:
    assert resolve("hybrid", "strict").detect.threshold == 80
    assert resolve("hybrid", "strict", threshold=90).detect.threshold == 90


def test_a_method_lists_only_what_it_uses() -> None:
    robust = {one.name for one in declarations("robust", "graphcut")}
    assert {"tolerance", "false_alarms", "antialiasing", "threshold", "align"} <= robust
    assert not robust & {"ssim_weight", "fusion_weights", "ssim_overflow", "colour", "thresholds"}
    assert set(resolve("robust").to_dict()) == robust | {"method", "preset"}
    with_model = set(resolve("robust", segmenter="auto").to_dict()) - {"method", "preset"}
    assert with_model == {one.name for one in declarations("robust", "auto")}
    assert with_model - robust == {one.name for one in declarations() if one.model}
    hybrid = {one.name for one in declarations("hybrid", "graphcut")}
    assert "threshold" in hybrid and "thresholds" not in hybrid and "clusters" not in hybrid
    assert not hybrid & {"tolerance", "false_alarms", "antialiasing"}
    assert set(resolve("hybrid").to_dict()) == hybrid | {"method", "preset"}


@given(
    st.sampled_from(["hybrid", "multi_fusion", "ensemble"]),
    st.sampled_from(list(PRESETS)),
    st.integers(0, 255),
    st.floats(0, 1),
    st.lists(st.integers(0, 255), min_size=1, max_size=5),
)
def test_settings_survive_json(
    method: str, preset: str, threshold: int, weight: float, thresholds: list[int]
) -> None:
    made = resolve(method, preset, threshold=threshold, ssim_weight=weight, thresholds=thresholds)
    back = Settings.from_dict(json.loads(json.dumps(made.to_dict())))
    assert back.to_dict() == made.to_dict()


@given(
    st.sampled_from([one for one in PRESETS if one != "published"]),
    st.sampled_from(["off", "auto", "translation", "affine", "homography", True, False]),
    st.sampled_from(["off", "global", "local", True, False]),
    st.booleans(),
    st.integers(0, 10),
    st.floats(0.0001, 100),
)
def test_settings_of_robust_survive_json(
    preset: str, align: object, light: object, flow: bool, tolerance: int, false_alarms: float
) -> None:
    given = {"align": align, "normalise": light, "flow": flow, "antialiasing": flow}
    made = resolve("robust", preset, tolerance=tolerance, false_alarms=false_alarms, **given)
    back = Settings.from_dict(json.loads(json.dumps(made.to_dict())))
    assert back == made
    bare = {key: val for key, val in made.to_dict().items() if key != "method"}
    assert Settings.from_dict(bare) == made, "robust is what is meant where no method is named"


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        resolve().detect.threshold = 3  # type: ignore[misc]


def test_a_nudge_is_two_numbers_and_comes_back_from_json() -> None:
    made = resolve(nudge=[1, np.float32(-2.5)])
    assert made.align.nudge == (1.0, -2.5)
    assert Settings.from_dict(json.loads(json.dumps(made.to_dict()))) == made
