"""Features are chosen by name, whether they are embedded, a model's or a function's."""

from __future__ import annotations

import argparse
import functools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vde_nb import _cli_weights
from vde_nb.compare import compare
from vde_nb.errors import MissingExtraError, SettingError, WeightsError
from vde_nb.features import (
    PatchFeatures,
    _user,
    add_features,
    check_features,
    choose_features,
    choosing,
    describe_features,
    feature_entries,
    named_features,
    open_features,
    remove_features,
)
from vde_nb.features._tiles import MOST_TILES, _spans, affordable, plan
from vde_nb.features.models import FEATURE_MODELS, is_feature_model, timm_model
from vde_nb.segment import weights
from vde_nb.segment.models import MODELS
from vde_nb.segment.weights import all_models, find, obtain
from vde_nb.settings import DifferenceSettings

VARIABLES = (
    "VDE_NB_WEIGHTS",
    "HF_HUB_OFFLINE",
    "HF_ENDPOINT",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No weights but those a test puts somewhere, no network, and nothing left behind."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VDE_NB_OFFLINE", "1")
    monkeypatch.setattr(_user, "_given", {})  # as in a session that has only just begun
    yield
    for name in _user.functions():
        remove_features(name)


def picture(height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def blocks(image: np.ndarray) -> np.ndarray:
    """Means of blocks of ten pixels."""
    height, width = image.shape[0] // 10, image.shape[1] // 10
    return image[: height * 10, : width * 10].reshape(height, 10, width, 10, 3).mean((1, 3))


# --- a function of one's own


def test_a_function_describes_a_picture_on_cells_that_share_it_out() -> None:
    add_features("blocks", blocks, title="Blocks", positional=True)
    found = open_features("blocks")(picture(40, 57))
    assert found.values.shape == (4, 5, 3) and found.values.dtype == np.float32
    assert found.values.flags.c_contiguous
    assert (found.cell, found.shape, found.positional) == ((57 / 5, 10), (40, 57), True)
    assert feature_entries()["blocks"].title == describe_features("blocks")[0] == "Blocks"


def test_a_function_cannot_change_the_picture() -> None:
    def vandal(image: np.ndarray) -> np.ndarray:
        image[:] = 0
        return image[::8, ::8]

    image = picture()
    before = image.copy()
    open_features(named_features(vandal))(image)
    np.testing.assert_array_equal(image, before)


def test_a_function_may_say_itself_how_its_cells_lie() -> None:
    def shifted(image: np.ndarray) -> PatchFeatures:
        return PatchFeatures(np.ones((2, 2, 4), np.float64), (32.0, 32.0), image.shape[:2], True)

    found = open_features(named_features(shifted))(picture())
    assert found.cell == (32.0, 32.0) and found.values.dtype == np.float32


@pytest.mark.parametrize(
    "answer, told",
    [
        (None, "NoneType"),
        ("words", "str"),
        (np.zeros((4, 5)), r"\(4, 5\)"),
        (np.zeros((4, 0, 3)), r"\(4, 0, 3\)"),
        (np.full((4, 5, 3), np.nan), "not finite"),
        (np.full((4, 5, 3), 1e300), "not finite"),
        (np.full((4, 5, 3), -3e30), r"up to 3e\+30; they must not exceed 1e\+09"),
        (np.zeros((4, 5, 3), complex), "ndarray"),
        ([[1, 2], [3]], "list"),
    ],
)
def test_what_is_no_description_is_refused_by_the_functions_name(answer: object, told: str) -> None:
    add_features("broken", lambda image: answer)
    with pytest.raises(SettingError, match=f"'broken'.*the reference.*{told}"):
        open_features("broken")(picture(), "the reference")


def test_a_function_given_directly_gets_the_name_it_was_defined_with() -> None:
    assert named_features("dinov2_small") == "dinov2_small"
    assert named_features(blocks) == named_features(blocks) == "blocks"
    assert named_features(functools.partial(blocks)) == "blocks_2", "it may be another function"
    assert named_features(lambda image: blocks(image)) == "lambda"

    class Mean:
        def __call__(self, image: np.ndarray) -> np.ndarray:
            return blocks(image)

        def describe(self, image: np.ndarray) -> np.ndarray:
            return blocks(image)

    mean = Mean()
    assert named_features(mean) == "Mean"
    assert named_features(mean.describe) == "describe"
    first = open_features("describe").identity
    assert named_features(mean.describe) == "describe"
    assert open_features("describe").identity == first, "a method is made anew on each look"
    with pytest.raises(SettingError, match="features is 3"):
        named_features(3)


def test_another_function_is_another_identity() -> None:
    def features(image: np.ndarray) -> np.ndarray:
        return blocks(image)

    first = open_features(named_features(features)).identity
    assert open_features(named_features(features)).identity == first

    def again(image: np.ndarray) -> np.ndarray:
        return 2 * blocks(image)

    again.__name__ = "features"
    assert named_features(again) == "features_2"
    assert open_features("features_2").identity != first
    assert open_features("features").identity == first
    add_features("mine", blocks, version="3")
    third = open_features("mine").identity
    add_features("mine", blocks, version="3")
    assert open_features("mine").identity == third, "the version stands for the answers"
    add_features("mine", blocks, version="4")
    assert open_features("mine").identity != third


def test_what_was_named_on_purpose_is_not_replaced_by_a_function_of_that_name() -> None:
    add_features("blocks", lambda image: image[::4, ::4])
    assert named_features(blocks) == "blocks_2"
    assert open_features("blocks")(picture()).values.shape == (10, 13, 3)

    def embedded(image: np.ndarray) -> np.ndarray:
        return blocks(image)

    assert named_features(embedded) == "embedded_2"


def _described(
    cell: object, shape: tuple[int, ...] = (40, 50), grid: tuple[int, int] = (4, 5)
) -> PatchFeatures:
    return PatchFeatures(np.ones((*grid, 3), np.float32), cell, shape)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer, told",
    [
        (_described((0, 0)), r"cell=\(0, 0\) for 4 rows of 5 cells"),
        (_described((np.nan, 10)), "cell"),
        (_described((-10, 10)), "cell"),
        (_described((np.inf, 10)), "cell"),
        (_described((1e300, 1e300), grid=(1, 1)), "cell"),
        (_described((8, 10)), r"must share out the picture of 50 . 40 .*cell=\(10, 10\)"),
        (_described((13, 10)), "cell"),
        (_described(10), "cell=10"),
        (_described(None), "cell=None"),
        (_described((10, 10), (50, 40)), r"shape=\(50, 40\).*is \(40, 50\)"),
    ],
)
def test_cells_that_do_not_share_out_the_picture_are_refused(
    answer: PatchFeatures, told: str
) -> None:
    add_features("crooked", lambda image: answer)
    with pytest.raises(SettingError, match=f"'crooked'.*the picture.*{told}"):
        open_features("crooked")(picture())


