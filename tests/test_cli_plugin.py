"""``vde-nb plugin``: a file to begin with, and a trial that finds what people do wrong in one."""

from __future__ import annotations

import builtins
import functools
import keyword
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import vde_nb as vde
from vde_nb._plugin_rows import Asked, measures_named, region_lines
from vde_nb.classify import Label, Region, _registry, anomaly_types
from vde_nb.cli import main
from vde_nb.plugins import loaded_plugins

ROOT = Path(vde.__file__).parents[1]
HEAD = "import vde_nb as vde\n\n"


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No trial changes what is registered; and one that does spoils no other test."""
    before, there = dict(_registry._rules), loaded_plugins()  # other files may have left some
    yield
    after = dict(_registry._rules)
    left = tuple(one for one in loaded_plugins() if one not in there)
    for plugin in left:
        plugin.remove()
    _registry.put_rules({**dict.fromkeys(after), **before})
    assert after == before and left == ()


@pytest.fixture
def run(capsys):
    def run(*words: object) -> tuple[int, str, str]:
        status = main(["plugin", *map(str, words)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    """Photographs, as it were, with one bright line that came in."""
    folder = tmp_path_factory.mktemp("pair")
    reference = vde.samples.load("board").reference
    current = reference.copy()
    cv2.line(current, (560, 300), (592, 312), (225, 225, 215), 5, cv2.LINE_AA)
    for name, picture in (("good.png", reference), ("bad.png", current)):
        assert cv2.imwrite(str(folder / name), picture[..., ::-1])
    return folder / "good.png", folder / "bad.png"


@pytest.fixture
def check(run, pair, tmp_path):
    """Try a plug-in of these lines on the pair: (status, all that was said on one line)."""

    def check(lines: str, *words: object) -> tuple[int, str]:
        path = tmp_path / "mine.py"
        path.write_text(HEAD + lines, encoding="utf-8")
        status, out, err = run("check", path, *(words or pair))
        assert err == "" and "\x1b" not in out
        return status, " ".join(out.split())

    return check


def rule(body: str, name: str = "mine") -> str:
    return f'@vde.anomaly_type("{name}")\ndef {name}(region):\n    {body}\n\n\n'


def refused(result: tuple[int, str, str]) -> str:
    status, out, err = result
    assert (status, out) == (2, "") and err.startswith("vde-nb: error: ") and err.count("\n") == 1
    return err


# -------------------------------------------------------------------------------------------- new


def test_a_new_file_works_as_it_stands(run, pair, tmp_path):
    path = tmp_path / "burr.py"
    status, out, err = run("new", path)
    assert (status, err) == (0, "")
    assert f"Written: {path}\n" in out
    for command in (f"check {path} REF CUR", f"python {path}", f"CUR --plugin {path}"):
        assert command in out
    status, out, _ = run("check", path)
    assert status == 0 and out.startswith("burr.py: type burr\n")
    assert out.endswith("No faults; but see the notes.\n")
    assert f"vde-nb plugin check {path} REF CUR" in " ".join(out.split())
    status, out, _ = run("check", path, *pair)
    assert status == 0
    assert "burr 1 1.00 1 colour_change 1" in " ".join(out.split())


def test_its_own_test_passes_and_fails_when_the_rule_is_broken(run, tmp_path):
    path = tmp_path / "burr.py"
    run("new", path)

    def itself() -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, str(path)]
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)

    done = itself()
    assert (done.returncode, done.stderr) == (0, "") and "As it should be." in done.stdout
    path.write_text(path.read_text("utf-8").replace("return came *", "return 0 *"), "utf-8")
    done = itself()
    assert (
        done.returncode == 1
        and "the region was called colour_change: change example()" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("file", "words", "name"),
    [
        ("two words.py", ["--name", "lötperle"], "lötperle"),
        ("a.py", ["--name", "solder-ball"], "solder-ball"),
        ("a.py", ["--name", "3d"], "3d"),
        ("class.py", [], "class"),
        ("vde.py", [], "vde"),
        ("print.py", [], "print"),
        ("round.py", [], "round"),
        ('"""\\quit().py', ["--name", "x"], "x"),
    ],
)
def test_any_name_makes_a_file_that_loads(run, tmp_path, file, words, name):
    if os.name == "nt" and '"' in file:
        pytest.skip("Windows has no such names")
    assert run("new", tmp_path / file, *words)[0] == 0
    plugin = vde.load_plugin(tmp_path / file)
    assert plugin.types == (name,) and name in anomaly_types()
    rule = _registry._rules[name].__name__
    plugin.remove()
    assert not hasattr(builtins, rule) and not keyword.iskeyword(rule), "the file uses these itself"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["burr.txt"], "give a name that ends in .py"),
        (["crack.py"], "There is a built-in type 'crack'"),
        (["a.py", "--name", "unknown"], "There is a built-in type 'unknown'"),
        (["a.py", "--name", "two words"], "'two words' is no name of a type"),
        (["two words.py"], "give one with --name"),
        (["random.py"], "in the place of the random that Python programs use"),
        (["numpy.py"], "in the place of the numpy"),
        (["no/burr.py"], "there is no folder no"),
        ([], "the following arguments are required: FILE.py"),
    ],
)
def test_what_cannot_be_begun_is_told_and_nothing_is_written(
    run, tmp_path, monkeypatch, words, told
):
    monkeypatch.chdir(tmp_path)
    assert told in refused(run("new", *words))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept_without_overwrite(run, tmp_path):
    path = tmp_path / "burr.py"
    path.write_text("mine")
    assert "--overwrite" in refused(run("new", path))
    assert path.read_text() == "mine"
    assert run("new", path, "--overwrite")[0] == 0 and "burr" in path.read_text("utf-8")


