"""A small network that rebuilds normal embeddings only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vde_nb import samples
from vde_nb._progress import listening
from vde_nb.errors import SettingError
from vde_nb.normality import Normality, _decoder
from vde_nb.normality._bank import Bank
from vde_nb.normality.base import Frame, Grid

pytest.importorskip("torch")

ROWS, COLUMNS = 32, 40
GRID = Grid((ROWS * 4, COLUMNS * 4), (4.0, 4.0))


@pytest.fixture(autouse=True, scope="module")
def _short() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_decoder, "_STEPS", 40)
        patch.setattr(_decoder, "_SIDE", 24)
        yield


def scene(depth: int) -> np.ndarray:
    """Two materials: the left and the right half of the picture are normal in another way."""
    rng = np.random.default_rng(5)
    here = rng.normal(0, 2, (ROWS, COLUMNS, depth))
    left, right = rng.normal(0, 4, (2, depth))
    here[:, : COLUMNS // 2] += left
    here[:, COLUMNS // 2 :] += right
    return here


def frames(count: int, depth: int = 12, light: float = 3.0, seed: int = 1) -> list[Frame]:
    """Photographs of the scene under light that grows from one side to the other."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(6)
    direction = fixed.normal(0, 1, depth)
    slope = np.linspace(-1, 1, COLUMNS)[None, :, None]
    out = []
    for number in range(count):
        amount = rng.normal() + rng.normal() * slope
        values = scene(depth) + light * amount * direction + rng.normal(0, 0.3, (ROWS, COLUMNS, 1))
        values += rng.normal(0, 0.3, values.shape)
        picture = np.zeros((*GRID.shape, 3), np.uint8)
        out.append(Frame(f"picture {number}", picture, None, values.astype(np.float16)))
    return out


def bank_of(found: list[Frame]) -> Bank:
    return Bank(tuple(found), np.ones(len(found)), len(found))


@pytest.fixture(scope="module")
def normal() -> Bank:
    return bank_of(frames(10))


@pytest.fixture(scope="module")
def model(normal: Bank) -> _decoder.Decoder:
    return _decoder.fit(normal, normal.weights, seed=0, grid=GRID)


def test_what_is_not_normal_is_far_and_a_new_normal_is_near(model: _decoder.Decoder) -> None:
    new = frames(1, seed=2)[0]
    values = new.values.copy()
    values[10:14, 8:12] += np.random.default_rng(0).normal(0, 2, values.shape[2]).astype(np.float16)
    near, far = model.distances(new), model.distances(replace(new, values=values))
    assert near.shape == (ROWS, COLUMNS)
    assert near.dtype == np.float32
    assert far[10:14, 8:12].min() > 1.5 * near.max()
    beside = np.ones_like(far, bool)
    beside[7:17, 5:15] = False
    assert np.abs(far - near)[beside].max() < 0.3


def test_normal_elsewhere_is_not_normal_here(model: _decoder.Decoder) -> None:
    new = frames(1, seed=3)[0]
    values = new.values.copy()
    values[12:16, 6:10] = new.values[12:16, 30:34]  # of the other material
    distances = model.distances(replace(new, values=values))
    assert distances[12:16, 6:10].min() > 1.5 * model.distances(new).max()


def test_the_network_accounts_for_light_that_the_mean_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_decoder, "_STEPS", 100)
    bank = bank_of(frames(12, depth=4))
    model = _decoder.fit(bank, bank.weights, seed=0, grid=GRID)
    mean_only = replace(model, layers={})
    new = frames(6, depth=4, seed=4)
    with_it = np.mean([model.energy(frame).mean() for frame in new])
    without = np.mean([mean_only.energy(frame).mean() for frame in new])
    # Whitened, light is one of four directions: a quarter is all there is to account for.
    assert with_it < 0.9 * without


def test_the_same_seed_gives_the_same_bytes_and_leaves_other_random_numbers_alone(
    normal: Bank, model: _decoder.Decoder
) -> None:
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    again = _decoder.fit(normal, normal.weights, seed=0, grid=GRID)
    assert torch.rand(1) == expected
    assert all(np.array_equal(again.arrays()[name], one) for name, one in model.arrays().items())
    other = _decoder.fit(normal, normal.weights, seed=1, grid=GRID)
    assert not np.array_equal(other.layers["see.weight"], model.layers["see.weight"])


