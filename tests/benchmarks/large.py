"""Large pictures: pairs of any size, read from files and compared within a limit of memory.

    python -m tests.benchmarks.large [MEGAPIXELS ...] [--method M ...] [--file tif|png]
        [--photo] [--equal] [--save] [--memory-limit MB]

Makes a pair of each size (default: 12 and 100 megapixels) out of a drawing, or with ``--photo`` of
real photographs from the shared data: tiled, the second one moved, under another light, with noise
and known defects. Each is compared in a process of its own whose private memory may not exceed the
two decoded pictures and 2 GB (``RLIMIT_DATA``, as the system counts it; files mapped into memory,
which it can drop, are not in it). Reported are seconds per megapixel beside those of the first
size, the peak of private memory (``RssAnon``) beyond the pictures, and how many defects were found.

``--equal`` compares the results under the smallest limit of memory with those under the usual one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.benchmarks.common import machine, verdict

#: What a comparison may take beyond the two pictures, bytes.
ALLOWED = 2 * 2**30
SHARED = Path("/work/shared/data")
ROWS = 256


def tile(photo: bool) -> np.ndarray:
    """What large pictures are laid with."""
    if photo:
        paths = sorted((SHARED / "tyre").glob("*.jpg")) + sorted((SHARED / "ui").glob("*.png"))
        paths = [path for path in paths if path.stat().st_size > 50_000]
        if not paths:
            raise SystemExit(f"there are no photographs in {SHARED}")
        return np.ascontiguousarray(cv2.imread(str(paths[0]))[:, :, ::-1])
    from vde_nb import samples

    return samples.load("board").reference


def made(megapixels: float, photo: bool) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
    """Reference, current, and the boxes of the defects."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    width = round(megapixels * 1e6 / height)
    piece = tile(photo)
    rng = np.random.default_rng(round(megapixels))
    # laid with mirrored tiles: no seams; a slow tint makes every place its own
    down, across = np.arange(height), np.arange(width)
    rows = mirrored(down, piece.shape[0])
    columns = mirrored(across, piece.shape[1])
    reference = np.empty((height, width, 3), np.uint8)
    tint = cv2.resize(
        rng.uniform(0.75, 1, (9, 12)).astype(np.float32), (width // 16 + 1, height // 16 + 1)
    )
    for first in range(0, height, ROWS):
        end = min(first + ROWS, height)
        shade = cv2.resize(tint[first // 16 : -(-end // 16)], (width, end - first))
        part = piece[rows[first:end]][:, columns] * shade[..., None]
        reference[first:end] = noisy(part, rng)
    boxes = []
    changed = reference.copy()
    count = 30
    for number in range(count):
        side = int(rng.integers(24, 60))
        # one in every part of a grid: none hides another
        cell_w, cell_h = width // 6, height // 5
        x = number % 6 * cell_w + int(rng.integers(100, cell_w - 200))
        y = number // 6 * cell_h + int(rng.integers(100, cell_h - 200))
        colour = [int(255 - value) for value in changed[y, x]]
        cv2.ellipse(changed, (x, y), (side, side // 2), 30, 0, 360, colour, -1, cv2.LINE_AA)
        boxes.append([x - side, y - side, 2 * side, 2 * side])
    # ten thousandths of a degree move the corners of 400 megapixels by a few pixels
    motion = cv2.getRotationMatrix2D((width / 2, height / 2), 0.01, 1.0)
    motion[:, 2] += 5.3, -3.6
    current = np.empty_like(reference)
    for first in range(0, height, ROWS):
        end = min(first + ROWS, height)
        way = motion.copy()
        way[:, 2] += motion[:, 1] * first
        grid = np.dstack(np.meshgrid(across, np.arange(end - first))).astype(np.float32)
        places = cv2.transform(grid, way)
        top = max(0, int(places[..., 1].min()) - 4)
        bottom = min(height, int(places[..., 1].max()) + 5)
        places[..., 1] -= top
        part = remapped(changed[top:bottom], places)
        lamp = 0.92 + 0.06 * across / width
        current[first:end] = noisy(part * lamp[None, :, None].astype(np.float32) + 5, rng)
    return reference, current, boxes


def remapped(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``cv2.remap`` in pieces it can take."""
    pieces = []
    for left in range(0, places.shape[1], 8192):
        part = places[:, left : left + 8192].copy()
        low = max(0, int(part[..., 0].min()) - 4)
        high = min(picture.shape[1], int(part[..., 0].max()) + 5)
        part[..., 0] -= low
        pieces.append(
            cv2.remap(picture[:, low:high], part, None, cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT)
        )
    return np.concatenate(pieces, axis=1)


def mirrored(positions: np.ndarray, side: int) -> np.ndarray:
    inside = positions % (2 * side)
    return np.where(inside < side, inside, 2 * side - 1 - inside)


def noisy(part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grain = rng.integers(-3, 4, part.shape, dtype=np.int8)
    return np.clip(part + grain, 0, 255).astype(np.uint8)


def write(path: Path, picture: np.ndarray) -> None:
    """A PNG, or a TIFF of uncompressed strips."""
    if path.suffix == ".png":
        from vde_nb._png import png

        path.write_bytes(png(picture))
        return
    height, width = picture.shape[:2]
    strip = 64
    starts = range(0, height, strip)
    count = len(starts)
    values = 8 + 2 + 10 * 12 + 4
    data_at = values + 6 + 8 * count
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, values),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, count, values + 6),
        (277, 3, 1, 3),
        (278, 4, 1, strip),
        (279, 4, count, values + 6 + 4 * count),
        (284, 3, 1, 1),
    ]
    sizes = [(min(first + strip, height) - first) * width * 3 for first in starts]
    places = [data_at + first * width * 3 for first in starts]
    with path.open("wb") as file:
        file.write(b"II*\0" + struct.pack("<IH", 8, len(entries)))
        for entry in entries:
            file.write(struct.pack("<HHII", *entry))
        file.write(struct.pack("<I3H", 0, 8, 8, 8))
        file.write(struct.pack(f"<{count}I", *(places if count > 1 else [data_at])))
        file.write(struct.pack(f"<{count}I", *sizes))
        for first in starts:
            file.write(picture[first : first + strip].data)


# In a process of its own --------------------------------------------------------------------------


def status() -> dict[str, int]:
    """Kilobytes, by name, as the system counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    wanted = ("RssAnon", "RssFile", "RssShmem", "VmHWM", "VmData")
    found = dict.fromkeys(wanted, "0 kB")
    found |= {line.split(":")[0]: line.split(":")[1] for line in lines if line.startswith(wanted)}
    return {name: int(value.split()[0]) for name, value in found.items()}


class Watch:
    """The peak of private memory, looked at some hundred times a second."""

    def __init__(self) -> None:
        self.most = status()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.005):
            for name, value in status().items():
                self.most[name] = max(self.most[name], value)

    def end(self) -> dict[str, int]:
        self._over.set()
        self._thread.join()
        return self.most


def child(plan: dict[str, Any]) -> None:
    """Compare one pair, and print what it took as JSON."""
    import vde_nb as vde
    from vde_nb.settings import Settings  # noqa: F401 - everything is imported before it is timed

    base = status()
    if plan["rlimit"]:
        # What the interpreter and its libraries hold already is not the comparison's.
        most = base["VmData"] * 1024 + plan["pictures"] + ALLOWED
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    watch = Watch()
    marks = [time.perf_counter()]
    settings = {**plan["settings"], "max_megapixels": plan["megapixels"] * 1.1 + 1}
    result = vde.compare(
        plan["reference"], plan["current"], method=plan["method"], cache=None, **settings
    )
    marks.append(time.perf_counter())
    most = watch.end()
    watch = Watch()
    saved = {}
    if plan["save"]:
        result.save(plan["save"], overwrite=True, what=plan["what"])
        saved = {
            str(path.relative_to(plan["save"])): path.stat().st_size
            for path in Path(plan["save"]).rglob("*")
            if path.is_file()
        }
    marks.append(time.perf_counter())
    most_saving = watch.end()
    heat = hashlib.sha1(usedforsecurity=False)
    for rows in in_bands(result.heatmap, result.mask):
        heat.update(rows)
    print(
        json.dumps(
            {
                "seconds": marks[1] - marks[0],
                "save_seconds": marks[2] - marks[1],
                "saved": saved,
                "timings": result.timings,
                "anon_saving": (most_saving["RssAnon"] - base["RssAnon"]) * 1024,
                "anon": (most["RssAnon"] - base["RssAnon"]) * 1024,
                "data": (most["VmData"] - base["VmData"]) * 1024,
                "hwm": most["VmHWM"] * 1024,
                "boxes": [list(map(int, one.box)) for one in result.anomalies],
                "types": [one.type for one in result.anomalies],
                "score": result.ssim_score,
                "changed": result.change_score_percent,
                "worst": result.score,
                "heat": heat.hexdigest(),
                "notes": result.notes,
            }
        )
    )


def in_bands(*arrays: np.ndarray) -> Iterator[np.ndarray]:
    for array in arrays:
        for first in range(0, len(array), ROWS):
            yield np.ascontiguousarray(array[first : first + ROWS])


def run(plan: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.large", "--child", json.dumps(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return {"error": " / ".join(said[-8:]) or f"exit status {done.returncode}"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


# The table ----------------------------------------------------------------------------------------


def found(boxes: list[list[int]], truth: list[list[int]]) -> int:
    """Defects that a box lies on."""
    hit = 0
    for x, y, w, h in truth:
        hit += any(
            bx < x + w and x < bx + bw and by < y + h and y < by + bh for bx, by, bw, bh in boxes
        )
    return hit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("megapixels", nargs="*", type=float, default=[12.0, 100.0])
    parser.add_argument("--method", nargs="+", default=["robust", "hybrid"])
    parser.add_argument("--file", choices=["tif", "png"], default="tif")
    parser.add_argument("--photo", action="store_true")
    parser.add_argument("--equal", action="store_true")
    parser.add_argument("--save", nargs="*", help="what to save as well; nothing: the usual")
    parser.add_argument("--memory-limit", type=int)
    parser.add_argument("--free", action="store_true", help="without the limit of the system")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child")
    given = parser.parse_args()
    if given.child:
        child(json.loads(given.child))
        return
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        first: dict[str, float] = {}
        for megapixels in given.megapixels:
            one_size(given, megapixels, Path(folder), first)


def one_size(given: Any, megapixels: float, folder: Path, first: dict[str, float]) -> None:
    reference, current, truth = made(megapixels, given.photo)
    pixels = reference.shape[0] * reference.shape[1] / 1e6
    paths = [folder / f"{name}.{given.file}" for name in ("reference", "current")]
    for path, picture in zip(paths, (reference, current), strict=True):
        write(path, picture)
    pictures = reference.nbytes + current.nbytes
    del reference, current
    limit = {} if given.memory_limit is None else {"memory_limit": given.memory_limit}
    what = given.save or ["annotated", "heatmap", "results"]
    for method in given.method:
        plan = {
            "reference": str(paths[0]),
            "current": str(paths[1]),
            "method": method,
            "settings": limit,
            "megapixels": pixels,
            "pictures": pictures,
            "rlimit": not given.free,
            "save": "" if given.save is None else str(folder / "saved"),
            "what": what,
        }
        made_of = run(plan)
        name = f"{method:>8} {pixels:6.0f} MP"
        if "error" in made_of:
            print(f"{name}: {made_of['error']}", flush=True)
            continue
        each = made_of["seconds"] / pixels
        first.setdefault(method, each)
        beyond = (made_of["anon"] - pictures) / 2**20
        line = (
            f"{name}: {made_of['seconds']:7.1f} s, {each * 1000:5.0f} ms/MP, "
            f"{first[method] / each:4.2f} x the speed of the first; private memory beyond the "
            f"pictures {beyond:6.0f} MB (reserved {(made_of['data'] - pictures) / 2**20:.0f} MB, "
            f"RSS at most {made_of['hwm'] / 2**20:.0f} MB); "
            f"{found(made_of['boxes'], truth)} of {len(truth)} defects, "
            f"{len(made_of['boxes'])} boxes"
        )
        if pixels > 50:
            line += f"; {verdict(first[method] / each, 0.7)}"
        print(line, flush=True)
        slow = sorted(made_of["timings"].items(), key=lambda item: -item[1])[:7]
        print("   ", ", ".join(f"{stage} {ms / 1000:.1f} s" for stage, ms in slow), flush=True)
        if made_of["saved"]:
            sizes = ", ".join(f"{n} {s / 2**20:.1f} MB" for n, s in made_of["saved"].items())
            beyond = (made_of["anon_saving"] - pictures) / 2**20
            took = f"{made_of['save_seconds']:.1f} s, with {beyond:.0f} MB beyond the pictures"
            print(f"    saved in {took}: {sizes}", flush=True)
        if given.equal:
            tight = run({**plan, "settings": {"memory_limit": 64}, "rlimit": False})
            if "error" in tight:
                print(f"    with memory_limit=64: {tight['error']}", flush=True)
                continue
            same = {name: made_of[name] == tight[name] for name in ("boxes", "types", "heat")}
            same["score"] = abs(made_of["score"] - tight["score"]) <= 1e-9
            print(f"    with memory_limit=64, equal: {same}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**40))
    main()