# ------------------------------------------------------------------------------------------ check


def test_how_often_a_rule_fires_and_wins_is_counted_over_the_samples(check, run, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + rule("return 1.0") + rule("return 0.5 * (region.area > 4000)", "large"))
    status, out, _ = run("check", path)
    regions, sizes = 0, []
    for name in vde.samples.list():
        pair = vde.samples.load(name)
        found = vde.compare(pair.reference, pair.current).anomalies
        regions, sizes = regions + len(found), sizes + [one.area for one in found]
    flat = " ".join(out.split())
    assert status == 0
    assert f"Asked about {regions} regions of {len(vde.samples.list())} bundled samples:" in flat
    assert f"mine {regions} 1.00 {regions} " in flat
    assert f"large {sum(size > 4000 for size in sizes)} 0.50 0 –" in flat
    assert "mine wins in bundled samples" in flat


def test_a_rule_that_fails_is_told_with_file_and_line(check):
    status, told = check(rule("return 1 / (region.w - region.w)"))
    assert status == 1
    assert "Faults: mine.py, line 5: mine raises ZeroDivisionError: division by zero" in told
    assert "6 times in all" in told, "on the pair's region and on five made-up ones"


def test_a_measure_that_does_not_exist_is_told_with_the_one_that_was_meant(check):
    _, told = check(rule("return float(region.border_softnes > 3)"))
    assert "line 5" in told and "did you mean 'border_softness'?" in told


def test_where_a_helper_of_the_plugin_fails_is_told(check):
    lines = "def deeper(region):\n    raise KeyError('lost')\n\n\n" + rule("return deeper(region)")
    _, told = check(lines)
    assert "mine.py, line 4: mine raises KeyError: 'lost'" in told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("pass", "mine returns nothing (None), which is no confidence"),
        ("return region.area / 10", "which is no confidence from 0 to 1"),
        ("return -0.1", "mine returns -0.1, which is no confidence"),
        ("return float('nan')", "mine returns nan, which is no confidence"),
        ("return 'yes'", "mine returns 'yes', which is no confidence"),
        ("return region.mask", "which is no confidence"),
    ],
)
def test_what_is_no_confidence_is_a_fault(check, body, told):
    status, said = check(rule(body))
    assert status == 1 and told in said and "mine.py, line 3: mine" in said


def test_a_rule_that_only_tiny_regions_break_is_found(check):
    status, told = check(rule("return min(1.0, 1 / (region.w - 1))"))
    assert status == 1 and "ZeroDivisionError" in told and "on a region of one pixel" in told


def test_the_measures_themselves_bear_the_made_up_regions(check):
    lines = "from vde_nb.classify._rules import BUILT_IN\n\n\n"
    body = "region.evidence()\n    return max(one(region) for one in BUILT_IN.values())"
    assert check(lines + rule(body))[0] == 0


def test_a_rule_that_draws_lots_is_found(check):
    lines = "import itertools\ncount = itertools.count()\n\n\n" + rule("return next(count) % 2")
    status, told = check(lines)
    assert status == 1 and "must neither remember nor draw lots" in told


