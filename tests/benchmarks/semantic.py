"""What the semantic method finds with embedded features, beside the robust one.

    python -m tests.benchmarks.semantic [tyre] [samples] [deeppcb] [stress] [nochange] [shadows]
        [cost] [--half tune|report|all] [--limit N] [--set NAME=VALUE ...]

Without names, everything runs. Constants were tuned on the half "tune"; figures are of the other
one, "report". `shadows` are soft-edged patches of less light on photographs, on which nothing
changed: fused, they should be called environmental, and real defects should not. Trained features
need weights, which are not here; pass `--set features=...` where they are.

Measured on the half "report", embedded features, on two busy cores (so no times): `stress` with
the first 76 pairs (half of them sound), `shadows` with 6 photographs, `nochange` and `deeppcb`
with 20 pairs.

=====================  ======  ======  ======  ========  =====
                       robust  cosine  l2      both      fused
=====================  ======  ======  ======  ========  =====
tyre: found of 3       3       3       3       3         3
tyre: others           0       0       0       0         0
samples: found of 26   26      25      22      25        25
samples: false         0       0       0       0         0
stress: AUROC          0.993   0.999   0.999   0.999     0.994
stress: boxes F1       0.870   0.846   0.748   0.859     0.931
stress: recall         0.859   0.846   0.667   0.859     0.949
stress: pixel AP       0.847   0.836   0.807   0.848     0.868
stress: false alarms   0.026   0.026   0.000   0.026     0.053
shadows: alarms of 36  35      33      18      35        5
nochange: without any  1.00    0.95    1.00    0.95      1.00
deeppcb: F1            0.923   0.847   0.883   0.836     0.915
=====================  ======  ======  ======  ========  =====

An alarm is an anomaly of any type but environmental. Fused, 10 of 74 real defects that were found
are called environmental as well, five of them stains: a grey stain is what a shadow looks like.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import cv2
import numpy as np

from tests.benchmarks import accuracy
from tests.benchmarks.common import machine, photo_pair
from vde_nb import samples
from vde_nb.compare import compare
from vde_nb.evaluate import evaluate
from vde_nb.images import load

METHODS: dict[str, dict[str, Any]] = {
    "robust": {"method": "robust"},
    "semantic, cosine": {"method": "semantic", "feature_distance": "cosine"},
    "semantic, l2": {"method": "semantic", "feature_distance": "l2"},
    "semantic, both": {"method": "semantic", "feature_distance": "both"},
    "semantic, both, fused": {
        "method": "semantic",
        "feature_distance": "both",
        "fuse": "fast-and-deep",
    },
}
DEPTHS, EDGES = (0.2, 0.35), (2.0, 6.0, 12.0)  # share of light taken away; σ of the edge, pixels


def each(
    pairs: Iterable[Any], options: argparse.Namespace, **how: Any
) -> Iterator[tuple[str, Any]]:
    """Every method's report on the same pairs."""
    drawn = list(islice(pairs, options.limit))
    for name, settings in METHODS.items():
        yield name, evaluate(drawn, **{**settings, **given(options, settings), **how})


