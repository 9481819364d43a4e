"""How well models of normality tell normal pictures from others, and what that costs.

    python -m tests.benchmarks.normality [accuracy] [cost] [stream] [--half tune|report]
        [--limit N] [--kinds variation,subspace,memory,decoder] [--features embedded,...]

Every series is a photo of the scikit-image wheel taken again: a reference without shift, 22 normal
pictures and 24 others, half of them with defects, all under the usual nuisances of the stress set.
Photos and seeds of `--half tune` were used for tuning, those of `report` (the default) were not.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from tests.benchmarks.accuracy import PHOTOS, photo, say, stressed
from tests.benchmarks.common import machine, photo_pair
from vde_nb.align import prepare
from vde_nb.compare import compare
from vde_nb.difference.tolerant import false_alarm_level, tolerant
from vde_nb.evaluate._curves import auroc
from vde_nb.normality import Normality
from vde_nb.settings import resolve
from vde_nb.stages import Staged, Stages

TUNED = ("astronaut", "brick", "chelsea", "coins", "grass", "retina", "page", "motorcycle_left")
NORMALS, OTHERS = 22, 24
ALARMS = 0.02
_BINS = 4096
TWO_IMAGES = ("robust", "hybrid", "semantic")


@dataclass(frozen=True, eq=False)
class Scene:
    """A series of one photo."""

    name: str
    reference: np.ndarray
    normals: list[np.ndarray]
    frames: list[np.ndarray]
    truth: list[np.ndarray]


def scenes(half: str, limit: int | None) -> Iterator[Scene]:
    """Series of the photos of one half."""
    names = [one for one in PHOTOS if (one.split(".")[0] in TUNED) == (half == "tune")]
    first, start = (1000, 0) if half == "tune" else (5000, 400)
    for name in names[:limit]:
        picture = photo(name)
        steady = {"noise": 3.0, "jpeg": 85}
        reference = stressed(picture, 999, defects=(), nuisances=steady).current
        normals = [
            stressed(picture, first + number, defects=()).current for number in range(NORMALS)
        ]
        others = [stressed(picture, start + number) for number in range(OTHERS)]
        yield Scene(
            name,
            reference,
            normals,
            [one.current for one in others],
            [one.truth.mask for one in others],
        )


class Tally:
    """Scores of frames and evidence of pixels of one way of looking, over all series."""

    def __init__(self) -> None:
        self.images: list[float] = []
        self.pixels: list[float] = []
        self.broken: list[float] = []
        self.sound: list[float] = []

    def add(self, maps: list[np.ndarray], truth: list[np.ndarray]) -> None:
        """One series: evidence of each frame, 1 being its level."""
        scores = np.array([float(one.max()) + 1e-6 * float(one.mean()) for one in maps])
        defect = np.array([one.any() for one in truth])
        self.images.append(auroc(scores[defect].tolist(), scores[~defect].tolist()))
        self.pixels.append(_pixel_auroc(maps, truth))
        self.broken += scores[defect].tolist()
        self.sound += scores[~defect].tolist()

    def line(self) -> str:
        """Figures in a row of the table."""
        level = float(np.quantile(self.sound, 1 - ALARMS))
        return (
            f"{np.mean(self.images):7.4f} {np.min(self.images):7.3f} "
            f"{auroc(self.broken, self.sound):7.4f} {np.mean(self.pixels):7.4f} "
            f"{np.mean(np.array(self.broken) > level):7.3f}     "
            f"{np.mean(np.array(self.broken) > 1):7.3f} {np.mean(np.array(self.sound) > 1):7.3f}"
        )


HEAD = "AUROC    least  pooled   pixel  recall@2%     recall  alarms (at its own level)"


def _pixel_auroc(maps: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Area under the ROC curve of all pixels of a series, from histograms."""
    found = np.zeros((2, _BINS))
    for one, mask in zip(maps, truth, strict=True):
        bins = np.clip(np.log2(one + 2**-10) * 200 + 2000, 0, _BINS - 1).astype(int)
        for kind in (0, 1):
            found[kind] += np.bincount(bins[mask == bool(kind)], minlength=_BINS)
    below = np.cumsum(found[0]) - found[0] / 2
    return float((found[1] * below).sum() / max(found[0].sum() * found[1].sum(), 1))