def test_a_rule_that_never_fires_is_a_fault_on_a_pair_and_a_note_on_the_samples(
    check, run, tmp_path
):
    status, told = check(rule("return 0.0"))
    assert status == 1 and "mine never fires on this pair" in told
    status, out, _ = run("check", tmp_path / "mine.py")
    told = " ".join(out.split())
    assert status == 0 and "Nothing in the samples is called mine" in told and "No faults" in told


def test_a_nearly_sure_rule_that_takes_names_away_is_told(check, pair):
    found = vde.compare(*map(str, pair)).anomalies[0]
    body = f"return {found.confidence - 0.03:.4f}"
    status, told = check(rule(body))
    assert status == 0 and "leaves regions without a name" in told
    assert f"({found.type} 1)" in told
    vde.anomaly_type("near")(lambda region: found.confidence - 0.03)
    assert vde.compare(*map(str, pair)).anomalies[0].type == "unknown", "and so it is"
    vde.remove_anomaly_type("near")


def test_a_faint_rule_is_told_that_it_never_wins(check):
    status, told = check(rule("return 0.1"))
    assert status == 0 and told.endswith("No faults; but see the notes.")
    assert "mine fires and never wins: its highest value is 0.1, and nothing is named" in told


def test_a_rule_that_is_beaten_is_told_by_which_type(check, pair):
    found = vde.compare(*map(str, pair)).anomalies[0]
    body = f"return {found.confidence - 0.1:.4f}"
    assert found.confidence - 0.1 > 0.35, "not below what can name anything"
    status, told = check(rule(body))
    assert status == 0 and "mine fires and never wins: other types are surer." in told
    assert f"that region is called {found.type} ({found.confidence:.2f})." in told


def test_each_region_of_a_pair_is_told_with_what_the_rule_measured(check, pair, run, tmp_path):
    found = vde.compare(*map(str, pair)).anomalies[0]
    body = "return 0.25 * (region.elongation > 2) * (region.ownership < 0) * bool(region.crop)"
    _, told = check(rule(body) + rule("return 1.0 * (region.area < 9)", "tiny"))
    called = f"{found.type} {found.confidence:.2f}"
    assert f"{found.box} {called} {called} mine 0.25, tiny 0.00 elongation " in told
    values = told.partition("tiny 0.00 elongation ")[2].split()[:5]
    assert 2 < float(values[0]) < 6 and values[1] == "ownership" and float(values[2]) < 0
    assert values[3:] == ["area", str(found.area)]
    status, told = check(rule("return 1.0"))
    assert status == 0 and f"{found.box} {called} mine 1.00 mine 1.00 No faults." in told
    out = run("check", tmp_path / "mine.py")[1]
    assert "the rule says" not in out, "the samples have too many regions to be listed"


def test_a_rule_with_a_fault_says_nothing_of_a_region(check):
    status, told = check(rule("return region.area * 1.0"))
    assert status == 1 and "mine (fault) area " in told


def test_of_many_regions_those_that_a_rule_is_surest_of_are_told(pair):
    found = vde.compare(*map(str, pair)).anomalies[0]
    label = Label(found.type, found.severity, {}, 0.5)
    region = Region((0, 0, 2, 3), np.ones((3, 2), bool), *[np.zeros((9, 9, 3), np.uint8)] * 3)
    asked = [Asked(region, label, label, {"mine": n / 20, "long" * 20: 0.0}) for n in range(20)]
    lines = region_lines(asked, {"mine": lambda region: region.area})
    assert "mine 0.95" in lines[1] and lines[-1] == "and 8 more, of which no rule is surer"
    assert sum(line.startswith("(0, 0, 2, 3)") for line in lines) == 12


def test_what_is_measured_stands_below_a_row_of_several_lines(pair):
    found = vde.compare(*map(str, pair)).anomalies[0]
    label = Label(found.type, found.severity, {}, 0.5)
    other = Label("of a longer name", found.severity, {}, 0.5)
    picture = np.zeros((9, 9, 3), np.uint8)
    asked = [
        Asked(Region((0, 0, 2, n), np.ones((n, 2), bool), *[picture] * 3), before, label, said)
        for n, before, said in (
            (3, label, {f"(rule {one})": 0.5 for one in range(9)}),
            (4, other, {"short": 0.1}),
        )
    ]
    lines = region_lines(asked, {"mine": lambda region: region.area})
    starts = [line.split()[0] for line in lines]
    at = starts.index("area")
    assert at > 2 and lines[1].startswith("(0, 0, 2, 3)") and lines[at].split() == ["area", "6"]
    assert all(line.startswith(" " * 20) for line in lines[2:at]), "it is folded"
    assert lines[at + 1].startswith("(0, 0, 2, 4)") and lines[at + 2].split() == ["area", "8"]
    assert lines[0].index("now") == lines[1].rindex(label.type) == lines[at + 1].rindex(label.type)
    assert len(lines) == at + 3


