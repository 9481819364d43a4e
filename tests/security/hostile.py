"""Text that tries to become something else, and things that carry it wherever text is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import vde_nb
from tests.robustness import seeds
from vde_nb import Comparison
from vde_nb.images import ImagePair, Picture

#: Each ends something that text may stand in, and begins something of its own.
TEXTS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "--><img src=x onerror=alert(3)>",
    '"><svg/onload=alert(4)>',
    "' onmouseover='alert(5)",
    '" style="background:url(https://evil.example/)" x="',
    "</title></style></pre></td></table><iframe src=//evil.example>",
    '<a href="javascript:alert(6)">report</a>',
    "]]><x>&lt;b&gt;&#60;i&#62;",
    "{{7*7}} ${7*7} $x^2$ `code`",
    "\u2028\u2029\u202egnp.exe\0\ud800\x1b]0;x\x07",
    "=1+1",
)
#: All of it in one: what a file's name, a comment or a column of a table may be.
TEXT = " ".join(TEXTS)
#: What stands there when nobody means harm; as many lines and as long a text.
SOUND = "picture"


def comparison(text: str) -> Comparison:
    """A comparison with `text` wherever text from outside can stand."""
    reference = seeds.picture(0, 80, 110)
    current = reference.copy()
    current[20:50, 30:70] ^= 255
    pair = ImagePair(
        Picture(reference, text, (text,)), Picture(current, f"{text}/{text}", (text,)), (text, text)
    )
    found = vde_nb.compare(pair, method="hybrid", cache=None, segmenter="none")
    assert found.anomalies
    anomalies = [
        replace(
            one,
            type=text,
            evidence={text: 1.5, "area": 2.0},
            reviewed=True,
            verdict="accepted",
            comment=text,
            type_found=f"{text}.",
        )
        for one in found.anomalies
    ]
    return replace(found, anomalies=anomalies, notes=(text, text))


def series(text: str) -> Any:
    """Frames judged over time, with `text` for their names."""
    from vde_nb.normality._drift import drift_of
    from vde_nb.normality._series import Row, Series
    from vde_nb.normality._tracks import Sighting, Track

    begin = datetime(2026, 11, 23)
    rows = tuple(
        Row(n + 1, text, begin + timedelta(hours=n), "ok", 1.5, 0.2, 1, (1,), 0.3, 0.0, 1.0, text)
        for n in range(4)
    )
    sightings = tuple(Sighting(n, 1, (2, 3, 8, 9), 60, 0.7, text, "major") for n in range(4))
    track = Track(1, sightings, ((0, 3),), (0, 1, 2, 3))
    drift = drift_of([0.3] * 4, [row.time for row in rows])
    return Series(rows, (track,), drift, (text,))


def run_folder(folder: Path, text: str, rows: int = 3) -> Path:
    """The folder of a run as a stranger may have written it, with `text` wherever text can be."""
    folder.mkdir(parents=True, exist_ok=True)
    said = text.replace("\0", "").encode("utf-8", "replace").decode()
    manifest = {
        "schema_version": "1.0",
        "state": "finished",
        **dict.fromkeys(("vde_nb", "python", "numpy", "opencv", "platform", "source"), said),
        "machine": {"kind": said, "processors": 2},
        "method": said,
        "preset": said,
        "settings": {"threshold": 50, said: said},
        "settings_key": "0" * 32,
        "save": ["thumbnails"],
        "fail_if": "major>0",
        "plugins": [said],
        "total": rows,
        "counts": {},
        "started": said,
        "finished": said,
        "seconds": 1.5,
        "notes": [said],
        said: said,
    }
    (folder / "run.json").write_text(json.dumps(manifest), "utf-8")
    lines = []
    for number in range(1, rows + 1):
        identity = f"{number:032x}"
        row = seeds.row() | {
            "id": identity,
            "number": number,
            "folder": f"pairs/{identity[:2]}/{identity}",
            **dict.fromkeys(("name", "reference", "current", "method"), said[:900]),
            **dict.fromkeys(("outlined_by", "described_by"), said[:900]),
            "types": {said[:900]: 2},
            "notes": [said],
            "given": {said[:900]: said},
            "verdict": "fail",
        }
        if number == rows:
            row |= {"status": "error", "error": said, "error_kind": said[:900], "anomalies": None}
        lines.append(json.dumps(row))
        place = folder / row["folder"]
        place.mkdir(parents=True, exist_ok=True)
        (place / "thumbnail.jpg").write_bytes(seeds.pictures()["jpeg"])
        (place / "results.json").write_text("{}")
    for name in ("results.ndjson", "journal.ndjson"):
        shaped = (
            lines
            if name == "results.ndjson"
            else [f'{{"row":{one},"timings":{{}}}}' for one in lines]
        )
        (folder / name).write_text("\n".join(shaped) + "\n", "utf-8")
    return folder


def model_table(text: str) -> Any:
    """Any of the small tables."""
    from vde_nb._table import Table

    return Table([{text: text, "ready": True}, {text: np.float64(1.5), "ready": False}])