@pytest.mark.parametrize(
    "cell, grid", [((10, 10), (4, 5)), ((50 / 7, 40 / 3), (3, 7)), ((14, 14), (3, 4))]
)
def test_cells_may_hang_over_the_border(cell: tuple[float, float], grid: tuple[int, int]) -> None:
    add_features("wide", lambda image: _described(cell, grid=grid))
    assert open_features("wide")(picture()).cell == cell


def test_a_function_that_fails_is_told_with_its_name_and_the_picture() -> None:
    def broken(image: np.ndarray) -> np.ndarray:
        raise KeyError("layer 7")

    add_features("mine", broken)
    with pytest.raises(SettingError, match=r"'mine'.*reference 2.*KeyError.*layer 7") as told:
        open_features("mine")(picture(), "reference 2")
    assert isinstance(told.value.__cause__, KeyError)

    def large(image: np.ndarray) -> np.ndarray:
        raise MemoryError

    add_features("large", large)
    with pytest.raises(MemoryError):
        open_features("large")(picture())


def test_no_name_is_given_to_a_second_function() -> None:
    first, second = (lambda image: blocks(image)), (lambda image: 2 * blocks(image))
    assert [named_features(one) for one in (first, second, first)] == [
        "lambda",
        "lambda_2",
        "lambda",
    ]

    remove_features("lambda_2")
    assert named_features(lambda image: 3 * blocks(image)) == "lambda_3"

    def lambda_2(image: np.ndarray) -> np.ndarray:
        return 4 * blocks(image)

    lambda_2.__name__ = "lambda_2"
    assert named_features(lambda_2) == "lambda_2_2", "what was compared before says lambda_2"