def given(options: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings from the command line, which are for the semantic method."""
    if settings["method"] != "semantic":
        return {}
    return dict(map(accuracy._setting, options.set))


def bench_tyre(options: argparse.Namespace) -> None:
    """The published pair: three anomalies, of which the published semantic method found none."""
    folder = accuracy.DATA / "tyre"
    known = json.loads((folder / "approach1.json").read_text("utf-8"))["anomalies"]
    boxes = [(tuple(one[key] for key in "xywh"), one["type"]) for one in known]
    pictures = [load(folder / f"race_car_tire_1{end}.jpeg").array for end in ("", "_anomaly")]
    for name, report in each([(*pictures, boxes)], options):
        others = report.found - report.matched
        print(f"    {name:22} {report.matched} of {report.true} found, {others} others")


def bench_samples(options: argparse.Namespace) -> None:
    """The package's own pictures, photographed again: moved, under another light, with noise."""
    for name, settings in METHODS.items():
        total = found = wrong = 0
        for sample in samples.list():
            pair = samples.load(sample, shift=(2.3, -1.4), light=0.5, noise=3)
            result = compare(
                pair.reference, pair.current, cache=None, **settings, **given(options, settings)
            )
            masks = [one.mask for one in result.anomalies]
            total += len(pair.truth.regions)
            found += sum(any((one.mask & m).any() for m in masks) for one in pair.truth.regions)
            wrong += sum(not (mask & pair.truth.mask).any() for mask in masks)
        print(f"    {name:22} {found} of {total} found, {wrong} false")


def bench_deeppcb(options: argparse.Namespace) -> None:
    """Printed circuit boards, IoU > 0.33, with a margin of 8 pixels."""
    pairs = accuracy.board_pairs(options.half)
    for name, report in each(pairs, options, box_margin=accuracy.MARGIN):
        print(
            f"    {name:22} F1 {report.f1:.3f}, precision {report.precision:.3f}, recall "
            f"{report.recall:.3f} of {report.true}, {report.milliseconds:.0f} ms a pair"
        )


def bench_stress(options: argparse.Namespace) -> None:
    """Defects of eight kinds in photographs, under everything that is no defect."""
    for name, report in each(accuracy.stress_pairs(options.half), options):
        called = {
            true: count for (true, one), count in report.confusion.items() if one == "environmental"
        }
        print(
            f"    {name:22} AUROC {report.auroc:.3f}, boxes F1 {report.f1:.3f}, recall "
            f"{report.recall:.3f}, pixel AP {report.pixel_ap:.3f}, IoU {report.pixel_iou:.3f}, "
            f"false alarms {report.false_alarm_rate:.3f}; {report.milliseconds:.0f} ms"
        )
        if called:
            print(f"      of {report.matched} called environmental: {called}")


def bench_nochange(options: argparse.Namespace) -> None:
    """Nothing changed but place (3 px), gamma (0.8 to 1.25), JPEG 70, noise 4."""
    for name, report in each(accuracy.unchanged_pairs(options.half), options):
        print(
            f"    {name:22} {1 - report.false_alarm_rate:.3f} of {report.pairs} without an anomaly"
        )


def shadowed(picture: np.ndarray, seed: int, edge: float, depth: float) -> np.ndarray:
    """A picture with an irregular patch of less light somewhere in it."""
    rng = np.random.default_rng([seed, 71])
    height, width = picture.shape[:2]
    side = min(height, width)
    centre = rng.uniform(0.3, 0.7, 2) * (width, height)
    turns = np.sort(rng.uniform(0, 2 * np.pi, 6))
    reach = rng.uniform(0.1, 0.22, 6) * side
    corners = centre + np.stack([np.cos(turns), np.sin(turns)], axis=1) * reach[:, None]
    shade = np.zeros((height, width), np.float32)
    cv2.fillPoly(shade, [corners.astype(np.int32)], (1.0,))
    light = 1 - depth * cv2.GaussianBlur(shade, (0, 0), edge)
    return np.clip(picture * light[..., None], 0, 255).astype(np.uint8)


def bench_shadows(options: argparse.Namespace) -> None:
    """Shadows on photographs: how many pairs raise an alarm, and what they are called."""
    first = 0 if options.half == "tune" else 1
    photos = accuracy.PHOTOS[first::2][: options.limit]
    how = {"shift": (0.7, -0.4), "noise": 2.5, "jpeg": 85}
    for name, settings in METHODS.items():
        called: Counter[str] = Counter()
        pairs = alarms = 0
        for number, photo in enumerate(photos):
            picture = accuracy.photo(photo)
            for edge in EDGES:
                for depth in DEPTHS:
                    shaded = shadowed(picture, number, edge, depth)
                    current = accuracy.stressed(
                        shaded, 2 * number, defects=(), nuisances=how
                    ).current
                    result = compare(
                        picture, current, cache=None, **settings, **given(options, settings)
                    )
                    called.update(one.type for one in result.anomalies)
                    pairs += 1
                    alarms += any(one.type != "environmental" for one in result.anomalies)
        print(f"    {name:22} alarm in {alarms} of {pairs} pairs; regions: {dict(called)}")


def bench_cost(options: argparse.Namespace) -> None:
    """Milliseconds of the stages, best of three."""
    for size in (2, 12):
        pair = photo_pair(size)
        for name in ("semantic, both", "semantic, both, fused"):
            settings = {**METHODS[name], **given(options, METHODS[name])}
            best: dict[str, float] = {}
            for _ in range(3):
                started = time.perf_counter()
                result = compare(*pair, cache=None, segmenter="none", **settings)
                took = {"all": (time.perf_counter() - started) * 1000, **result.timings}
                best = took if not best or took["all"] < best["all"] else best
            shown = ", ".join(f"{stage} {ms:.0f}" for stage, ms in best.items() if ms >= 5)
            print(f"    {size} MP, {name}: {shown}")


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "tyre": bench_tyre,
    "samples": bench_samples,
    "deeppcb": bench_deeppcb,
    "stress": bench_stress,
    "nochange": bench_nochange,
    "shadows": bench_shadows,
    "cost": bench_cost,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--half", choices=("tune", "report", "all"), default="report")
    parser.add_argument("--limit", type=int, help="the first pairs only")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    if unknown := sorted(set(options.parts) - PARTS.keys()):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(machine())
    for name in options.parts or PARTS:
        print(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}")
        if name in ("deeppcb", "tyre") and not accuracy.DATA.is_dir():
            print(f"  skipped: the real pictures are not here: {accuracy.DATA}")
            continue
        PARTS[name](options)


if __name__ == "__main__":
    main()
