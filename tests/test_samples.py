from __future__ import annotations

import functools
import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from vde_nb import compare, samples
from vde_nb.errors import OutputError, SettingError
from vde_nb.samples import _page, _paint, _screen

NAMES = samples.list()
PHOTOGRAPHS = tuple(name for name in NAMES if name != "screen")
# The package remembers only a few pictures; the tests go through all of them again and again.
load = functools.cache(samples.load)
TYPES = {
    "missing_part", "added_part", "moved", "deformation", "colour_change", "stain", "scratch",
    "crack", "spot", "texture_change", "lighting",
}  # fmt: skip


def digest(pair: samples.SamplePair) -> str:
    arrays = (pair.reference, pair.current, pair.truth.mask)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def forget() -> None:
    samples._taken.cache_clear()
    samples._shot.cache_clear()


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def blobs(heat: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Masks of what the published methods find: threshold, open twice, close thrice, 100 px²."""
    kernel = np.ones((3, 3), np.uint8)
    mask = (heat > threshold).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel, iterations=2)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=3)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    return [labels == i for i in range(1, count) if stats[i, 2] * stats[i, 3] >= 100]


def test_there_are_seven_samples() -> None:
    assert len(NAMES) == 7
    assert isinstance(NAMES, tuple)


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_is_two_read_only_rgb_pictures_of_one_size(name: str) -> None:
    pair = load(name)
    assert pair.name == name
    assert pair.description.endswith(".")
    for picture in (pair.reference, pair.current):
        assert picture.dtype == np.uint8
        assert picture.shape == (*pair.truth.mask.shape, 3)
        assert not picture.flags.writeable
    assert 480 <= pair.reference.shape[0] <= 700
    assert 640 <= pair.reference.shape[1] <= 900


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_picture_has_the_depth_of_a_photograph(name: str) -> None:
    picture = load(name).reference
    levels = np.bincount(grey(picture).ravel(), minlength=256)
    assert (levels > 20).sum() > 120  # clip art has a few flat colours
    assert levels[[0, 255]].sum() < 0.01 * levels.sum()  # nothing much is clipped


@pytest.mark.parametrize("name", NAMES)
def test_regions_have_masks_boxes_and_known_types(name: str) -> None:
    truth = load(name).truth
    assert len(truth.regions) >= 3
    assert len({region.type for region in truth.regions}) >= 3
    union = np.zeros_like(truth.mask)
    for region in truth.regions:
        assert region.type in TYPES
        assert region.mask.dtype == bool
        assert region.mask.shape == truth.mask.shape
        assert not region.mask.flags.writeable
        rows, columns = np.nonzero(region.mask)
        x, y, w, h = region.box
        assert all(type(value) is int for value in region.box)
        assert (columns.min(), rows.min()) == (x, y)
        assert (columns.max() + 1, rows.max() + 1) == (x + w, y + h)
        assert w * h >= 100
        assert not (union & region.mask).any(), "changes overlap"
        union |= region.mask
    assert np.array_equal(union, truth.mask)
    assert not truth.mask.flags.writeable


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_differs_outside_the_true_changes(name: str, seed: int) -> None:
    pair = load(name, seed=seed)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    near = cv2.dilate(pair.truth.mask.astype(np.uint8), cross, iterations=3) > 0
    assert np.array_equal(pair.reference[~near], pair.current[~near])
    for region in pair.truth.regions:
        changed = (pair.reference != pair.current).any(axis=2) & region.mask
        assert changed.sum() > 0.15 * region.mask.sum(), region


@pytest.mark.parametrize("name", NAMES)
def test_every_true_change_can_be_found_and_nothing_else(name: str) -> None:
    pair = load(name)
    a, b = grey(pair.reference), grey(pair.current)
    _, same = structural_similarity(a, b, win_size=7, full=True)
    unlike = np.clip(255 * (1 - same), 0, 255)
    apart = np.abs(a.astype(float) - b)
    hybrid = blobs(0.5 * apart + 0.5 * unlike, 50)
    weights = np.arange(1, 11) / 10
    multi = blobs(np.max([w * unlike + (1 - w) * apart for w in weights], axis=0), 30)
    for region in pair.truth.regions:
        assert any((blob & region.mask).any() for blob in hybrid + multi), region
    for blob in hybrid + multi:
        assert (blob & pair.truth.mask).any()


def test_the_same_arguments_give_the_same_bytes_in_any_order() -> None:
    first = {name: digest(load(name)) for name in NAMES}
    forget()
    second = {name: digest(samples.load(name)) for name in reversed(NAMES)}
    assert first == second
    noisy = digest(samples.load("wall", shift=(1.5, 0.25), light=0.3, noise=3.0))
    forget()
    assert noisy == digest(samples.load("wall", shift=(1.5, 0.25), light=0.3, noise=3.0))


def test_the_same_arguments_give_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib\nfrom vde_nb import samples\np = samples.load('wall', shift=(1, 2.5))\n"
        "print(hashlib.sha256(p.reference.tobytes() + p.current.tobytes()"
        " + p.truth.mask.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(samples.load("wall", shift=(1, 2.5)))


def test_loading_again_costs_nothing() -> None:
    assert samples.load("wall") is samples.load("wall", shift=[0, 0], light=0, noise=0, seed=0)


def test_importing_the_samples_imports_neither_skimage_nor_matplotlib() -> None:
    code = (
        "import sys, vde_nb.samples as s; s.load('label');"
        "print([m for m in ('skimage', 'matplotlib', 'scipy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_moves_the_changes_but_not_the_scene(name: str) -> None:
    base, other = load(name), load(name, seed=5)
    assert np.array_equal(base.reference, other.reference)
    assert not np.array_equal(base.truth.mask, other.truth.mask)


@pytest.mark.parametrize("name", ["tyre", "board", "aerial"])
@pytest.mark.parametrize("shift", [(3.0, -2.0), (0.4, 0.75), (-7.3, 11.6)])
def test_shift_moves_the_current_picture_by_that_much(
    name: str, shift: tuple[float, float]
) -> None:
    still, moved = load(name), load(name, shift=shift)
    assert np.array_equal(still.reference, moved.reference)
    assert np.array_equal(still.truth.mask, moved.truth.mask)
    a, b = (grey(pair.current).astype(np.float32) for pair in (still, moved))
    window = cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F)
    found, _ = cv2.phaseCorrelate(a.copy(), b.copy(), window)  # it overwrites what it is given
    assert found == pytest.approx(shift, abs=0.3)
    # Phase correlation leans towards whole pixels; a least-squares fit does not.
    a, b = (cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in (a, b))
    whole = np.rint(found).astype(int)
    slope_y, slope_x = (slope[40:-40, 40:-40].ravel() for slope in np.gradient(a))
    rest = (a - np.roll(b, -whole[::-1], (0, 1)))[40:-40, 40:-40].ravel()
    fit, *_ = np.linalg.lstsq(np.stack([slope_x, slope_y], axis=1), rest, rcond=None)
    assert whole + fit == pytest.approx(shift, abs=0.03)


def test_what_a_shift_brings_in_at_the_border_is_not_invented() -> None:
    right = load("wall", shift=(16.0, 0.0)).current
    left = load("wall", shift=(-16.0, 0.0)).current
    # A border that was repeated or reflected would make its columns alike.
    for strip in (right[:, :16], left[:, -16:]):
        columns = strip.astype(float).mean(axis=2)
        assert np.abs(np.diff(columns, axis=1)).mean() > 1.0
    inside = load("wall").current
    assert not np.array_equal(right[:, :16], inside[:, 16:32][:, ::-1])


def test_light_changes_the_brightness_and_leaves_the_truth_alone() -> None:
    plain = load("wall")
    bright, dark = load("wall", light=0.8), load("wall", light=-0.8)
    assert dark.current.mean() + 15 < plain.current.mean() < bright.current.mean() - 5
    left, middle, right = (
        bright.current[400:, side].mean() / plain.current[400:, side].mean()
        for side in (slice(None, 60), slice(370, 430), slice(-60, None))
    )
    assert right > middle + 0.05  # the lamp moved to the right
    corner = bright.current[:100, :100].mean() / plain.current[:100, :100].mean()
    assert corner < left - 0.1  # and a shadow fell on the top left
    assert np.array_equal(plain.reference, bright.reference)
    assert np.array_equal(plain.truth.mask, dark.truth.mask)


@pytest.mark.parametrize("sigma", [2.0, 6.0])
def test_noise_has_the_deviation_asked_for_and_another_seed_draws_another(sigma: float) -> None:
    plain, noisy = load("wall"), load("wall", noise=sigma)
    assert np.array_equal(plain.reference, noisy.reference)
    added = noisy.current.astype(float) - plain.current
    assert added.std() == pytest.approx(sigma, rel=0.05)
    assert abs(added.mean()) < 0.05
    other = load("wall", noise=sigma, seed=5)
    assert not np.array_equal(other.current[:50], noisy.current[:50])


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(SettingError, match="no sample 'tire': did you mean 'tyre'"):
        load("tire")
    with pytest.raises(SettingError, match="There are tyre, board"):
        load("zzz")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("shift", 1.0), ("shift", (1.0,)), ("shift", (1.0, 2.0, 3.0)), ("shift", (0.0, 16.5)),
        ("shift", (float("nan"), 0.0)), ("shift", "ab"), ("light", 1.5), ("light", "bright"),
        ("light", float("inf")), ("noise", -1.0), ("noise", 65.0), ("noise", True), ("seed", -1),
        ("seed", 0.5), ("seed", True), ("noise", None),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_the_name_of_its_setting(setting: str, value: object) -> None:
    with pytest.raises(SettingError, match=setting):
        samples.load("wall", **{setting: value})  # type: ignore[arg-type]


def test_a_screen_has_flat_colours_and_smoothed_letters() -> None:
    picture = load("screen").reference
    colours, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    assert np.sort(counts)[-3:].sum() > 0.7 * counts.sum()  # white, the ground, the bar
    assert len(colours) > 1000  # steps between letters and what they stand on


def outside(pair: samples.SamplePair) -> np.ndarray:
    """Where a pair differs though neither the truth nor what is to be ignored says so."""
    near = cv2.dilate(pair.truth.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    for x, y, w, h in pair.ignore:
        near[y : y + h, x : x + w] = True
    return (pair.reference != pair.current).any(axis=2) & ~near


def test_a_screen_rendered_elsewhere_differs_at_edges_and_nowhere_else() -> None:
    pair = load("screen", rerendered=True)
    assert np.array_equal(pair.reference, load("screen").reference)
    assert np.array_equal(pair.truth.mask, load("screen").truth.mask)
    differs = outside(pair)
    assert 0.02 < differs.mean() < 0.10
    window = np.ones((5, 5), np.uint8)
    edges = cv2.dilate(pair.reference, window) - cv2.erode(pair.reference, window)
    assert (edges.max(axis=2)[differs] >= 8).all(), "a flat place has changed"
    # Letters lie between the pixels of the reference: a least-squares fit over the table.
    a, b = (
        cv2.GaussianBlur(grey(one)[442:604, 205:700].astype(np.float32), (0, 0), 1.5)
        for one in (pair.reference, pair.current)
    )
    slope_y, slope_x = (slope.ravel() for slope in np.gradient(a))
    fit, *_ = np.linalg.lstsq(np.stack([slope_x, slope_y], axis=1), (a - b).ravel(), rcond=None)
    assert 0.2 < fit[0] < 0.6 and abs(fit[1]) < 0.1


def test_clock_and_caret_of_a_screen_differ_where_ignore_says_so() -> None:
    pair = load("screen", rerendered=True)
    assert len(pair.ignore) == 2
    inside = np.zeros_like(pair.truth.mask)
    for x, y, w, h in pair.ignore:
        strong = np.abs(pair.reference.astype(int) - pair.current).max(axis=2) > 100
        assert strong[y : y + h, x : x + w].any()
        inside[y : y + h, x : x + w] = True
    assert not (inside & pair.truth.mask).any()
    still = load("screen")
    assert still.ignore == pair.ignore
    assert np.array_equal(still.reference[inside], still.current[inside])
    assert load("tyre").ignore == ()


@pytest.mark.parametrize("seed", [0, 5])
def test_a_screen_rendered_elsewhere_is_judged_by_its_changes(seed: int) -> None:
    pair = load("screen", seed=seed, rerendered=True)
    result = compare(
        pair.reference, pair.current, align=False, antialiasing=True, ignore=pair.ignore
    )
    for region in pair.truth.regions:
        assert any((one.mask & region.mask).any() for one in result.anomalies), region
    assert all((one.mask & pair.truth.mask).any() for one in result.anomalies)


def test_only_a_screen_can_be_rendered_elsewhere() -> None:
    with pytest.raises(SettingError, match="'tyre' is a photograph, which shift, light and noise"):
        samples.load("tyre", rerendered=True)
    with pytest.raises(SettingError, match="rerendered must be True or False, not 1"):
        samples.load("screen", rerendered=1)  # type: ignore[arg-type]


def test_a_screen_can_be_drawn_without_the_fonts_of_matplotlib(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caches = (_paint.typeface, _page._written)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    try:
        exposure = _screen.SCREEN.shoot(0, False)
    finally:
        for cache in caches:
            cache.cache_clear()
    assert len(exposure.changes) == 5 and all(mask.any() for _, mask in exposure.changes)


def test_save_writes_both_pictures_losslessly(tmp_path: Path) -> None:
    pair = load("label")
    paths = pair.save(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["reference.png", "current.png"]
    for path, picture in zip(paths, (pair.reference, pair.current), strict=True):
        assert np.array_equal(cv2.imread(str(path))[..., ::-1], picture)


def test_save_refuses_to_overwrite_and_then_writes_nothing(tmp_path: Path) -> None:
    pair = load("label")
    (tmp_path / "current.png").write_text("precious")
    with pytest.raises(OutputError, match=r"current\.png exists"):
        pair.save(tmp_path)
    assert (tmp_path / "current.png").read_text() == "precious"
    assert not (tmp_path / "reference.png").exists()
    pair.save(str(tmp_path), overwrite=True)
    assert cv2.imread(str(tmp_path / "current.png")) is not None


def test_save_says_where_it_could_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"reference\.png cannot be written"):
        load("label").save(tmp_path / "file")


def test_reprs_are_short_and_stable() -> None:
    pair = load("wall")
    assert repr(pair) == "SamplePair('wall', 800×600, changes: crack, missing_part, stain)"
    assert repr(pair.truth) == "Truth(crack, missing_part, stain)"
    assert repr(pair.truth.regions[0]).startswith("TruthRegion('crack', box=(")


def test_a_notebook_shows_what_each_sample_is() -> None:
    shown = samples.list()._repr_html_()  # type: ignore[attr-defined]
    assert "<td" in shown
    for name in NAMES:
        assert name in shown and load(name).description.partition("'")[0] in shown