def test_a_loop_of_lambdas_does_not_pile_up() -> None:
    add_features("kept", blocks)
    first = named_features(lambda image: blocks(image))
    used = named_features(lambda image: 2 * blocks(image))
    for number in range(_user.KEPT):
        named_features(lambda image, number=number: number + blocks(image))
        open_features(used)
    assert len(_user.functions()) == _user.KEPT + 1
    assert open_features(used) and open_features("kept"), "used all the time, and named on purpose"
    with pytest.raises(SettingError, match=f"{first!r} was a function.*Give it again, or add it"):
        open_features(first)


@pytest.mark.parametrize("name", ["", "a b", "../x", "timm:x", 3, "-x", "x" * 65])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(SettingError, match="cannot be a name"):
        add_features(name, blocks)


def test_what_comes_with_vde_nb_stays() -> None:
    for name in ("embedded", "dinov2_small"):
        with pytest.raises(SettingError, match="taken already"):
            add_features(name, blocks)
        with pytest.raises(SettingError, match="comes with vde-nb"):
            remove_features(name)
    with pytest.raises(SettingError, match="only those that were can go"):
        remove_features("never_added")
    with pytest.raises(SettingError, match="takes a function"):
        add_features("number", 3)  # type: ignore[arg-type]


def test_functions_are_added_by_many_threads_at_once() -> None:
    def work(number: int) -> None:
        for _ in range(50):
            add_features(f"f{number}", blocks)
            assert named_features(f"f{number}") in feature_entries()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {f"f{number}" for number in range(4)} <= set(_user.functions())


# --- choosing


def test_the_table_begins_with_what_is_embedded_and_says_what_to_do() -> None:
    pytest.importorskip("torch")
    entries = feature_entries()
    assert next(iter(entries)) == "embedded" and entries["embedded"].ready
    assert set(FEATURE_MODELS) <= set(entries)
    assert entries["dinov2_small"].how == "download 88 MB"
    assert not entries["dinov2_small"].ready
    assert entries["dinov2_small"].model is FEATURE_MODELS["dinov2_small"]


def test_a_misspelt_name_is_told_with_the_nearest() -> None:
    with pytest.raises(SettingError, match="Did you mean 'embedded'"):
        check_features("embeded")
    with pytest.raises(SettingError, match="'dinov2_small_reg'"):
        check_features("dinov2_smal_reg")
    assert describe_features("nonsense") == ("nonsense", "")


def test_a_name_of_timm_says_which_weights() -> None:
    name = "timm:vit_small_patch14_dinov2.lvd142m"
    assert check_features(name) == name
    assert describe_features(name)[0] == "timm vit_small_patch14_dinov2.lvd142m"
    with pytest.raises(SettingError, match="which weights"):
        check_features("timm:vit_small_patch14_dinov2")
    for wrong in ("timm:", "timm:../x.y", "timm:hf-hub:someone/model", "timm:a b.c"):
        with pytest.raises(SettingError, match="the name of a model"):
            check_features(wrong)


def test_what_is_not_installed_is_said_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "not_installed", lambda *names: list(names))
    assert check_features("dinov2_small") == "dinov2_small"
    with pytest.raises(MissingExtraError, match=r"DINOv2 small needs torch: pip install"):
        check_features("dinov2_small", installed=True)
    with pytest.raises(MissingExtraError):
        choose_features(DifferenceSettings(features="dinov2_small"))
    assert feature_entries()["dinov2_small"].how.startswith("needs torch")
    assert check_features("embedded", installed=True) == "embedded"


