"""The command line, as a person and as a script use it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vde_nb
from vde_nb import cli, samples
from vde_nb._cli_settings import add_setting, as_options
from vde_nb.cli import main
from vde_nb.methods import METHODS
from vde_nb.settings import METHOD_DEFAULTS, Declaration, declarations, resolve

ROOT = Path(vde_nb.__file__).parents[1]
HEAVY = ("torch", "skimage", "matplotlib", "numba", "transformers", "dask", "sklearn", "pandas")


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(80, 120, (96, 128, 3), np.uint8)


@pytest.fixture
def pair(tmp_path) -> tuple[str, str]:
    """Two small pictures, one square of difference."""
    changed = picture()
    changed[30:60, 40:80] = 230
    Image.fromarray(picture()).save(tmp_path / "reference.png")
    Image.fromarray(changed).save(tmp_path / "current.png")
    return str(tmp_path / "reference.png"), str(tmp_path / "current.png")


@pytest.fixture
def run(capsys):
    """Run the command line in this process: (status, stdout, stderr)."""

    def run(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def process(*words: object, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "vde_nb", *map(str, words)],
        cwd=ROOT,
        timeout=60,
        capture_output="stdout" not in options,
        **options,
    )


def error(result: tuple[int, str, str]) -> str:
    """The one line of an error; checks that nothing else was said."""
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("vde-nb: error: ") and err.count("\n") == 1 and "Traceback" not in err
    return err.removeprefix("vde-nb: error: ").strip()


# ------------------------------------------------------------------------------------- compare


def test_anomalies_are_status_1_and_a_table(run, pair):
    status, out, err = run("compare", *pair)
    assert (status, err) == (1, "")
    assert "1 anomaly, " in out and "128×96 pixels, method robust" in out
    assert re.search(r"^ +1  [a-z_]+ +(minor|moderate|major) +0\.\d\d +\d+ ", out, re.MULTILINE)
    assert "Written" not in out
    _, out, _ = run("compare", *pair, "--classifier", "rules")
    assert "missing_part" in out, "as the published rules name what is no scratch"


def test_no_anomalies_are_status_0(run, pair):
    status, out, _ = run("compare", pair[0], pair[0])
    assert status == 0
    assert "No anomalies, 0 % of the picture changed, SSIM 1.000000" in out
    assert "severity" not in out


def test_nothing_is_written_unless_asked_for(run, pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    run("compare", *pair)
    run("compare", *pair, "--json")
    assert sorted(tmp_path.rglob("*")) == before


def test_results_are_written_to_the_folder_and_named(run, pair, tmp_path):
    status, out, _ = run("compare", *pair, "--out", tmp_path / "new" / "results")
    assert status == 1
    written = {path.name for path in (tmp_path / "new" / "results").iterdir()}
    assert written == {"annotated.png", "heatmap.png", "results.json"}
    for name in written:
        assert f"  {tmp_path / 'new' / 'results' / name}\n" in out


def test_only_what_is_asked_for_is_saved(run, pair, tmp_path):
    run("compare", *pair, "--out", tmp_path / "out", "--save", "results")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.json"]


def test_json_is_results_json_and_nothing_else(run, pair, tmp_path):
    status, out, err = run("compare", *pair, "--json", "--out", tmp_path / "out")
    assert (status, err) == (1, "")
    told = json.loads(out)
    assert told["image_name"] == pair[1] and len(told["anomalies"]) == 1
    assert json.loads((tmp_path / "out" / "results.json").read_bytes())["anomalies"]


def test_quiet_prints_nothing(run, pair):
    assert run("compare", *pair, "--quiet") == (1, "", "")


def test_notes_are_printed_and_wrapped(run, pair, tmp_path):
    cut = Image.open(pair[1]).crop((0, 0, 128, 90))
    cut.save(tmp_path / "cut.png")
    _, out, _ = run("compare", pair[0], tmp_path / "cut.png", "--fit", "pad")
    notes = out.partition("Notes:\n")[2]
    assert "current: scaled from 128 × 90" in notes
    assert all(len(line) <= 79 for line in notes.splitlines())


def test_a_long_table_is_cut_and_says_so(run, tmp_path):
    changed = np.full((200, 300, 3), 90, np.uint8)
    Image.fromarray(changed).save(tmp_path / "a.png")
    for n in range(24):
        y, x = divmod(n, 6)
        changed[10 + 50 * y : 30 + 50 * y, 10 + 50 * x : 30 + 50 * x] = 230
    Image.fromarray(changed).save(tmp_path / "b.png")
    _, out, _ = run("compare", tmp_path / "a.png", tmp_path / "b.png", "--method", "hybrid")
    assert "24 anomalies" in out and "and 4 more; results.json has all of them" in out
    assert "\n  20  " in out and "\n  21  " not in out


def test_the_summary_fits_80_columns(run, pair, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    _, out, _ = run("compare", "reference.png", "current.png", "--out", "out")
    assert max(map(len, out.splitlines())) <= 79


# ------------------------------------------------------------------------------------ settings


@pytest.fixture
def settings_of(monkeypatch, pair):
    """Options -> the Settings that compare() makes of what the command line hands it."""
    seen = []

    class Done(Exception):
        pass

    def compare(reference, current, *, method, preset, ignore, cache, **given):
        assert cache is None
        seen.append(resolve(method, preset, **given))
        raise Done

    monkeypatch.setattr(sys.modules["vde_nb.compare"], "compare", compare)

    def settings_of(*words: str):
        main(["compare", *pair, *words])
        return seen.pop()

    return settings_of


def another(declared: Declaration):
    """A value other than the default."""
    if declared.choices:
        return declared.choices[-1 if declared.default == declared.choices[0] else 0]
    if declared.kind is bool:
        return not declared.default
    if declared.kind is str:
        return "none"
    low = 0 if declared.low is None else declared.low
    value = declared.kind(low if declared.default != low else low + 1)
    return (value, declared.kind(declared.high)) if declared.many else value


def words_of(name: str, value) -> list[str]:
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    return [option, *(map(str, value) if isinstance(value, tuple) else [str(value)])]


@pytest.mark.parametrize("declared", declarations(), ids=lambda one: one.name)
def test_every_setting_is_an_option_that_arrives(settings_of, declared):
    value = another(declared)
    given = settings_of(*words_of(declared.name, value)).flat()
    assert given == {**resolve().flat(), declared.name: value}
    assert given[declared.name] != declared.default


def test_all_settings_at_once_arrive(settings_of):
    wanted = {declared.name: another(declared) for declared in declarations()}
    words = [word for name, value in wanted.items() for word in words_of(name, value)]
    assert settings_of(*words).flat() == wanted


def test_without_options_the_settings_are_those_of_the_preset(settings_of):
    assert settings_of() == resolve()
    assert settings_of("--preset", "published", "--method", "ensemble") == resolve(
        "ensemble", "published"
    )


def test_an_option_wins_over_the_preset(settings_of):
    got = settings_of("--preset", "strict", "--min-area", "9")
    assert (got.detect.min_area, got.detect.threshold) == (9, 80)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--align", "auto"], "align", "auto"),
        (["--align", "off"], "align", "off"),
        (["--normalise", "global"], "normalise", "global"),
        (["--no-flow"], "flow", False),
        (["--flow"], "flow", True),
        (["--antialiasing"], "antialiasing", True),
        (["--tolerance", "3"], "tolerance", 3),
        (["--false-alarms", "0.5"], "false_alarms", 0.5),
    ],
)
def test_registration_light_and_tolerance_can_be_chosen(settings_of, words, name, value):
    assert settings_of(*words).flat() == {**resolve().flat(), name: value}


def test_a_moved_pair_is_registered_from_the_command_line(run, tmp_path):
    pair = samples.load("label", shift=(2.3, -1.4))
    reference, current = map(str, pair.save(tmp_path))
    _, out, _ = run("compare", reference, current, "--segmenter", "none")
    assert "the current picture was moved by 2.7 pixels" in " ".join(out.split())
    _, out, _ = run("compare", reference, current, "--segmenter", "none", "--align", "off")
    assert "was moved" not in " ".join(out.split())
    _, out, _ = run("compare", reference, current, "--preset", "published")
    assert "method hybrid" in out


def test_the_published_preset_is_not_for_robust(run, pair):
    told = error(run("compare", *pair, "--preset", "published", "--method", "robust"))
    assert "no method 'robust'" in told and "hybrid, multi_fusion, ensemble" in told


def test_a_true_or_false_setting_is_a_switch():
    switch = Declaration("align", "images", True, "Register.", *[None] * 4, "", False, None)
    parser = cli._Parser(prog="x")
    add_setting(parser.add_argument_group("images"), switch)
    assert parser.parse_args(["--no-align"]).align is False
    assert parser.parse_args(["--align"]).align is True
    assert not hasattr(parser.parse_args([]), "align")


def test_help_has_every_setting_with_help_default_range_and_methods(run):
    from vde_nb.export._save import _WHAT as export_names

    status, out, err = run("compare", "--help")
    assert (status, err) == (0, "")
    flat = " ".join(out.split())
    for declared in declarations():
        assert re.search(rf"--{declared.name.replace('_', '-')}[ ,]", flat)
        assert " ".join(as_options(declared.help).split()) in flat
    assert set(export_names) <= set(flat.partition("instead: ")[2].split())
    assert re.search(r"whole number from 0 to 255; default 50; used by [\w, ]*\bhybrid\b", flat)
    assert "--flow, --no-flow" in flat and "--align off|auto|translation|affine|homography" in flat
    assert "in passes; default 0 with robust, semantic, normality; else 2" in flat
    assert "default 16 with robust, normality; 64 with semantic; else 100" in flat
    assert "default auto with robust, semantic, normality; else off" in flat
    assert not re.search(r"\bTrue\b|default (False|None)|\w=|\w\(\)", out.partition("align:")[2])
    titles = [line for line in out.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[2:] == [*("output:", "align:", "difference:", "detect:", "segment:", "advanced:")]


@pytest.mark.parametrize("method", METHODS)
def test_the_defaults_in_the_help_are_those_that_are_used(run, method):
    _, out, _ = run("compare", "--help")
    flat = " ".join(out.split())
    for name, value in METHOD_DEFAULTS.get(method, {}).items():
        told = re.search(rf"--{name.replace('_', '-')} [^[]*\[(.*?)\]", flat)
        default = told[1].partition("default ")[2].partition("; used by")[0]
        named = [one for one in default.split("; ") if method in one]
        assert (named or [default])[0].split()[0] == str(value)


def test_a_setting_the_method_does_not_use_is_noted(run, pair):
    status, _, err = run("compare", *pair, "--method", "multi_fusion", "--ssim-weight", "0.4")
    assert status == 1
    assert err == "vde-nb: note: --ssim-weight is not used by multi_fusion\n"


# ------------------------------------------------------------------------------ things go wrong


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--threshold", "300"], "--threshold: 300 is not allowed: whole number from 0 to 255."),
        (["--threshold", "-1"], "--threshold: -1 is not allowed"),
        (["--threshold", "much"], "--threshold: 'much' is not allowed: whole number from 0"),
        (["--ssim-weight", "nan"], "--ssim-weight: nan is not allowed"),
        (["--fusion-weights", "0.1", "2"], "--fusion-weights: 2.0 is not allowed"),
        (["--colour", "gray"], "Did you mean 'grey'?"),
        (["--align", "yes"], "--align: 'yes' is not allowed: one of 'off', 'auto'"),
        (["--method", "hybird"], "Did you mean 'hybrid'?"),
        (["--preset", "publishd"], "Did you mean 'published'?"),
        (["--segmenter", "graphcat"], "Did you mean 'graphcut'?"),
        (
            ["--treshold", "60"],
            "there is no option --treshold; did you mean --threshold or --thresholds? (see",
        ),
        (["--min_area=4"], "there is no option --min_area; did you mean --min-area?"),
        (["--thresh", "60"], "there is no option --thresh;"),
        (["third.png"], "one argument too many: 'third.png'"),
        (["--overwrite"], "give --out DIR as well"),
        (["--save", "results"], "give --out DIR as well"),
        (["--out", ""], "'' is no name"),
    ],
)
def test_a_wrong_word_is_one_line_that_helps(run, pair, words, told):
    assert told in error(run("compare", *pair, *words))


def test_pictures_behind_a_list_are_told_where_to_stand(run, pair):
    assert "The pictures stand before the options." in error(
        run("compare", "--thresholds", "30", "50", *pair)
    )


def test_a_missing_picture_argument_is_named(run, pair):
    assert error(run("compare", pair[0])).startswith(
        "the following arguments are required: CUR (see vde-nb compare --help)"
    )


def test_an_unknown_command_is_told_the_commands(run):
    told = error(run("compere"))
    assert all(name in told for name in ("compere", "compare", "demo", "doctor"))

    assert told.startswith("there is no command 'compere'; did you mean compare? Commands: demo, ")
    assert "there is no command 'zzz'. Commands: demo" in error(run("zzz"))
    told = error(run("normality", "fti"))
    assert "there is no action 'fti'; did you mean fit? Actions: fit, update, series" in told


def test_two_folders_are_pointed_to_the_commands_that_take_them(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("golden", "two words"):
        (tmp_path / name).mkdir()
    told = error(run("compare", "golden", "two words"))
    word = '"two words"' if os.name == "nt" else "'two words'"
    assert f"vde-nb batch golden {word} --out run;" in told
    assert f"vde-nb lab golden {word} (" in told or told.endswith(f"vde-nb lab golden {word}")


def test_what_would_be_replaced_is_told_before_anything_is_compared(
    run, pair, tmp_path, monkeypatch
):
    module = sys.modules["vde_nb.compare"]  # the package has the function under this name
    monkeypatch.setattr(module, "compare", lambda *_, **__: pytest.fail("compared"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "heatmap.png").write_text("mine")
    told = error(run("compare", *pair, "--out", tmp_path / "out"))
    assert told.endswith("heatmap.png exists; --overwrite replaces it.")
    with pytest.raises(pytest.fail.Exception):
        run("compare", *pair, "--out", tmp_path / "out", "--save", "results")
    with pytest.raises(pytest.fail.Exception):
        run("compare", *pair, "--out", tmp_path / "out", "--overwrite")


def test_a_missing_file_a_folder_and_a_text_are_no_pictures(run, pair, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    for name, told in (
        ("currant.png", "does not exist; did you mean current.png?"),
        (".", "is a folder"),
        ("text.png", "does not look like a picture"),
    ):
        assert told in error(run("compare", pair[0], tmp_path / name))


def test_a_file_in_the_way_of_the_folder_is_an_error(run, pair, tmp_path):
    (tmp_path / "out").write_text("in the way")
    assert "out" in error(run("compare", *pair, "--out", tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "in the way"


def test_results_that_are_there_are_kept_without_overwrite(run, pair, tmp_path):
    out = tmp_path / "out"
    run("compare", *pair, "--out", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    told = error(run("compare", pair[0], pair[0], "--out", out))
    assert "overwrite" in told
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    status, _, _ = run("compare", pair[0], pair[0], "--out", out, "--overwrite")
    assert status == 0
    assert (out / "results.json").read_bytes() != before["results.json"]


def test_an_unknown_thing_to_save_is_an_error(run, pair, tmp_path):
    told = error(run("compare", *pair, "--out", tmp_path / "out", "--save", "everything"))
    assert "everything" in told and "annotated" in told


def test_names_of_any_letters_and_spaces_work(run, pair, tmp_path):
    name = tmp_path / "Prüf ling ✓ 画像.png"
    Path(pair[1]).rename(name)
    status, out, _ = run("compare", pair[0], name, "--out", tmp_path / "Er gebnis ß")
    assert status == 1
    assert f"{name} against" in out and str(tmp_path / "Er gebnis ß" / "results.json") in out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_control_characters_in_names_never_reach_the_terminal(run, pair, tmp_path):
    name = tmp_path / "a\x1b[31mred\nb\x9b\u202e.png"
    escaped = "a\\x1b[31mred\\nb\\x9b\\u202e.png"
    told = error(run("compare", pair[0], name))
    assert "red\\nb" in told and "\x1b" not in told and "\u202e" not in told
    Path(pair[1]).rename(name)
    _, out, _ = run("compare", pair[0], name, "--out", tmp_path / "o\x1b")
    assert escaped in out and "o\\x1b" in out and "\x1b" not in out
    assert "\x1b" not in error(run("compare", pair[0], "x", "--out", "a", "--\x1b[2J"))


def test_a_fault_of_ours_is_one_line_and_debug_shows_where(run, pair, monkeypatch):
    def fault(*_words, **_settings):
        raise ZeroDivisionError("oh\x1b")

    monkeypatch.setattr(sys.modules["vde_nb.compare"], "compare", fault)
    told = error(run("compare", *pair))
    assert told == "ZeroDivisionError: oh\\x1b (a fault in vde-nb; --debug shows where)"
    status, _, err = run("compare", *pair, "--debug")
    assert status == 2 and "in fault" in err and "\x1b" not in err


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "vde-nb: interrupted\n"),
        (MemoryError(), 2, "vde-nb: error: There is not enough memory for pictures of this size."),
    ],
)
def test_an_interrupt_and_a_lack_of_memory_are_told(run, pair, monkeypatch, raised, status, told):
    def stop(*_words, **_settings):
        raise raised

    monkeypatch.setattr(sys.modules["vde_nb.compare"], "compare", stop)
    got, out, err = run("compare", *pair)
    assert (got, out) == (status, "") and err.startswith(told)


# ---------------------------------------------------------------------------------------- demo


@pytest.fixture
def quick(monkeypatch, pair):
    """A small sample in the place of the bundled ones."""
    reference, current = (np.array(Image.open(name)) for name in pair)
    mask = (reference != current).any(axis=2)
    truth = samples.Truth(mask, (samples.TruthRegion(mask, "added_part", (40, 30, 40, 30)),))
    small = samples.SamplePair("small", "A square.", reference, current, truth)
    monkeypatch.setattr(samples, "load", lambda name: small)


def test_the_demo_writes_five_files_and_says_what_next(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("demo")
    assert (status, err) == (0, "")
    written = {path.name for path in Path("vde-nb-demo").iterdir()}
    assert written == {*cli._DEMO_FILES, cli._DEMO_LIST}
    truth = len(samples.load("tyre").truth.regions)
    assert f"\n{truth} of {truth} known anomalies found, 0 false\n" in out
    assert "vde-nb compare reference.jpg current.jpg --out results" in out
    pictures = (Path("vde-nb-demo", name) for name in ("reference.png", "current.png"))
    assert f"vde-nb lab {' '.join(map(str, pictures))}\n" in out, "the panel by a command, first"
    assert out.index("vde-nb lab") < out.index("import vde_nb") and "01_quickstart.ipynb" in out
    # but for commands and paths, which cannot be broken
    long = [line for line in out.splitlines() if len(line) > 80]
    assert all(str(tmp_path) in line or "bin/vde-nb" in line for line in long)
    code = out[out.index("    import vde_nb as vde") :]
    scope: dict = {}
    exec("\n".join(line.strip() for line in code.splitlines()), scope)
    with contextlib.closing(scope["panel"]) as panel:
        assert len(panel.comparison.anomalies) >= truth


def test_a_demo_is_replaced_by_the_next_and_it_is_said(run, quick, tmp_path):
    run("demo", "--out", tmp_path / "demo")
    status, out, _ = run("demo", "--out", tmp_path / "demo", "--method", "multi_fusion")
    assert status == 0
    assert out.startswith(f"Replacing the earlier demo in {tmp_path / 'demo'}.")
    results = json.loads((tmp_path / "demo" / "results.json").read_bytes())
    assert results["settings"]["method"] == "multi_fusion"


def test_a_demo_that_was_interrupted_is_no_obstacle(run, quick, tmp_path, monkeypatch):
    def stop(*_words, **_settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["vde_nb.compare"], "compare", stop)
        assert run("demo", "--out", tmp_path / "demo")[0] == 130
    assert run("demo", "--out", tmp_path / "demo")[0] == 0


def test_a_demo_picture_somebody_painted_into_is_theirs(run, quick, tmp_path):
    folder = tmp_path / "demo"
    run("demo", "--out", folder)
    Image.new("RGB", (9, 9)).save(folder / "current.png")
    mine = (folder / "current.png").read_bytes()
    told = error(run("demo", "--out", folder))
    assert "changed since: current.png" in told and "--overwrite" in told and "--out" in told
    assert (folder / "current.png").read_bytes() == mine
    assert run("demo", "--out", folder, "--overwrite")[0] == 0
    assert (folder / "current.png").read_bytes() != mine


@pytest.mark.parametrize("name", ["reference.png", "notes.txt"])
def test_a_folder_with_other_things_is_left_alone(run, tmp_path, name):
    (tmp_path / name).write_text("mine")
    assert name in error(run("demo", "--out", tmp_path))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_an_empty_folder_litter_and_a_damaged_list_are_no_obstacle(run, quick, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".DS_Store").write_text("litter")
    (tmp_path / "demo" / cli._DEMO_LIST).write_text("[1]")
    assert run("demo", "--out", tmp_path / "demo")[0] == 0


def test_what_was_found_is_held_against_the_truth(run, quick, tmp_path, monkeypatch):
    sample = samples.load("small")
    corner = np.zeros_like(sample.truth.mask)
    corner[:9, :9] = True
    for mask, told in (
        (sample.truth.mask, "1 of 1 known anomalies found, 0 false"),
        (corner, "0 of 1 known anomalies found, 1 false"),
    ):
        truth = samples.Truth(mask, (samples.TruthRegion(mask, "stain", (0, 0, 9, 9)),))
        monkeypatch.setattr(
            samples, "load", lambda name, truth=truth: dataclasses.replace(sample, truth=truth)
        )
        status, out, _ = run("demo", "--out", tmp_path / "demo")
        assert status == 0 and f"\n{told}\n" in out


def test_a_file_in_the_place_of_the_demo_is_an_error(run, quick, tmp_path):
    (tmp_path / "demo").write_text("mine")
    assert "is a file" in error(run("demo", "--out", tmp_path / "demo"))


@pytest.mark.parametrize("words", [["--sample", "tire"], ["--method", "hybird"]])
def test_a_wrong_name_leaves_no_folder_behind(run, tmp_path, words):
    assert "did you mean" in error(run("demo", "--out", tmp_path / "demo", *words)).lower()
    assert not (tmp_path / "demo").exists()


def test_the_samples_are_listed(run):
    assert run("demo", "--list") == (0, "\n".join(samples.list()) + "\n", "")


# ------------------------------------------------------------------------- a process of its own


def test_alone_it_prints_help_with_every_command(run):
    status, out, err = run()
    assert (status, err) == (0, "")
    names = [line.split()[0] for line in out.partition("COMMAND\n    ")[2].splitlines()]
    assert names[:6] == ["demo", "compare", "batch", "evaluate", "lab", "plugin"]
    assert {"normality", "weights", "cache", "doctor"} <= set(names)


def test_the_version_is_that_of_the_package():
    done = process("--version")
    assert (done.returncode, done.stdout.decode().strip()) == (0, f"vde-nb {vde_nb.__version__}")


@pytest.mark.parametrize("words", [[], ["--json"], ["--help"]])
def test_a_closed_pipe_is_borne_quietly(pair, words):
    reader, writer = os.pipe()
    os.close(reader)
    done = process("compare", *pair, *words, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == (0 if "--help" in words else 1)
    assert done.stderr == b""


def test_a_terminal_without_the_letters_gets_escapes(pair, tmp_path):
    name = tmp_path / "größe.png"
    Path(pair[1]).rename(name)
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = process("compare", pair[0], name, env=ascii_only)
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"gr\\xf6\\xdfe.png" in done.stdout
    done = process("compare", pair[0], name, "--json", env=ascii_only)
    assert json.loads(done.stdout.decode("utf-8"))["image_name"] == str(name)


def test_comparing_imports_nothing_heavy(pair, tmp_path):
    code = f"""
