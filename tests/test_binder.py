"""What mybinder.org builds from `binder/`: installed from exactly these files, and used.

repo2docker itself needs Docker and is not tried here. What it does with these files: pip installs
`binder/requirements.txt` in the folder of the repository, then `binder/postBuild` runs there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
NOTEBOOKS = ROOT / "notebooks"

#: What must not come along: gigabytes, of no use on a machine without a GPU.
HEAVY = re.compile(r"torch|nvidia|cuda|triton|tensorflow|jax", re.I)
#: What pip says when it reaches nobody.
UNREACHED = re.compile(r"No matching distribution|connection|Temporary failure|timed out", re.I)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="mybinder.org is Linux")


class Image:
    """The environment that was built, as a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Nothing of the user's: neither settings of Jupyter nor kernels of other environments.
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER"))}
        own = folder.parent / "home"
        self.environment = {
            **clean,
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(folder),
            "JUPYTER_CONFIG_DIR": str(own / "config"),
            "JUPYTER_DATA_DIR": str(own / "data"),
            "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
            "IPYTHONDIR": str(own / "ipython"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }

    def run(self, *command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run a command with the environment's programs in front."""
        return subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=900,
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """A fresh environment with what `binder/` asks for: some minutes where nothing is cached."""
    folder = tmp_path_factory.mktemp("binder") / "env"
    venv.create(folder, with_pip=True)
    built = Image(folder)
    pip = ("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    done = built.run(*pip, "--retries", "1", "-r", "binder/requirements.txt")
    if done.returncode and UNREACHED.search(done.stderr) and not os.environ.get("CI"):
        pytest.skip(f"pip reaches no index: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    yield built
    shutil.rmtree(folder)  # pytest keeps the folders of three sessions


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


# ------------------------------------------------------------------------------------ without pip


def test_there_is_nothing_that_repo2docker_would_not_read() -> None:
    known = {"requirements.txt", "runtime.txt", "postBuild", "start", "apt.txt"}
    assert {path.name for path in BINDER.iterdir()} <= known


def test_the_python_of_the_image_is_one_that_the_package_allows() -> None:
    asked = re.fullmatch(r"python-3\.(\d+)\n", (BINDER / "runtime.txt").read_text())
    least = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert asked and least
    assert int(asked[1]) >= int(least[1])


def test_what_runs_after_the_installation_can_be_executed() -> None:
    assert os.access(BINDER / "postBuild", os.X_OK)


@pytest.mark.parametrize("page", ["README.md", *sorted(p.name for p in NOTEBOOKS.glob("*.ipynb"))])
def test_badges_open_what_is_there(page: str) -> None:
    if page == "README.md":
        text = (ROOT / page).read_text(encoding="utf-8")
    else:
        text = "".join(read(NOTEBOOKS / page)["cells"][0]["source"])
    opened = re.findall(r"mybinder\.org/v2/gh/[^)\s]*?labpath=([^)\s&]+)", text)
    opened += re.findall(r"colab\.research\.google\.com/github/[^)\s]*?/blob/main/([^)\s]+)", text)
    assert len(opened) == 2
    for path in opened:
        target = ROOT / path.replace("%2F", "/")
        assert target.is_file()
        assert page == "README.md" or target.name == page


# -------------------------------------------------------------------------------------- installed


def test_nothing_for_graphics_cards_comes_along(image: Image) -> None:
    listed = (
        "import importlib.metadata as m; print(*(d.metadata['Name'] for d in m.distributions()))"
    )
    names = set(image.run("python", "-c", listed).stdout.split())
    assert {"vde-nb", "jupyterlab", "ipywidgets", "anywidget"} <= names
    assert not [name for name in names if HEAVY.search(name)]


def test_it_is_no_larger_than_the_readme_says(image: Image) -> None:
    said = re.search(r"Binder's image gets ([\d.]+) GB", (ROOT / "README.md").read_text("utf-8"))
    assert said
    files = (Path(at) / name for at, _, names in os.walk(image.folder) for name in names)
    size = sum(path.lstat().st_blocks * 512 for path in files)
    assert size / 1e9 < 1.3 * float(said[1])  # packages grow from release to release


def test_the_build_ends_with_a_comparison_that_works(image: Image) -> None:
    done = image.run("bash", "binder/postBuild")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything needed works" in done.stdout


def test_the_quick_start_runs_in_it_without_a_warning(image: Image, tmp_path: Path) -> None:
    notebook = read(NOTEBOOKS / "01_quickstart.ipynb")
    last: dict[str, Any] = {
        "cell_type": "code",
        "id": "last",
        "metadata": {},
        "execution_count": None,
    }
    notebook["cells"].append({**last, "outputs": [], "source": "print(vde.__file__)"})
    (tmp_path / "tour.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    execute = ("jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", "done")
    done = image.run(*execute, "tour.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cells = [c for c in read(tmp_path / "done.ipynb")["cells"] if c["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in cells if cell["source"])
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    # What ran is what was installed, not this repository or another environment.
    assert "".join(outputs[-1]["text"]).startswith(str(image.folder))
