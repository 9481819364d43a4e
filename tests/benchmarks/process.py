"""Whole processes: ``vde-nb compare`` beside odiff, pixelmatch and the published script.

    python -m tests.benchmarks.process [FOLDER]

Each reads two 12 MP PNG files and writes its picture (ours a report, too). The peers come from
the npm registry, into FOLDER (default: a temporary one); without npm only the published script is
measured. They are run in turn, so a slow moment hits all of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.common import in_turn, machine, milliseconds, save_pair, verdict

PUBLISHED = """
import json, sys, cv2
from tests import published
reference, current = (cv2.imread(path)[:, :, ::-1] for path in sys.argv[1:3])
report = published.hybrid(reference.copy(), current.copy())
picture = current.copy()
for one in report["anomalies"]:
    x, y, w, h = one["x"], one["y"], one["w"], one["h"]
    cv2.rectangle(picture, (x, y), (x + w, y + h), (0, 255, 0), 2)
cv2.imwrite(sys.argv[3] + "/annotated.png", picture[:, :, ::-1])
with open(sys.argv[3] + "/results.json", "w") as file:
    json.dump(report, file)
"""


def commands(reference: Path, current: Path, out: Path, peers: Path) -> dict[str, list[str]]:
    """What to run, by name."""
    pair = [str(reference), str(current)]
    ours = [
        sys.executable,
        "-m",
        "vde_nb",
        "compare",
        *pair,
        "--out",
        str(out / "ours"),
        "--overwrite",
    ]
    found = {
        "vde-nb compare": ours,
        "  picture + JSON only": [*ours, "--save", "annotated", "results"],
        "  published preset": [*ours, "--save", "annotated", "results", "--preset", "published"],
        "published script": [sys.executable, "-c", PUBLISHED, *pair, str(out)],
    }
    if shutil.which("npm"):
        subprocess.run(
            ["npm", "install", "--silent", "--prefix", str(peers), "odiff-bin", "pixelmatch"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # the native program itself, without the start of node that the wrapper in .bin costs
        for native in peers.glob("node_modules/@odiff/*/odiff"):
            found["odiff"] = [str(native), *pair, str(out / "odiff.png")]
        match = peers / "node_modules" / ".bin" / "pixelmatch"
        found["pixelmatch"] = [str(match), *pair, str(out / "pixelmatch.png")]
    else:
        print("npm is not here: odiff and pixelmatch are left out")
    return found


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        peers = Path(sys.argv[1]) if len(sys.argv) > 1 else out / "peers"
        run = commands(*save_pair(12, out), out, peers)

        def work(command: list[str]) -> Callable[[], object]:
            return lambda: subprocess.run(command, capture_output=True, check=False)

        taken = dict(zip(run, in_turn([work(command) for command in run.values()], 7), strict=True))
        ours = taken["vde-nb compare"]
        targets = {"odiff": 1.2, "pixelmatch": 0.3, "published script": 0.2}
        for name, one in taken.items():
            said = ""
            if name in targets:
                goal = verdict(ours / one, targets[name], at_most=True)
                said = f"ours is {ours / one:.2f} of it, {goal}"
            print(f"  {name:22} {milliseconds(one)}  {said}")
        picture = out / "ours" / "annotated.png"
        print(
            f"  written: {sorted(path.name for path in picture.parent.iterdir())}, "
            f"annotated.png {picture.stat().st_size / 1e6:.1f} MB"
        )


if __name__ == "__main__":
    main()
