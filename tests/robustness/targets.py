"""What is done with a broken file: the promise is a result or one of vde-nb's own errors.

Each target takes the bytes of a file and returns, whatever they are. What it raises is a fault.
"""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import numpy as np

from tests.robustness import mutate, seeds
from vde_nb.errors import VdeError

__all__ = ["GENERATORS", "TARGETS", "place"]

Target = Callable[[bytes], None]


@lru_cache(maxsize=1)
def place() -> Path:
    """Where the files of this process lie; it holds the pictures that documents name."""
    made = mkdtemp(prefix="vde-nb-fuzz-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return seeds.fill(Path(made))


def _file(name: str, data: bytes) -> Path:
    path = place() / name
    path.write_bytes(data)
    return path


def images(data: bytes) -> None:
    """Load a picture."""
    from vde_nb.images import load

    with suppress(VdeError):
        array = load(data, max_megapixels=1).array
        assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
        assert 0 < array.shape[0] * array.shape[1] <= 1_000_000


def sessions(data: bytes) -> None:
    """Load a session into a panel."""
    from types import SimpleNamespace

    from vde_nb.panel._session import load_session

    given: dict[str, Any] = {}
    panel = SimpleNamespace(root=place(), pairs=[], sources=(None, None))
    panel.restore_state = given.update
    with suppress(VdeError):
        load_session(panel, _file("session.json", data))
        assert given
        root = place().resolve()
        for side in (side for pair in given["pairs"] for side in pair):
            for source in side if isinstance(side, list) else [side]:
                assert not isinstance(source, str) or root in Path(source).resolve().parents


def reviews(data: bytes) -> None:
    """Take reviews from a document."""
    from vde_nb.reviewing import checked_reviews

    with suppress(VdeError):
        for one in checked_reviews(_document(data)):
            assert len(one.box) == 4 and len(one.comment) <= 10_000


def annotations(data: bytes) -> None:
    """Read COCO annotations."""
    from vde_nb.evaluate import load_coco

    with suppress(VdeError):
        load_coco(_file("coco.json", data))


def settings(data: bytes) -> None:
    """Make settings of a document."""
    from vde_nb.settings import Settings

    document = _document(data)
    if isinstance(document, dict) and all(isinstance(name, str) for name in document):
        with suppress(VdeError, TypeError):  # an unknown name is a TypeError that says so
            Settings.from_dict(document)


def models(data: bytes) -> None:
    """Load a saved model of normality."""
    from vde_nb.normality import Normality

    with suppress(VdeError):
        Normality.load(_file("seed.normality.safetensors", data)).table()


def embeddings(data: bytes) -> None:
    """Read a kept embedding, which is never an error."""
    from vde_nb.segment.embeddings import EmbeddingCache

    folder = place() / "embeddings"
    folder.mkdir(exist_ok=True)
    (folder / f"{seeds.KEY}.safetensors").write_bytes(data)
    cache = EmbeddingCache(folder)
    found = cache.get(seeds.KEY)
    cache.info()
    assert found is not None or cache.note()
    for array in (found or {}).values():
        assert np.isfinite(array).all()


def checkpoints(data: bytes) -> None:
    """Tell what a checkpoint of torch is."""
    _identify(_file("model.pth", data))


def tensors(data: bytes) -> None:
    """Tell what a safetensors file is."""
    _identify(_file("model.safetensors", data))


def folders(data: bytes) -> None:
    """Tell what a folder of transformers is, of which only the configuration is given."""
    from vde_nb.features._identify import identify_features

    folder = place() / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(seeds.tensors())
    (folder / "config.json").write_bytes(data)
    _identify(folder)
    with suppress(VdeError):
        identify_features(folder)


def names(data: bytes) -> None:
    """Read times from names of files."""
    from vde_nb.normality._times import timeline

    said = data.decode("utf-8", "surrogateescape").replace("\0", "").split("\n")
    timeline(said, None)


def rows(data: bytes) -> None:
    """Check a row of a run."""
    from vde_nb.batch._row import KEYS, checked_row, folder_of

    with suppress(ValueError):
        row = checked_row(_document(data))
        assert tuple(row) == KEYS
        assert row["folder"] in (None, folder_of(row["same_as"] or row["id"]))


#: Files of the folder of a run, of which one is exchanged.
_RUN = ("run.json", "results.ndjson", "timings.ndjson", "reviews.json", "journal.ndjson")


def runs(data: bytes) -> None:
    """Open the folder of a run, and make what is made of one; the first byte says which file."""
    from tests.security.hostile import run_folder
    from vde_nb.batch import open_run

    which = _RUN[(data[0] if data else 0) % len(_RUN)]
    folder = run_folder(place() / "run", "a", rows=2)
    (folder / "reviews.json").unlink(missing_ok=True)
    if which == "journal.ndjson":  # which is looked at while there is nothing better
        (folder / "results.ndjson").unlink()
        text = (folder / "run.json").read_text().replace('"finished"', '"running"', 1)
        (folder / "run.json").write_text(text)
    (folder / which).write_bytes(data[1:])
    with suppress(VdeError):
        run = open_run(folder)
        for row in run.rows():
            run.thumbnail(row)
        run.worst(5), run.summary(), run.timings(), run.to_html(), run._repr_html_(), repr(run)
        run.check("major>0")
        list(run.reviews.pairs())


def rules(data: bytes) -> None:
    """Parse a rule, and ask it about a row."""
    from vde_nb.batch import parse_rule

    with suppress(VdeError):
        rule = parse_rule(data.decode("utf-8", "replace"), ["crack", "odd name"])
        assert rule(seeds.row()) in (True, False)


def tables(data: bytes) -> None:
    """List the pairs of a table."""
    from vde_nb.batch._pairs import list_pairs

    with suppress(VdeError):
        for name in ("pairs.csv", "pairs.ndjson"):
            list(list_pairs(_file(name, data)).pairs)


def _identify(path: Path) -> None:
    from vde_nb.segment._identify import identify

    with suppress(VdeError):
        identify(path)


def _document(data: bytes) -> Any:
    """What JSON comes to; None for what is none, which is not the target's to find out."""
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return None


def _resealed_model(draw: Random) -> bytes:
    """A model whose values were exchanged and whose digest is right again."""
    from vde_nb.normality import _container as container

    arrays, about = container.unpack(_file("sound.safetensors", seeds.model()))
    kept = dict(arrays)
    if draw.random() < 0.4:
        name = draw.choice(sorted(kept))
        array = kept[name]
        what = draw.randrange(4)
        if what == 0:
            del kept[name]
        elif what == 1:
            kept[name] = array.reshape(-1)[: draw.randrange(array.size + 1)]
        elif what == 2:
            kept[name] = np.frombuffer(mutate.broken(array.tobytes(), draw), np.uint8)
        else:
            kept[name] = np.zeros_like(array)
    if draw.random() < 0.8:
        about = mutate.twisted(about, draw)
    with suppress(ValueError, TypeError):  # NaN and the like, which no file of ours can hold
        return container.pack(kept, about)
    return seeds.model()


def _reheaded(data: bytes, draw: Random) -> bytes:
    """A safetensors file whose header speaks of something else."""
    length = int.from_bytes(data[:8], "little")
    head = mutate.twisted_text(json.loads(data[8 : 8 + length]), draw)
    return len(head).to_bytes(8, "little") + head + data[8 + length :]


def _either(
    sound: Callable[[], bytes], other: Callable[[Random], bytes]
) -> Callable[[Random], bytes]:
    def made(draw: Random) -> bytes:
        return mutate.broken(sound(), draw) if draw.random() < 0.4 else other(draw)

    return made


def _picture(draw: Random) -> bytes:
    files = list(seeds.pictures().values())
    data = draw.choice(files)
    if draw.random() < 0.1:
        return mutate.spliced(data, draw.choice(files), draw)
    return mutate.broken(data, draw)


def _run_file(draw: Random) -> bytes:
    """One file of the folder of a run, after the byte that says which."""
    from tests.security.hostile import run_folder

    which = draw.randrange(len(_RUN))
    row = seeds.row()
    timings = {"seconds": 0.5, "stages_ms": {"ssim": 1.5}, "worker": "w", "attempt": 1}
    if which == 0:
        folder = run_folder(place() / "sound", "a", rows=1)
        made = mutate.twisted_text(json.loads((folder / "run.json").read_text()), draw)
    elif which == 3:
        region = seeds.session()["pairs"][0]["reviews"][0]
        said = {"verdict": "accepted", "comment": "so", "regions": [region]}
        document = {"format": "vde-nb-reviews", "version": 1, "pairs": {row["id"]: said}}
        made = mutate.twisted_text(document, draw)
    else:
        entry = (row, {"id": row["id"], **timings}, None, {"row": row, "timings": timings})[
            which - 1
        ]
        lines = [mutate.twisted_text(entry, draw) for _ in range(draw.randint(1, 4))]
        made = draw.choice((b"\n", b"\n", b"\n\n", b"\r\n", b"")).join(lines)
    return bytes([which]) + made


_RULE = b"(major>0 or change >= 2.5) and not type:'odd name' != 3 and crack<10 or error==1"
_TABLE = b"reference,current,name,line\na.png,b.png,one,7\nsub/a.png,../b.png,two,8\n"
_CONFIG = {
    "model_type": "sam2",
    "architecture": "vit_small_patch14_dinov2",
    "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    "vision_config": {"hidden_size": 32, "image_size": 64},
}
_SETTINGS = {"method": "hybrid", "preset": "default", "threshold": 40, "min_area": 9, "align": True}
_NAMES = b"IMG_20261123_143000.jpg\n2026-11-23_14-30-00.png\n1763900000.tif\nframe 7.png"

#: What is done with the bytes of a file, by its kind.
TARGETS: dict[str, Target] = {
    "images": images,
    "sessions": sessions,
    "reviews": reviews,
    "annotations": annotations,
    "settings": settings,
    "models": models,
    "embeddings": embeddings,
    "checkpoints": checkpoints,
    "tensors": tensors,
    "folders": folders,
    "names": names,
    "rows": rows,
    "runs": runs,
    "rules": rules,
    "tables": tables,
}

#: What makes broken files of that kind.
GENERATORS: dict[str, Callable[[Random], bytes]] = {
    "images": _picture,
    "sessions": lambda draw: mutate.twisted_text(seeds.session(), draw),
    "reviews": lambda draw: mutate.twisted_text(seeds.session()["pairs"][0]["reviews"], draw),
    "annotations": lambda draw: mutate.twisted_text(seeds.coco(), draw),
    "settings": lambda draw: mutate.twisted_text(_SETTINGS, draw),
    "models": _either(seeds.model, _resealed_model),
    "embeddings": _either(seeds.embedding, lambda draw: _reheaded(seeds.embedding(), draw)),
    "checkpoints": lambda draw: mutate.broken(seeds.checkpoint(), draw),
    "tensors": _either(seeds.tensors, lambda draw: _reheaded(seeds.tensors(), draw)),
    "folders": lambda draw: mutate.twisted_text(_CONFIG, draw),
    "names": lambda draw: mutate.broken(_NAMES, draw),
    "rows": lambda draw: mutate.twisted_text(seeds.row(), draw),
    "runs": _run_file,
    "rules": lambda draw: mutate.broken(_RULE, draw),
    "tables": lambda draw: mutate.broken(_TABLE, draw),
}
