"""``vde-nb doctor``: what is installed, what is ready, and whether a comparison works here."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import sys
import tempfile
import textwrap
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from vde_nb import samples
from vde_nb._cache_folder import cache_folder
from vde_nb._version import __version__
from vde_nb.compare import compare
from vde_nb.difference import kernel_state
from vde_nb.listing import methods, segmenters

__all__ = ["Fact", "Report", "examine"]

_WIDTH = 79

#: Distributions vde-nb cannot do without, as in ``pyproject.toml``.
NEEDED = (
    "numpy",
    "opencv-python-headless",
    "pillow",
    "xxhash",
    "scikit-learn",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "safetensors",
    "platformdirs",
    "tqdm",
)

#: Distributions that add something, and what.
USEFUL = {
    "isal": "PNG files in a third of the time",
    "numba": "compiled SSIM kernel: pip install 'vde-nb[fast]'",
    "jupyterlab": "notebooks: pip install 'vde-nb[lab]'",
    "ipykernel": "notebooks: pip install 'vde-nb[lab]'",
    "pandas": "Comparison.to_frame()",
    **dict.fromkeys(("distributed", "pyarrow"), "large runs: pip install 'vde-nb[batch]'"),
    **dict.fromkeys(
        (
            "torch",
            "torchvision",
            "segment-anything",
            "transformers",
            "huggingface-hub",
        ),
        "models such as SAM and DINO: pip install 'vde-nb[sam]'",
    ),
}

#: Every one of these brings the same module ``cv2``.
_OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


@dataclass(frozen=True)
class Fact:
    """One line of the report.

    Attributes
    ----------
    group
        Title it stands under.
    name, value
        What was looked at, and what was found.
    ok
        False when vde-nb does not work because of it.
    """

    group: str
    name: str
    value: str
    ok: bool = True


@dataclass(frozen=True)
class Report:
    """Everything :func:`examine` found out.

    Attributes
    ----------
    facts
        In the order of the report, those of a group together.
    """

    facts: tuple[Fact, ...]

    @property
    def problems(self) -> tuple[Fact, ...]:
        """The facts that keep vde-nb from working."""
        return tuple(fact for fact in self.facts if not fact.ok)

    @property
    def ok(self) -> bool:
        """Whether all that is needed works."""
        return not self.problems

    def to_json(self) -> str:
        """Give the report as a JSON object: `ok`, and the list of `facts`."""
        listed = [asdict(fact) for fact in self.facts]
        return json.dumps({"ok": self.ok, "facts": listed}, indent=2)

    def to_text(self) -> str:
        """Give the report for people, aligned, in lines of at most 79 letters where possible."""
        indent = max(len(fact.name) for fact in self.facts) + 4
        lines: list[str] = []
        group = ""
        for fact in self.facts:
            if fact.group != group:
                group = fact.group
                lines += ["", group] if lines else [group]
            value = fact.value if fact.ok else f"PROBLEM: {fact.value}"
            lines += textwrap.wrap(
                value,
                _WIDTH,
                initial_indent=f"  {fact.name}".ljust(indent),
                subsequent_indent=" " * indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
        names = ", ".join(fact.name for fact in self.problems)
        return "\n".join(
            [*lines, "", f"Not working: {names}." if names else "Everything needed works."]
        )


def examine() -> Report:
    """Look at everything; takes about a second, more where torch is installed."""
    return Report((*_versions(), *_machine(), *_kernel(), *_choices(), *_trial()))


def _version(name: str) -> str | None:
    """Version of an installed distribution, found without importing it."""
    for candidate in _OPENCV if name in _OPENCV else (name,):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None


def _versions() -> list[Fact]:
    group = "Versions"
    facts = [
        Fact(group, "vde-nb", f"{__version__} in {Path(__file__).parent}"),
        Fact(group, "python", f"{platform.python_version()} at {sys.executable}"),
    ]
    for name in NEEDED:
        found = _version(name)
        missing = f"not installed: pip install {name}"
        facts.append(Fact(group, name, found or missing, ok=found is not None))
    for name, purpose in USEFUL.items():
        facts.append(Fact(group, name, _version(name) or f"not installed ({purpose})"))
    return facts


def _machine() -> list[Fact]:
    group = "Machine"
    count = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    cores = f"{usable}" if usable == count else f"{usable} of {count}"
    return [
        Fact(group, "platform", platform.platform()),
        Fact(group, "processors", cores),
        Fact(group, "device", _device()),
    ]


def _device() -> str:
    """Where models would run; the only place that imports torch for the sake of knowing."""
    if importlib.util.find_spec("torch") is None:
        return "CPU (torch is not installed; only models such as SAM need it)"
    try:
        torch = importlib.import_module("torch")
        if torch.cuda.is_available():
            return f"CUDA: {torch.cuda.get_device_name()}"
        return "MPS" if torch.backends.mps.is_available() else "CPU"
    except Exception as error:  # a broken torch fails in many ways and is not needed
        return f"CPU (torch does not load: {type(error).__name__}: {error})"


def _kernel() -> list[Fact]:
    group = "SSIM kernel"
    facts = [Fact(group, "state", kernel_state())]
    if importlib.util.find_spec("numba") is not None:
        facts.append(Fact(group, "numba's cache", _numba_cache()))
    return facts


def _numba_cache() -> str:
    """Whether the compiled kernel is kept; numba looks at the same places in the same order."""
    from vde_nb import difference

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else Path(difference.__file__).parent / "__pycache__"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return f"writable: {folder}"
    except OSError:
        return (
            f"not writable: {folder}. Unless the user's own cache folder is, the kernel cannot be "
            "used; set NUMBA_CACHE_DIR to a folder that is writable."
        )


def _choices() -> list[Fact]:
    group = "Choices"
    rows = segmenters()
    ready = ", ".join(row["name"] for row in rows if row["ready"])
    wanting: dict[str, list[str]] = {}  # what many need is said once
    for row in rows:
        if not row["ready"]:
            wanting.setdefault(row["how"], []).append(row["name"])
    others = "; ".join(f"{', '.join(names)} ({how})" for how, names in wanting.items())
    return [
        Fact(group, "methods", ", ".join(row["name"] for row in methods())),
        Fact(group, "segmenters", ready),
        Fact(group, "not ready", others or "none"),
        Fact(group, "cache", str(cache_folder())),
        Fact(group, "samples", ", ".join(samples.list())),
    ]


def _trial() -> list[Fact]:
    """Compare a tiny picture with itself, and with one that has a square painted on it."""
    group = "Trial"
    reference = np.random.default_rng(0).integers(80, 120, (96, 128, 3), np.uint8)
    current = reference.copy()
    current[30:60, 40:80] = 230
    started = time.perf_counter()
    try:
        same = compare(reference, reference, cache=None)
        other = compare(reference, current, cache=None)
    except Exception as error:  # whatever it is, the report is where it belongs
        return [Fact(group, "comparison", f"{type(error).__name__}: {error}", ok=False)]
    spent = (time.perf_counter() - started) * 1000
    facts = []
    for name, result, expected, exact in (
        ("identical pair", same, 0, True),
        ("changed pair", other, 1, False),
    ):
        found = f"SSIM {result.ssim_score:.6g}, anomalies found: {len(result.anomalies)}"
        fine = len(result.anomalies) == expected and (result.ssim_score == 1.0) is exact
        told = found if fine else f"{found}; expected: {expected}"
        facts.append(Fact(group, name, told, ok=fine))
    return [*facts, Fact(group, "time", f"{spent:.0f} ms for both")]
