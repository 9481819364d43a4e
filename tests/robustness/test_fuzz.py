"""Whatever is in a file, there is a result or an error of vde-nb, soon and in little memory."""

from __future__ import annotations

import re
import time
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness import seeds
from tests.robustness.targets import GENERATORS, TARGETS, place
from tests.robustness.tools import LINUX, python, resident, scaled

KINDS = sorted(TARGETS)
#: Seconds that one small file may take on a busy machine.
PATIENCE = 10
#: What decoders written in C print about damaged pictures; nobody can keep them from it.
_KNOWN = re.compile(
    r"Corrupt JPEG|JPEG|libpng|LZW|ZIP|Fax|TIFF|tempfile\.tif|PNG input|EstimateStrip|imdecode"
    r"|Bogus|SOS parameters|Premature end|Old-style|PackBits|Inconsistent|Invalid|Warning: unknown"
    r"|bad Huffman|^\s*$|^>$"
)


def skip_without(kind: str) -> None:
    if kind in ("checkpoints", "tensors", "folders"):
        pytest.importorskip("torch")
    if kind == "checkpoints":
        pytest.importorskip("segment_anything")


@pytest.mark.parametrize("kind", KINDS)
def test_the_sound_files_are_read(kind: str) -> None:
    """Otherwise all that follows would only show that what is broken is refused."""
    skip_without(kind)
    from vde_nb.evaluate import load_coco
    from vde_nb.images import load
    from vde_nb.normality import Normality
    from vde_nb.segment._entry import read
    from vde_nb.segment._identify import shapes_in

    folder = place()
    if kind == "images":
        for name, data in seeds.pictures().items():
            assert load(data).array.size, name
    elif kind == "sessions":
        TARGETS[kind](seeds.text(seeds.session()))
        assert (folder / "session.json").is_file()
    elif kind == "annotations":
        (folder / "coco.json").write_bytes(seeds.text(seeds.coco()))
        assert len(load_coco(folder / "coco.json")[0].truth.regions) == 3
    elif kind == "models":
        (folder / "m.safetensors").write_bytes(seeds.model())
        assert Normality.load(folder / "m.safetensors").names
    elif kind == "embeddings":
        (folder / "e.safetensors").write_bytes(seeds.embedding())
        assert set(read(folder / "e.safetensors", seeds.KEY)) == {"features", "high"}
    elif kind in ("checkpoints", "tensors"):
        name = {"checkpoints": "c.pth", "tensors": "c.safetensors"}[kind]
        (folder / name).write_bytes(
            getattr(seeds, kind.removesuffix("s") if "ch" in kind else kind)()
        )
        assert "image_encoder.pos_embed" in shapes_in(folder / name)
    else:
        TARGETS[kind](GENERATORS[kind](Random(0)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_broken_file_is_a_result_or_an_error_of_ours(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    skip_without(kind)

    # The same files every time: what is new is looked for by the long test.
    @settings(
        max_examples=300,
        deadline=PATIENCE * 1000,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**40))
    def tried(seed: int) -> None:
        TARGETS[kind](GENERATORS[kind](Random(seed)))

    before = resident() if LINUX else 0
    tried()
    if LINUX:
        assert resident() - before < 300e6
    said = [line for line in capfd.readouterr().err.splitlines() if not _KNOWN.search(line)]
    assert not said


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=PATIENCE * 1000, derandomize=True, database=None)
@given(data=st.binary(max_size=400))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_noise_is_refused(kind: str, data: bytes) -> None:
    skip_without(kind)
    TARGETS[kind](data)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_broken_files(kind: str) -> None:
    """In a process of its own, which a fault in C may end; other files every time."""
    skip_without(kind)
    first = time.time_ns() % 2**40
    ended = python(
        """
        import sys, time, warnings
        from random import Random
        from tests.robustness.targets import GENERATORS, TARGETS
        warnings.simplefilter("ignore")
        kind, first, count, patience = sys.argv[1], *map(int, sys.argv[2:])
        for seed in range(first, first + count):
            data, begun = GENERATORS[kind](Random(seed)), time.monotonic()
            try:
                TARGETS[kind](data)
            except BaseException:
                print("seed", seed)
                raise
            assert time.monotonic() - begun < patience, seed
        print("all", count)
        """,
        kind,
        first,
        scaled(100_000),
        PATIENCE,
        seconds=3600,
    )
    assert ended.status == 0, (first, ended.out[-300:], ended.err[-2000:])
    assert ended.out.startswith("all")


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_minute_of_fuzzing_guided_by_coverage(kind: str) -> None:
    skip_without(kind)
    pytest.importorskip("atheris", reason="pip install atheris")
    ended = python(
        """
        import sys
        from tests.robustness.harness import main
        main(sys.argv[1], ["--seconds", sys.argv[2]])
        """,
        kind,
        scaled(60),
        seconds=600,
    )
    assert ended.status == 0, ended.err[-3000:]
