"""Nothing that is read is run: no pickle, no eval, whatever a file is called."""

from __future__ import annotations

import ast
import pickle
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vde_nb
from tests.robustness import seeds
from vde_nb import VdeError

SOURCES = sorted(Path(vde_nb.__file__).parent.rglob("*.py"))

if TYPE_CHECKING:
    from typing import TypeGuard

#: Modules that run what they read, and names of functions that do.
MODULES = {"marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "jsonpickle", "xmlrpc"}
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
SHELL = {"os.system", "popen", "spawnl", "spawnv", "execv", "execl", "Popen", "check_output"}
#: `vde-nb lab` starts JupyterLab, by a list of words and without a shell.
STARTS = {("_cli_lab.py", "subprocess.Popen")}


@lru_cache(maxsize=1)
def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text("utf-8"))) for path in SOURCES]


def test_no_module_is_used_that_runs_what_it_reads() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [one.name.split(".")[0] for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            assert not MODULES & set(names), path
            if "pickle" in names:  # for the names of errors, and nothing else
                used = {n.attr for n in ast.walk(tree) if _is_attribute_of(n, "pickle")}
                if isinstance(node, ast.ImportFrom):
                    used |= {one.name for one in node.names}
                assert used <= {"PicklingError", "UnpicklingError"}, (path, used)


def _is_attribute_of(node: ast.AST, name: str) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    )


def test_nothing_that_runs_text_or_a_pickle_is_called() -> None:
    for path, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            given = {one.arg: ast.unparse(one.value) for one in node.keywords}
            where = f"{path}:{node.lineno}: {called}"
            assert not (isinstance(node.func, ast.Name) and node.func.id in CALLS), where
            if (path.name, called) not in STARTS:
                assert not {called, called.rpartition(".")[2]} & SHELL, where
            assert given.get("shell", "False") == "False", where
            assert given.get("allow_pickle", "False") == "False", where
            assert given.get("trust_remote_code", "False") == "False", where
            if called in ("torch.load", "torch.hub.load"):
                assert called == "torch.load" and given.get("weights_only") == "True", where
            if called.endswith(("np.load", "numpy.load")):
                assert given.get("allow_pickle") == "False", where
            if called.endswith((".from_pretrained", "create_model")):
                assert given.get("local_files_only") == "True" or (
                    given.get("pretrained") == "False"
                ), where


class Evil:
    """Leaves a file where it was unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return open, (str(self.mark), "w")


def as_weights(path: Path) -> None:
    from vde_nb.segment._identify import identify

    identify(path.rename(path.with_suffix(".pth")))


def as_safetensors(path: Path) -> None:
    from vde_nb.segment._identify import identify

    identify(path.rename(path.with_suffix(".safetensors")))


def as_folder_of_weights(path: Path) -> None:
    from vde_nb.segment._identify import identify

    folder = path.parent / "folder"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "sam2"}')
    path.rename(folder / "pytorch_model.bin")
    identify(folder)


def as_features(path: Path) -> None:
    from vde_nb.features import add_features, remove_features

    try:
        add_features("evil", path, architecture="vit_tiny_patch16_224")
    finally:
        remove_features("evil")


def as_model(path: Path) -> None:
    from vde_nb import Normality

    Normality.load(path)


def as_embedding(path: Path) -> None:
    from vde_nb.segment.embeddings import EmbeddingCache

    folder = path.parent / "kept"
    folder.mkdir()
    shutil.move(path, folder / f"{seeds.KEY}.safetensors")
    cache = EmbeddingCache(folder)
    assert cache.get(seeds.KEY) is None
    raise VdeError(cache.note())


def as_session(path: Path) -> None:
    from types import SimpleNamespace

    from vde_nb.panel._session import load_session

    load_session(SimpleNamespace(root=path.parent, pairs=[], sources=(None, None)), path)


def as_picture(path: Path) -> None:
    vde_nb.compare(path, path)


def as_annotations(path: Path) -> None:
    from vde_nb.evaluate import load_coco

    load_coco(path)


def as_run(path: Path) -> None:
    open_run = pytest.importorskip("vde_nb.batch.run").open_run
    folder = path.parent / "run"
    folder.mkdir()
    path.rename(folder / "run.json")
    open_run(folder)


def as_rows(path: Path) -> None:
    from tests.security.hostile import run_folder

    open_run = pytest.importorskip("vde_nb.batch.run").open_run
    folder = run_folder(path.parent / "run", "a")
    path.rename(folder / "results.ndjson")
    assert not list(open_run(folder).rows())
    raise VdeError


def as_rule(path: Path) -> None:
    parse_rule = pytest.importorskip("vde_nb.batch.rules").parse_rule
    parse_rule(f"__import__('pathlib').Path({str(path)!r}).touch() or major>0")


WAYS = (
    *(as_weights, as_safetensors, as_folder_of_weights, as_features, as_model, as_embedding),
    *(as_session, as_picture, as_annotations, as_run, as_rows, as_rule),
)


@pytest.mark.parametrize("way", WAYS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_refused_and_not_run(
    way: Callable[[Path], None], protocol: int, tmp_path: Path
) -> None:
    if way in (as_weights, as_safetensors, as_folder_of_weights, as_features):
        pytest.importorskip("torch")
        pytest.importorskip("timm")
    mark = tmp_path / "ran"
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"image_encoder.pos_embed": Evil(mark)}, protocol=protocol))
    with pytest.raises(VdeError):
        way(path)
    assert not mark.exists()
    # The mark would have been made: what is refused here does run.
    pickle.loads(pickle.dumps(Evil(mark), protocol=protocol)).close()
    assert mark.exists()