def test_weights_missing_offline_leave_the_embedded_features_and_a_note() -> None:
    pytest.importorskip("torch")
    chosen = choose_features(DifferenceSettings(features="dinov2_small"))
    assert chosen.name == "embedded"
    (note,) = chosen.notes
    assert "DINOv2 small" in note and "VDE_NB_OFFLINE=1" in note and "Meanwhile" in note
    assert chosen.identity == open_features("embedded").identity
    assert chosen.make()(picture()).values.ndim == 3
    with pytest.raises(WeightsError, match="DINOv2 small cannot be downloaded"):
        open_features("dinov2_small")


def test_what_was_chosen_is_what_is_made() -> None:
    add_features("blocks", blocks)
    chosen = choose_features(DifferenceSettings(features="blocks"))
    made = chosen.make()
    assert (chosen.name, chosen.notes, chosen.identity) == ("blocks", (), made.identity)
    assert made(picture()).values.shape == (4, 5, 3)


def test_choosing_imports_no_library() -> None:
    code = (
        "import sys; from vde_nb.features import *; feature_entries(); "
        "check_features('timm:vit_small_patch14_dinov2.lvd142m', installed=False); "
        "choose = open_features('embedded'); "
        "print([m for m in ('torch','timm','transformers','safetensors','sklearn') "
        "if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# --- weights


def test_every_model_says_where_its_weights_are_from() -> None:
    for name, model in FEATURE_MODELS.items():
        assert model.name == name and is_feature_model(model)
        assert model.repo.startswith("facebook/") and re.fullmatch("[0-9a-f]{40}", model.revision)
        assert not model.digest or re.fullmatch("sha256:[0-9a-f]{64}", model.digest)
        assert model.megabytes == pytest.approx(4 * model.parameters, abs=1.5)
        assert ("hf auth login" in model.access) == (model.family == "DINOv3")
    assert not any(map(is_feature_model, MODELS.values()))
    assert len(all_models()) == len(MODELS) + len(FEATURE_MODELS)


def test_weights_are_found_by_the_names_folders_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(tmp_path / "mine"))
    timm = timm_model("timm:vit_tiny_patch16_224.augreg_in21k")
    for model, names in (
        (FEATURE_MODELS["dinov2_small"], ("dinov2_small", "dinov2-small")),
        (timm, ("timm--vit_tiny_patch16_224.augreg_in21k", "vit_tiny_patch16_224.augreg_in21k")),
    ):
        for name in names:
            folder = tmp_path / "mine" / name
            folder.mkdir(parents=True)
            (folder / "config.json").write_text("{}")
            (folder / "model.safetensors").write_bytes(b"weights")
            found = find(model)
            assert found is not None and found.path == folder
            assert found.files == [folder / "model.safetensors"]
            first = found.digest
            (folder / "config.json").write_text('{"other": 1}')
            assert found.digest != first, "the configuration is part of what it is"
            (folder / "config.json").unlink()
            assert find(model) is None