def test_a_rule_that_a_helper_made_is_told_by_the_line_of_the_plug_in(tmp_path, check, monkeypatch):
    (tmp_path / "made_elsewhere.py").write_text(
        "def halved(rule):\n    return lambda region: rule(region) / 2\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = rule("return 1 / 0").replace("def mine", "@made_elsewhere.halved\ndef mine")
    try:
        status, told = check(f"import made_elsewhere\n\n{mine}")
    finally:
        sys.modules.pop("made_elsewhere", None)
    assert status == 1 and "mine.py, line 8: mine raises ZeroDivisionError" in told


def test_measures_are_those_of_the_region_in_the_order_of_the_source():
    def named(anything, other=np):
        return other.pi + anything.thickness * anything.area - anything.thickness + anything._own

    assert measures_named(named) == ("thickness", "area")
    assert measures_named(functools.partial(named, other=np)) == ("thickness", "area")
    assert measures_named(float) == () and measures_named(eval("lambda region: region.area")) == ()


def test_what_a_built_in_type_becomes_is_counted(check):
    lines = 'vde.remove_anomaly_type("spot")\n\n\n' + rule("return 1.0", "colour_change")
    status, told = check(lines)
    assert status == 0
    assert told.startswith("mine.py: replaces colour_change; removes spot")
    assert "colour_change 1 1.00 1 –" in told


def test_what_is_no_rule_is_listed(check):
    status, told = check('vde.add_features("mine", lambda picture: picture)\n')
    assert status == 0 and "mine.py: features mine" in told and "Only rules were tried" in told


def test_a_plugin_that_registers_nothing_is_a_fault(check):
    status, told = check("def burr(region):\n    return 1.0\n")
    assert status == 1 and 'write @vde.anomaly_type("burr") above a rule' in told


def test_a_plugin_that_cannot_be_loaded_is_a_fault_with_its_line(check):
    status, told = check("x = (\n")
    assert status == 1 and "mine.py: cannot be loaded Faults:" in told
    assert "SyntaxError" in told and "(mine.py, line 3)" in told


def test_a_module_is_checked_by_its_name(run, pair, tmp_path, monkeypatch):
    (tmp_path / "my_rules_of_trade.py").write_text(HEAD + rule("return 1 / 0"))
    monkeypatch.syspath_prepend(tmp_path)
    status, out, _ = run("check", "my_rules_of_trade", *pair)
    assert status == 1 and "my_rules_of_trade.py, line 5: mine raises" in " ".join(out.split())
    sys.modules.pop("my_rules_of_trade")


def test_a_pair_without_a_change_proves_nothing(check, pair):
    status, told = check(rule("return 1.0"), pair[0], pair[0])
    assert status == 1 and "Nothing was found in this pair" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{tmp}/none.py"], "none.py cannot be imported"),
        (["{tmp}/burrs.py"], "burrs.py writes one to begin with"),
        (["no_such_module"], "No module named 'no_such_module'"),
        (["{mine}", "{good}"], "the following arguments are required: CUR"),
        (["{mine}", "{good}", "{tmp}/none.png"], "none.png does not exist"),
        (["{mine}", "{good}", "{good}", "{good}"], "one argument too many"),
        ([], "the following arguments are required: PLUGIN"),
    ],
)
def test_what_cannot_be_tried_is_an_error_and_runs_nothing(run, pair, tmp_path, words, told):
    mine = tmp_path / "mine.py"
    mine.write_text(f"open({str(tmp_path / 'was run')!r}, 'w').close()\n")
    names = {"tmp": tmp_path, "mine": mine, "good": pair[0]}
    assert told in refused(run("check", *[word.format(**names) for word in words]))
    assert not (tmp_path / "was run").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_and_messages_cannot_write_to_the_terminal(run, pair, tmp_path):
    path = tmp_path / "a\x1b[31m.py"
    path.write_text(HEAD + rule("raise ValueError('\\x1b[2J')"))
    status, out, _ = run("check", path, *pair)
    assert status == 1 and "\x1b" not in out and "\\x1b[2J" in out
