"""Fuzzing that is guided by coverage: atheris exchanges bytes, and keeps what reaches new code.

atheris is not among the extras of vde-nb: ``pip install atheris``. A file that breaks a promise is
written to the working folder as ``crash-…``, ``oom-…`` or ``timeout-…``, and is given again with
``python -m tests.robustness.fuzz_images crash-…``.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

_MEGABYTES = 2048  # of memory a file may make this process take
_SECONDS = 20  # a file may take
_LONGEST = 1 << 20  # bytes of a file
_SEEDS = 200  # files to begin with


def main(kind: str, arguments: list[str] | None = None) -> None:
    """Fuzz one kind of file until the time is over or a promise is broken; ends the process.

    Parameters
    ----------
    kind
        One of :data:`tests.robustness.targets.TARGETS`.
    arguments
        Of the command line.
    """
    parser = argparse.ArgumentParser(description=f"Fuzz what vde-nb does with {kind}.")
    parser.add_argument("--seconds", type=int, default=60, help="how long [default 60]")
    parser.add_argument("--corpus", type=Path, help="folder that keeps what reached new code")
    parser.add_argument("files", nargs="*", help="only try these files, once")
    options = parser.parse_args(arguments)
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    # Found before they are fuzzed: what libraries import later would count as new code.
    with atheris.instrument_imports(include=["vde_nb", "PIL"]):
        from tests.robustness.targets import GENERATORS, TARGETS

        TARGETS[kind](GENERATORS[kind](Random(0)))
    warnings.simplefilter("ignore")
    import cv2

    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    with TemporaryDirectory() as made:
        folder = options.corpus or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(_SEEDS):
            (folder / f"seed-{number}").write_bytes(GENERATORS[kind](Random(number))[:_LONGEST])
        limits = [
            f"-max_total_time={options.seconds}",
            f"-rss_limit_mb={_MEGABYTES}",
            f"-timeout={_SECONDS}",
            f"-max_len={_LONGEST}",
            "-verbosity=1",
        ]
        what = options.files or [str(folder)]

        def mutated(data: bytes, most: int, seed: int) -> bytes:
            """Bytes exchanged by libFuzzer; now and then a file of ours whose digest fits."""
            if seed % 4 == 0:
                return GENERATORS[kind](Random(seed))[:most]
            return atheris.Mutate(data, min(most, len(data) + 64))

        atheris.Setup([sys.argv[0], *limits, *what], TARGETS[kind], custom_mutator=mutated)
        atheris.Fuzz()
