"""Folders of runs as a run writes them, made by hand: large ones, and hostile ones."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vde_nb import samples
from vde_nb.batch._row import KEYS, folder_of

#: Text that would be a script, a tag, an attribute or a formula where somebody forgets to escape.
HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(1)</script>&amp;\u202e\u2028=1+1"
MANIFEST: dict[str, Any] = {
    "schema_version": "1.0",
    "state": "finished",
    "vde_nb": "0.7.0",
    "python": "3.11.7",
    "numpy": "2.4.0",
    "opencv": "5.0.0",
    "platform": "Linux 6.1",
    "machine": {"kind": "x86_64", "processors": 8},
    "method": "robust",
    "preset": "default",
    "settings": {"method": "robust", "threshold": 50, "min_area": 25},
    "settings_key": "0" * 32,
    "save": ["html", "thumbnails"],
    "fail_if": "major>0 or change>2",
    "plugins": [],
    "source": "lines/today.csv",
    "total": 10,
    "counts": {},
    "started": "2026-11-23T08:00:00+00:00",
    "finished": "2026-11-23T08:01:40+00:00",
    "seconds": 100.0,
}


def identity(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()[:32]


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A row as a run writes it: of every seven pairs four are clean."""
    kind, own = number % 7, identity(number)
    grades = {"minor": kind % 3, "moderate": kind % 2, "major": int(kind == 5)}
    found = {
        "id": own,
        "number": number,
        "name": f"board {number:05d}",
        "reference": "golden/board.png",
        "current": f"line 4/board {number:05d}.png",
        "status": "clean",
        "anomalies": 0,
        "types": {},
        "severities": {"minor": 0, "moderate": 0, "major": 0},
        "change": 0.0,
        "ssim": 1.0,
        "score": 0.3 + number % 60 / 100,
        "largest": None,
        "size": [1024, 768],
        "unlike": False,
        "method": "robust",
        "outlined_by": "graphcut",
        "described_by": "",
        "notes": [],
        "error": None,
        "error_kind": None,
        "retry": False,
        "same_as": None,
        "folder": folder_of(own),
        "files": ["report.html", "results.json", "thumbnail.jpg"],
        "verdict": "pass",
        "given": {},
    }
    if kind in (1, 2, 5):
        found |= {
            "status": "changed",
            "anomalies": sum(grades.values()),
            "types": {"crack": 1} if kind == 1 else {"missing_part": 1, "stain": kind},
            "severities": grades,
            "change": kind * 0.31 + number % 100 / 91,
            "ssim": 0.9 + number % 97 / 1000,
            "score": 1.1 + number % 97 / 10,
            "largest": 40 + number * 37 % 4000,
            "verdict": "fail" if kind == 5 else "pass",
            "notes": ["The pictures were registered: moved by up to 1.4 pixels."],
        }
    if number % 41 == 3:
        found |= {
            **dict.fromkeys(("anomalies", "change", "ssim", "score", "largest", "size", "folder")),
            "status": "error",
            "types": {},
            "severities": {"minor": 0, "moderate": 0, "major": 0},
            "error": f"line 4/board {number:05d}.png is damaged: it ends in the middle.",
            "error_kind": "ImageError",
            "files": [],
            "notes": [],
            "verdict": "fail",
        }
    return {key: (found | changes)[key] for key in KEYS}


def write_run(
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    pictures: bool = False,
    journal: bool = False,
    **manifest: Any,
) -> Path:
    """Write the folder of a run.

    Parameters
    ----------
    pictures
        Make the folders of the pairs as well.
    journal
        Only the journal, as of a run that is not finished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = {**MANIFEST, "total": len(rows), **manifest}
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    timings = [
        {
            "seconds": 0.2 + number % 13 / 50,
            "stages_ms": {"read": 21.0, "align": 40.0, "difference": 130.0, "segment": 12.5},
            "worker": f"worker-{number % 2}",
            "attempt": 1,
        }
        for number in range(1, len(rows) + 1)
    ]
    entries = [{"row": one, "timings": took} for one, took in zip(rows, timings, strict=True)]
    _lines(folder / "journal.ndjson", entries)
    if not journal:
        _lines(folder / "results.ndjson", rows)
        ids = [{**took, "id": one["id"]} for one, took in zip(rows, timings, strict=True)]
        _lines(folder / "timings.ndjson", ids)
    for one in rows if pictures else ():
        if one["folder"] and one["same_as"] is None:
            place = folder / one["folder"]
            place.mkdir(parents=True, exist_ok=True)
            for name in one["files"]:
                (place / name).write_bytes(
                    thumbnail(one["number"] % 2) if name == "thumbnail.jpg" else b"<p>a report"
                )
    return folder


def _lines(path: Path, documents: list[Any]) -> None:
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in documents)
    path.write_text(text, encoding="utf-8")


@cache
def thumbnail(which: int) -> bytes:
    """A picture as a run makes it: two side by side, 256 pixels each."""
    pair = samples.load(samples.list()[which % len(samples.list())])
    height, width = pair.reference.shape[:2]
    size = 256, max(1, round(256 * height / width))
    two = [
        cv2.resize(one, size, interpolation=cv2.INTER_AREA)
        for one in (pair.reference, pair.current)
    ]
    gap = np.full((size[1], 4, 3), 255, np.uint8)
    whole = np.hstack([two[0], gap, two[1]])
    return cv2.imencode(".jpg", whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