def _robust(reference: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Evidence of the robust method over its level, without the rounding to heat."""
    how = resolve("robust").align
    pair = Staged(reference, None), Staged(current, None)
    done = prepare(*pair, None, None, how, Stages(None))
    found = tolerant(reference, done.levelled.value, done.valid.value)
    return found.evidence / false_alarm_level(found.evidence.size, ALARMS)


def _two(method: str, scene: Scene) -> list[np.ndarray]:
    """What a method that compares two pictures makes of the same frames."""
    if method == "robust":
        return [_robust(scene.reference, one) for one in scene.frames]
    settings = {"segmenter": "none", "align": True, "normalise": True, "cache": None}
    found = [compare(scene.reference, one, method=method, **settings) for one in scene.frames]
    return [one.heatmap.astype(np.float32) / 50 for one in found]


def bench_accuracy(options: argparse.Namespace) -> None:
    """Every kind of model and two-image methods on the same frames."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    chosen: dict[str, int] = defaultdict(int)
    for scene in scenes(options.half, options.limit):
        for features in options.features.split(","):
            began = time.perf_counter()
            auto = Normality.fit(scene.normals, scene.reference, features=features)
            spent = time.perf_counter() - began
            chosen[auto.kind] += 1
            models = {"auto": auto}
            for kind in options.kinds.split(","):
                models[kind] = auto
                if auto.kind != kind:
                    models[kind] = Normality.fit(
                        scene.normals, scene.reference, features=features, model=kind
                    )
            looks = next((one for one in models.values() if one.features), auto)
            frames = [looks.frame(one) for one in scene.frames]
            said = []
            for kind, model in models.items():
                maps = [model.evidence(frame) for frame in frames]
                tally = tallies[f"{kind} \u00d7 {features}"]
                tally.add(maps, scene.truth)
                said.append(f"{kind} {tally.images[-1]:.3f}/{tally.pixels[-1]:.3f}")
        for method in TWO_IMAGES:
            tallies[f"two images: {method}"].add(_two(method, scene), scene.truth)
            last = tallies[f"two images: {method}"]
            said.append(f"{method} {last.images[-1]:.3f}/{last.pixels[-1]:.3f}")
        print(f"  {scene.name:22} fit {spent:5.1f} s  " + ", ".join(said), flush=True)
    print(f"\n    {'':30} {HEAD}")
    for name, tally in tallies.items():
        print(f"    {name:30} {tally.line()}")
    print(f"  auto chose: {dict(chosen)}")
    best = tallies[f"auto \u00d7 {options.features.split(',')[0]}"]
    level = float(np.quantile(best.sound, 1 - ALARMS))
    say("image AUROC", float(np.mean(best.images)), 0.98)
    say("image AUROC, pooled", auroc(best.broken, best.sound), 0.98)
    say("pixel AUROC", float(np.mean(best.pixels)), 0.97)
    say("recall at 2 % false alarms", float(np.mean(np.array(best.broken) > level)), 0.9)


def bench_cost(options: argparse.Namespace) -> None:
    """Fifty pictures of a megapixel, and one more."""
    picture = cv2.resize(photo_pair(2)[0], (1152, 868))
    normals = [stressed(picture, seed, defects=()).current for seed in range(50)]
    for kind in ("auto", *options.kinds.split(",")):
        began, worked = time.perf_counter(), time.process_time()
        model = Normality.fit(normals, model=kind)
        wall, cpu = time.perf_counter() - began, time.process_time() - worked
        print(f"  {kind} ({model.kind}): processor {cpu:.1f} s")
        say("  seconds to fit", wall, 300 if kind == "decoder" else 60, at_most=True)
        other = stressed(picture, 101).current
        model.score(other)
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(3):
            model.score(other)
        wall, cpu = (time.perf_counter() - began) / 3, (time.process_time() - worked) / 3
        say("  seconds to score", wall, 0.5, at_most=True)
        print(f"    processor {cpu:.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    say("GB at most", peak, 2.0, at_most=True)


def bench_stream(options: argparse.Namespace) -> None:
    """A thousand pictures from a generator."""
    picture = photo("coffee.png")
    rng = np.random.default_rng(0)

    def stream() -> Iterator[np.ndarray]:
        for _ in range(1000):
            grain = rng.integers(-6, 7, picture.shape, np.int16)
            yield np.clip(picture + grain, 0, 255).astype(np.uint8)

    began = time.perf_counter()
    model = Normality.fit(stream(), cache_bytes=100 * 2**20)
    print(f"  {model}, {time.perf_counter() - began:.0f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    say("GB at most", peak, 2.0, at_most=True)


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "accuracy": bench_accuracy,
    "cost": bench_cost,
    "stream": bench_stream,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--half", choices=("tune", "report"), default="report")
    parser.add_argument("--limit", type=int, help="the first photos only")
    parser.add_argument("--kinds", default="variation,subspace,memory")
    parser.add_argument("--features", default="embedded")
    options = parser.parse_args()
    if unknown := sorted(set(options.parts) - PARTS.keys()):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(machine())
    for name in options.parts or PARTS:
        print(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}")
        PARTS[name](options)


if __name__ == "__main__":
    main()