import sys
def asked_only_where():
    frame = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") != "importlib.util":
        frame = frame.f_back
    return frame is not None
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r} and not asked_only_where():
            print("IMPORTED", name)
sys.meta_path.insert(0, Watch())
from vde_nb.cli import main
status = main(sys.argv[1:])
sys.exit(status)
"""
    words = ["compare", *pair, "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True)
    assert done.returncode == 1, done.stderr.decode()
    assert "IMPORTED" not in done.stdout.decode()


def test_where_nothing_matters_is_said_in_boxes_or_painted(run, pair, tmp_path) -> None:
    how = ("--method", "hybrid", "--segmenter", "none")
    assert run("compare", *pair, *how)[0] == 1
    assert run("compare", *pair, *how, "--ignore", "38,28,44,34")[0] == 0
    halves = ("--ignore", "38, 28, 22, 34", "--ignore=58,28,24,34")
    assert run("compare", *pair, *how, *halves)[0] == 0
    status, out, _ = run("compare", *pair, *how, "--ignore", "128,0,9,9")
    assert status == 1 and "outside the picture, which has 128 \u00d7 96 pixels: (128, 0" in out
    painted = np.zeros((96, 128), np.uint8)
    painted[28:62, 38:82] = 255
    Image.fromarray(painted).save(tmp_path / "mask.png")
    assert run("compare", *pair, *how, "--ignore", tmp_path / "mask.png")[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--ignore", "1,2,3"), "--ignore '1,2,3' is neither a box, four numbers X,Y,W,H"),
        (("--ignore", "nowhere.png"), "nor the file of a picture"),
        (("--ignore", "1,2,0,4"), "--ignore holds (1, 2, 0, 4); needed are boxes"),
        (("--ignore", "1,2,3,4", "--ignore", "{mask}"), "--ignore takes boxes or one picture"),
        (("--ignore", "{mask}"), "is no mask: it is all of one kind"),
        (("--ignore", "{faint}"), "is no mask: it is all of one kind"),
        (("--ignore", "{photo}"), "is no mask: it has other colours"),
        (("--ignore", "{layer}"), "is no mask: it is transparent in places"),
        (("--ignore", "{half}"), "--ignore has 9 \u00d7 8 pixels, the reference 128 \u00d7 96"),
    ],
)
def test_what_is_no_place_is_told(run, pair, tmp_path, words, told) -> None:
    white = np.full((8, 9), 255, np.uint8)
    half = white * (np.arange(9) < 4)
    photo = np.linspace(0, 255, 72).astype(np.uint8).reshape(8, 9)
    kinds = {
        "mask": white,
        "faint": half // 255,  # as a label image: 0 and 1
        "half": half,
        "photo": photo,
        "layer": np.dstack([white, white, white, half]),  # painted on nothing
    }
    for name, pixels in kinds.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    given = [word.replace("{", f"{tmp_path}/").replace("}", ".png") for word in words]
    status, _, err = run("compare", *pair, *given)
    assert status == 2
    assert told in err