def test_what_was_saved_is_restored_and_what_does_not_fit_is_refused(
    model: _decoder.Decoder,
) -> None:
    arrays, facts = model.arrays(), model.facts()
    frame = frames(1, seed=2)[0]
    again = _decoder.restore(arrays, facts)
    assert np.array_equal(again.distances(frame), model.distances(frame))
    for name in ("layers.see.weight", "scale", "spread", "projection"):
        with pytest.raises(SettingError, match="does not fit"):
            _decoder.restore({**arrays, name: arrays[name][1:]}, facts)
    without = {name: one for name, one in arrays.items() if name != "layers.mix.bias"}
    with pytest.raises(SettingError, match="does not fit"):
        _decoder.restore(without, facts)
    with pytest.raises(SettingError, match="does not fit"):
        _decoder.restore(arrays, {**facts, "block": 10**9})
    for name in ("scale", "spread"):
        with pytest.raises(SettingError, match="does not fit"):
            _decoder.restore({**arrays, name: 0 * arrays[name]}, facts)
    with pytest.raises(SettingError, match="does not fit"):
        _decoder.restore(arrays, {**facts, "rest": 0.0})


def test_every_picture_is_judged_by_a_network_that_has_not_seen_it(normal: Bank) -> None:
    """One picture that is not normal does not find itself normal."""
    spoilt = list(normal.frames)
    values = spoilt[4].values.copy()
    values[20:25, 30:35] += np.random.default_rng(0).normal(0, 3, values.shape[2]).astype("e")
    spoilt[4] = replace(spoilt[4], values=values)
    bank = bank_of(spoilt)
    found = dict(_decoder.held_out(bank, bank.weights, seed=0, grid=GRID))
    worst = {number: float(distances.max()) for number, distances in found.items()}
    assert sorted(worst) == list(range(len(bank)))
    others = [value for number, value in worst.items() if number != 4]
    assert worst[4] > 1.3 * max(others)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_pictures_are_enough_for_a_mean(count: int) -> None:
    bank = bank_of(frames(count))
    model, judged = _decoder.both(bank, bank.weights, seed=0, grid=GRID)
    assert not model.layers
    assert all(np.isfinite(distances).all() for _, distances in judged)
    assert np.isfinite(model.distances(frames(1, seed=2)[0])).all()


def test_pictures_without_any_difference_do_no_harm() -> None:
    bank = bank_of([frames(1)[0]] * 5)
    model = _decoder.fit(bank, bank.weights, seed=0, grid=GRID)
    assert np.isfinite(model.distances(bank[0])).all()
    assert model.distances(bank[0]).max() < 1


def test_what_is_not_shown_is_not_judged(normal: Bank, model: _decoder.Decoder) -> None:
    valid = np.ones(GRID.shape, bool)
    valid[:, :40] = False
    values = frames(1, seed=2)[0].values.copy()
    values[:, :8] = 100
    frame = replace(frames(1, seed=2)[0], values=values, valid=valid)
    distances = model.distances(frame)
    assert not distances[:, :10].any()
    assert distances[:, 14:].max() < 3


def test_wide_embeddings_of_a_transformer_are_taken() -> None:
    bank = bank_of(frames(5, depth=96))
    model = _decoder.fit(bank, bank.weights, seed=0, grid=replace(GRID, positional=True))
    assert model.axes.shape[1] <= 64
    values = frames(1, depth=96, seed=2)[0].values.copy()
    values[10:13, 8:11] += 2.0
    distances = model.distances(replace(bank[0], values=values))
    assert np.unravel_index(distances.argmax(), distances.shape) in [
        (row, column) for row in range(9, 14) for column in range(7, 12)
    ]


def test_a_change_of_nearly_everything_is_not_taken_for_noise(model: _decoder.Decoder) -> None:
    new = frames(1, seed=2)[0]
    values = new.values + np.random.default_rng(1).normal(0, 6, new.values.shape).astype("e")
    assert np.median(model.distances(replace(new, values=values))) > 3


def test_whoever_watches_hears_of_the_training_and_can_end_it(normal: Bank) -> None:
    class Enough(Exception):
        pass

    heard: list[float] = []
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(3)

    def listener(text: str, share: float | None) -> None:
        assert torch.get_num_threads() == 1  # more wait for each other
        assert text == "Decoder: training"
        assert share is not None
        heard.append(share)
        if len(heard) > 2:
            raise Enough

    try:
        with listening(listener), pytest.raises(Enough):
            _decoder.both(normal, normal.weights, seed=0, grid=GRID)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert heard == sorted(heard)
    assert 0 <= heard[0] <= heard[-1] < 1


def test_a_model_with_a_decoder_goes_through_a_file(tmp_path: Path) -> None:
    wall = samples.load("wall").reference[:128, :160]
    normals = [
        samples.stress(wall, seed, defects=(), nuisances={"noise": 3.0}).current
        for seed in range(5)
    ]
    model = Normality.fit(normals, align=False, model="decoder")
    again = Normality.load(model.save(tmp_path / "wall"))
    spoilt = samples.stress(wall, 9, defects="stain", nuisances={"noise": 3.0}).current
    assert again.score(spoilt) == model.score(spoilt)
    assert model.kind == "decoder"
