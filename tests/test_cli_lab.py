"""``vde-nb lab``: from two pictures on the command line to a notebook that JupyterLab opens."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import vde_nb as vde
from vde_nb import _cli_lab, _extras
from vde_nb.cli import main

NAME = "vde-nb-panel.ipynb"


def picture(path: Path, *, changed: bool = False) -> Path:
    pixels = np.random.default_rng(0).integers(80, 120, (64, 80, 3), np.uint8)
    if changed:
        pixels[20:40, 30:60] = 230
    done, data = cv2.imencode(".png", pixels)
    assert done
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.tobytes())  # OpenCV writes no names beyond ASCII on Windows
    return path


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working folder with two pictures."""
    picture(tmp_path / "golden.png")
    picture(tmp_path / "today.png", changed=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """What would have been started, instead of starting it."""
    found: list[list[str]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)  # whoever runs the tests
    monkeypatch.setattr(_cli_lab, "_serve", lambda command: found.append(command) or 0)
    not_installed = _extras.not_installed
    here = {"jupyterlab", "ipykernel"}  # what is not started need not be installed
    monkeypatch.setattr(
        _extras,
        "not_installed",
        lambda *names: [one for one in not_installed(*names) if one not in here],
    )
    return found


@pytest.fixture
def lab(capsys, commands):
    """Run ``vde-nb lab``: (status, what it said, what it complained of)."""

    def lab(*words: object) -> tuple[int, str, str]:
        status = main(["lab", *map(str, words)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return lab


def hears() -> None:
    """Have a process hear Ctrl-C, which all that a shell starts in its background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


PRESS = "# Press Shift+Enter, and the panel appears below.\n"


def cell(path: Path = Path(NAME)) -> str:
    """The text of the notebook's only code cell."""
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    # The first is the one that is chosen when it opens.
    assert [one.cell_type for one in notebook.cells] == ["code", "markdown"]
    assert notebook.metadata.kernelspec.name == "python3"
    return notebook.cells[0].source.removeprefix(PRESS)


@contextlib.contextmanager
def shown(source: str):
    """The panel that a cell shows, run as a kernel runs it."""
    transformer = pytest.importorskip("IPython.core.inputtransformer2").TransformerManager()
    scope: dict = {}
    exec(transformer.transform_cell(source), scope)
    with contextlib.closing(scope["panel"]) as panel:
        yield panel


def files(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def refused(result: tuple[int, str, str]) -> str:
    status, out, err = result
    assert (status, out) == (2, "") and err.startswith("vde-nb: error: ") and err.count("\n") == 1
    return err


# ----------------------------------------------------------------------------------- the notebook


def test_two_pictures_become_a_notebook_that_shows_them(here, lab, commands):
    status, out, err = lab("golden.png", "today.png")
    assert (status, err) == (0, "")
    assert f"Written: {here / NAME}\n" in out and "Shift+Enter" in out and "Ctrl-C" in out
    assert cell() == ('import vde_nb as vde\n\npanel = vde.Panel("golden.png", "today.png")\npanel')
    with shown(cell()) as panel:
        assert len(panel.comparison.anomalies) == 1
    (command,) = commands
    assert command[0] == sys.executable and "jupyterlab" in command[2]
    assert f"--ServerApp.root_dir={here}" in command
    assert f"--LabApp.default_url=/lab/tree/{NAME}" in command
    assert "--no-browser" not in command and "--allow-root" not in command


def test_root_is_told_before_jupyterlab_refuses(here, lab, monkeypatch):
    assert lab("golden.png", "today.png")[2] == ""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--allow-root" in lab("golden.png", "today.png")[2]
    assert lab("golden.png", "today.png", "--allow-root")[2] == ""


def test_a_line_says_what_to_press_and_what_is_below_where_to_go_on(here, lab):
    lab("golden.png", "today.png")
    first, below = json.loads(Path(NAME).read_text("utf-8"))["cells"]
    assert "".join(first["source"]).startswith(PRESS)
    named = re.findall(r"notebooks/\w+\.ipynb", "".join(below["source"]))
    root = Path(vde.__file__).parents[1]
    assert named and all((root / one).is_file() for one in named)


def test_without_pictures_a_bundled_pair_is_shown(here, lab):
    assert lab()[0] == 0
    with shown(cell()) as panel:
        truth = vde.samples.load("tyre").truth.regions
        assert len(panel.comparison.anomalies) == len(truth)


def test_two_folders_are_gone_through_and_lone_pictures_are_told(here, lab):
    for folder in ("good", "new"):
        for name in ("1.png", "2.png"):
            picture(here / folder / name)
    picture(here / "new" / "3.png")
    status, out, _ = lab("good", "new")
    assert status == 0 and out.startswith("2 pairs, 1 picture without a partner")
    with shown(cell()) as panel:
        assert len(panel.pairs) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize(
    "name",
    [
        "it's.png",
        'a "golden" one.png',
        "both ' and \".png",
        "two\nlines.png",
        "\\n.png",
        "{}{0}%s.png",
        "what?.png",
        "!ls.png",
        "%run.png",
        "~root.png",
        "data:x.png",
        "\U0001f600 größe \u202e\u2028.png",
        '""");quit("""',
        os.fsdecode(b"\xe4\xff.png"),
        "x" * 120 + ".png",
    ],
)
def test_a_name_of_any_letters_is_opened_and_never_run(here, lab, name):
    try:
        picture(here / name, changed=True)
    except OSError:
        pytest.skip("this file system has no such names")  # macOS: no UTF-8
    status, _, err = lab("golden.png", here / name)
    assert (status, err) == (0, "")
    with shown(cell()) as panel:
        assert len(panel.comparison.anomalies) == 1
        assert Path(panel.sources[1]).absolute() == here / name


def test_pictures_below_the_notebook_are_named_from_there_so_that_it_can_be_moved(here, lab):
    picture(here / "a" / "golden.png")
    (here / "b").mkdir()
    lab(here / "a" / "golden.png", "today.png", "--out", "b/look.ipynb")
    source = cell(here / "b" / "look.ipynb")
    assert repr(str(here / "a" / "golden.png"))[1:-1] in source, "elsewhere: by its whole path"
    lab(here / "a" / "golden.png", here / "today.png")
    assert f'vde.Panel("{Path("a", "golden.png")}", "today.png")' in cell()


def test_plugins_and_the_root_are_handed_on(here, lab):
    (here / "rules.py").write_text('import vde_nb as vde\n@vde.anomaly_type("mark")\ndef f(r): ...')
    status, _, _ = lab("golden.png", "today.png", "--plugin", "rules.py", "--root", here)
    assert status == 0
    assert 'root="."' in cell() and 'plugins=["rules.py"]' in cell()


# ---------------------------------------------------------------------------------------- a second


def test_the_same_command_opens_the_notebook_again_as_it_was_saved(here, lab, commands):
    lab("golden.png", "today.png")
    saved = json.loads(Path(NAME).read_text("utf-8"))
    saved["cells"][0]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["what came of it"]}
    ]
    saved["cells"].append(
        {"cell_type": "code", "id": "m", "metadata": {}, "outputs": [], "source": "panel.code()"}
    )
    Path(NAME).write_text(json.dumps(saved))
    before = files(here)
    status, out, _ = lab("golden.png", "today.png")
    assert status == 0 and out.startswith(f"Opened again as it is: {here / NAME}\n")
    assert files(here) == before and len(commands) == 2


@pytest.mark.parametrize(
    "content", [b"", b"mine", b"[1]", b'{"cells": 3}', b'{"cells": []}', b"\xff", b"[" * 100_000]
)
def test_anything_else_in_its_place_is_kept_without_overwrite(here, lab, commands, content):
    Path("mine.ipynb").write_bytes(content)
    words = ("golden.png", "today.png", "--out", "mine.ipynb")
    told = refused(lab(*words))
    assert "mine.ipynb is there already, and opens something else" in told
    assert "--out" in told and "--overwrite" in told
    assert Path("mine.ipynb").read_bytes() == content and not commands
    assert lab(*words, "--overwrite")[0] == 0
    assert "today.png" in cell(Path("mine.ipynb"))


def test_without_a_name_other_pictures_get_another_notebook(here, lab, commands):
    Path(NAME).write_text("mine")
    second, third = (here / f"vde-nb-panel-{number}.ipynb" for number in (2, 3))
    assert f"Written: {second}\n" in lab("golden.png", "today.png")[1]
    assert f"Written: {third}\n" in lab("today.png", "golden.png")[1]
    before = files(here)
    assert f"Opened again as it is: {second}\n" in lab("golden.png", "today.png")[1]
    assert f"Opened again as it is: {third}\n" in lab("today.png", "golden.png")[1]
    assert files(here) == before and Path(NAME).read_text() == "mine"
    assert commands[2][4].endswith("/vde-nb-panel-2.ipynb")
    lab("today.png", "golden.png", "--overwrite")
    assert 'vde.Panel("today.png", "golden.png")' in cell()


# ---------------------------------------------------------------------------------------- a run


@pytest.fixture
def a_run(here) -> Path:
    for folder in ("good", "new"):
        for name in ("1.png", "2.png"):
            picture(here / folder / name, changed=folder + name == "new2.png")
    how = {"method": "hybrid", "segmenter": "none", "workers": 0, "progress": False}
    vde.compare_many(("good", "new"), out="runs/today", **how)
    return here / "runs" / "today"


def test_a_run_is_opened_as_a_gallery(a_run, lab):
    status, _, err = lab(Path("runs", "today"))
    assert (status, err) == (0, "")
    with shown(cell()) as panel:
        assert panel.run.folder == a_run
        assert len(panel.pairs) == 2 and len(panel.comparison.anomalies) == 1


def test_pictures_of_a_run_that_lie_elsewhere_are_told_with_the_option_that_opens_them(
    a_run, lab, monkeypatch
):
    away = a_run.parents[1] / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    status, _, err = lab(a_run)
    assert status == 0
    assert f"--root {a_run.parents[1]}\n" in err
    status, _, err = lab(a_run, "--root", a_run.parents[1], "--overwrite")
    assert (status, err) == (0, "")
    with shown(cell(away / NAME)) as panel:
        assert len(panel.comparison.anomalies) == 1, "its pictures are opened"


@pytest.mark.skipif(os.name == "nt", reason="/etc/hosts")
def test_no_run_talks_anybody_into_opening_the_whole_disk(a_run, lab):
    for table in a_run.glob("*.ndjson"):
        table.write_text(table.read_text("utf-8").replace("good/1.png", "/etc/hosts"), "utf-8")
    assert "/etc/hosts" in (a_run / "results.ndjson").read_text("utf-8")
    status, _, err = lab(a_run)
    assert status == 0 and "--root / " not in f"{err} ".replace("\n", " ")


# ------------------------------------------------------------------------------ things go wrong


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["golden.png"], "golden.png is one picture: give two"),
        (["nothing"], "nothing does not exist: give two pictures, two folders, or a run"),
        (["folder"], "or the folder of a run, in which there is a run.json"),
        (["golden.png", "today.pgn"], "today.pgn does not exist"),
        (["golden.png", "folder"], "folder is a folder, golden.png is none: give two pictures"),
        (["folder", "golden.png"], "folder is a folder, golden.png is none: give two pictures"),
        (["folder", "folder"], "pictures of two folders are matched by name"),
        (["golden.png", "notes.txt"], "notes.txt does not look like a picture"),
        (["https://x.org/a.png", "today.png"], "is a URL"),
        (["", "today.png"], "'' is no picture and no folder"),
        (["golden.png", "today.png", "third.png"], "one argument too many: 'third.png'"),
        (["golden.png", "today.png", "--out", "a.py"], "is no name of a notebook"),
        (["golden.png", "today.png", "--out", ".a.ipynb"], "is no name of a notebook"),
        (["golden.png", "today.png", "--out", "no/a.ipynb"], "There is no folder"),
        (["golden.png", "today.png", "--out", "\udcff.ipynb"], "is no name of a notebook"),
        (["golden.png", "today.png", "--root", "no"], "--root: there is no folder no"),
        (["golden.png", "today.png", "--plugin", "no.py"], "--plugin: there is no file no.py"),
        (["--root", "folder"], "give REF and CUR"),
        (["golden.png", "today.png", "--port", "0"], "'0' is no port: a whole number from 1"),
        (["golden.png", "today.png", "--port", "99999"], "'99999' is no port"),
        (["golden.png", "today.png", "--port", "0000088889"], "'0000088889' is no port"),
        (["golden.png", "today.png", "--brows"], "did you mean --no-browser"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_written_or_started(
    here, lab, commands, words, told
):
    (here / "folder").mkdir()
    (here / "notes.txt").write_text("not a picture")
    before = files(here)
    assert told in refused(lab(*words))
    assert files(here) == before and not commands


def test_without_jupyterlab_both_ways_out_are_told(here, lab, commands, monkeypatch):
    monkeypatch.setattr(_extras, "not_installed", lambda *names: ["jupyterlab"])
    before = files(here)
    told = refused(lab("golden.png", "today.png"))
    assert 'jupyterlab: pip install "vde-nb[lab]"' in told and "--save html" in told
    assert files(here) == before and not commands


def test_options_of_the_server_are_handed_on(here, lab, commands):
    lab("golden.png", "today.png", "--port", "8899", "--no-browser", "--allow-root")
    assert {"--ServerApp.port=8899", "--no-browser", "--allow-root"} <= set(commands[0])


def test_a_module_beside_the_pictures_is_not_taken_for_one_of_jupyterlab(here, lab, commands):
    pytest.importorskip("jupyterlab")
    for name in ("jupyterlab.py", "tornado.py", "random.py"):
        (here / name).write_text("print('of the working folder'); raise SystemExit(7)")
    assert lab("golden.png", "today.png")[0] == 0
    words = [*commands[0][:3], "--version"]
    done = subprocess.run(words, cwd=here, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout[0].isdigit()


@pytest.mark.skipif(os.name == "nt", reason="making links takes rights there")
def test_what_lies_above_a_link_is_named_as_it_is_found(here, lab):
    picture(here / "far" / "golden.png")
    (here / "far" / "inner").mkdir()
    (here / "link").symlink_to(here / "far" / "inner")
    (here / "golden.png").unlink()
    assert lab("link/../golden.png", "today.png")[0] == 0
    with shown(cell()) as panel:
        assert len(panel.comparison.anomalies) == 1


def test_a_notebook_of_any_name_has_an_address(here, lab, commands):
    lab("golden.png", "today.png", "--out", "für #1 & 50%?.ipynb")
    address = "--LabApp.default_url=/lab/tree/f%C3%BCr%20%231%20%26%2050%25%3F.ipynb"
    assert address in commands[0]


# ------------------------------------------------------------------------------ a real JupyterLab

pytest_posix = pytest.mark.skipif(os.name == "nt", reason="signals are sent")


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    homes = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    return subprocess.Popen(
        [sys.executable, "-m", "vde_nb", "lab", *words],
        cwd=folder,
        env={**os.environ, **homes, "PYTHONPATH": str(Path(vde.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=hears,
    )


@pytest_posix
def test_jupyterlab_serves_the_notebook_and_ends_with_an_interrupt(here):
    pytest.importorskip("jupyterlab")
    words = ("golden.png", "today.png", "--no-browser", "--allow-root", "--out", "größe 1.ipynb")
    process = started(here, *words)
    try:
        said, found = "", None
        until = time.monotonic() + 60
        while found is None and time.monotonic() < until:
            line = process.stdout.readline()
            assert line, f"it ended:\n{said}"
            said += line
            found = re.search(r"(http://127\.0\.0\.1:\d+)/lab/tree/(\S+)\?token=(\w+)", line)
        address, name, token = found.groups()
        assert name == "gr%C3%B6%C3%9Fe%201.ipynb"
        asked = f"{address}/api/contents/{name}?token={token}"
        served = None
        while served is None and time.monotonic() < until:  # it tells its address a little early
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(asked, timeout=30) as answer,
            ):
                served = json.load(answer)
            time.sleep(0.05)
        assert served["content"]["cells"][0]["source"].endswith("\npanel")
        # As Ctrl-C in a terminal: all of the session hear it.
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, said + rest
        assert "Traceback" not in said + rest
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


SERVE = """
import sys
from vde_nb import _cli_lab
_cli_lab._SECONDS = {seconds}
sys.exit(_cli_lab._serve([sys.executable, "-c", {child}]))
"""
SLEEPS = "import time; print('begun', flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


@contextlib.contextmanager
def serving(child: str, seconds: float = 15) -> Iterator[subprocess.Popen[str]]:
    """A process that serves what runs `child` in the place of JupyterLab, which has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE.format(child=repr(child), seconds=seconds)],
        cwd=Path(vde.__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=hears,
    )
    try:
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest_posix
@pytest.mark.parametrize(
    ("number", "whole", "status"),
    [
        (signal.SIGINT, True, 130),
        (signal.SIGINT, False, 130),
        (signal.SIGTERM, False, 143),
        (getattr(signal, "SIGHUP", 1), True, 129),  # the terminal is closed
    ],
)
def test_who_ends_it_while_it_starts_ends_both_quietly(number, whole, status):
    with serving(SLEEPS) as process:
        (os.killpg if whole else os.kill)(process.pid, number)
        rest, _ = process.communicate(timeout=20)
        assert (process.returncode, rest) == (status, "")
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)


@pytest_posix
def test_one_that_does_not_end_is_killed_and_that_is_said():
    with serving(DEAF, seconds=0.5) as process:
        os.kill(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
        assert process.returncode == 130
        assert rest == "vde-nb: note: JupyterLab did not end within 0.5 seconds, and is killed\n"


def test_the_status_is_that_of_what_was_started():
    assert _cli_lab._serve([sys.executable, "-c", "raise SystemExit(3)"]) == 3