def test_a_slow_attempt_that_failed_is_not_made_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    clock = [0.0]

    def failing(model: object, **how: object) -> None:
        calls.append("download")
        clock[0] += 5.0
        raise WeightsError("no network")

    monkeypatch.setattr(weights, "download", failing)
    monkeypatch.setattr(weights.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(weights, "_failures", {})
    model = replace(FEATURE_MODELS["dinov2_small"], name="never_here")
    for _ in range(3):
        with pytest.raises(WeightsError, match="no network"):
            obtain(model, patience=60.0)
    assert len(calls) == 1
    clock[0] += 61.0
    with pytest.raises(WeightsError):
        obtain(model, patience=60.0)
    assert len(calls) == 2
    for _ in range(2):
        with pytest.raises(WeightsError):
            obtain(model)
    assert len(calls) == 4


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    _cli_weights.add_options(parser)
    return _cli_weights.run(parser.parse_args(words))


def test_the_command_lists_models_of_both_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("list") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "outlines" in lines["sam_vit_b"] and "features" in lines["dinov2_base"]
    assert "DINOv3 License" in lines["dinov3_small"]
    assert command("verify", "dinov2_small_reg") == 1
    told = capsys.readouterr().out
    assert told == ("dinov2_small_reg: not here: vde-nb weights download dinov2_small_reg\n")
    for name in ("dinov2_small", "timm:vit_tiny_patch16_224.augreg_in21k"):
        with pytest.raises(WeightsError, match="VDE_NB_OFFLINE=1 forbids it"):
            command("download", name)
    with pytest.raises(SettingError, match="Did you mean 'dinov2_base'"):
        command("download", "dinov2_bas")


def test_verify_tells_another_model_from_the_right_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from .vit_models import tiny_vit

    folder = tiny_vit(tmp_path / "vit", "dinov2_reg")
    capsys.readouterr()  # the library tells what it writes
    add_features("t_own", folder)
    try:
        assert command("verify", "t_own") == 0
        assert "t_own: right" in capsys.readouterr().out
        tiny_vit(folder, "dinov2")
        capsys.readouterr()
        assert command("verify", "t_own") == 1
        assert "Dinov2WithRegistersModel" in capsys.readouterr().out
    finally:
        remove_features("t_own")


# --- tiles


@given(st.integers(1, 400), st.integers(1, 40))
def test_every_cell_is_used_once_from_where_it_is_farthest_from_a_border(
    count: int, side: int
) -> None:
    spans = _spans(count, side)
    used = [cell for _, (first, past) in spans for cell in range(first, past)]
    assert used == list(range(count))
    inner = {0, count}

    def room(seen: tuple[int, int], cell: int) -> float:
        """Cells to the nearest border that is none of the picture's."""
        ends = [abs(end - cell - 0.5) for end in seen if end not in inner]
        return min(ends, default=np.inf)

    for seen, (first, past) in spans:
        assert seen[0] <= first < past <= seen[1] and seen[1] - seen[0] == min(side, count)
        for cell in range(first, past):
            others = [other for other, _ in spans if other[0] <= cell < other[1]]
            assert room(seen, cell) >= max(room(other, cell) for other in others) - 1


@given(
    st.integers(1, 6000),
    st.integers(1, 6000),
    st.sampled_from((8, 14, 16)),
    st.sampled_from((22.0, 86.6, 304.0)),
)
def test_the_automatic_zoom_covers_the_picture_with_few_tiles(
    height: int, width: int, patch: int, parameters: float
) -> None:
    most = affordable(parameters)
    made = plan(height, width, patch, 0.0, most)
    assert len(made.tiles) <= most
    rows, columns = made.grid
    assert rows * made.cell[1] >= height - 1e-6 and columns * made.cell[0] >= width - 1e-6
    assert (rows - 1) * made.cell[1] < height and (columns - 1) * made.cell[0] < width
    assert min(made.cell) >= 8 * min(height, width) / (min(height, width) + 1)
    shapes = {(t.rows[1] - t.rows[0], t.columns[1] - t.columns[0]) for t in made.tiles}
    assert len(shapes) == 1, "so that several can be looked at together"


def test_a_zoom_that_is_given_is_kept_or_refused() -> None:
    made = plan(1000, 1000, 14, 2.0)
    assert made.cell == (7.0, 7.0) and made.size == (2000, 2000)
    with pytest.raises(SettingError, match=f"more than {MOST_TILES} tiles"):
        plan(6000, 6000, 14, 8.0)


def test_a_function_that_raises_is_told_with_its_line() -> None:
    def describe(image: np.ndarray) -> np.ndarray:
        return image[0, 0, 9]

    picture = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(SettingError, match=r"raised IndexError: .*\(test_features\.py, line \d+\)"):
        compare(picture, picture + 9, method="semantic", features=describe)
