"""Plug-ins: loaded when they are named, and only then; run again when they change."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import vde_nb as vde
from vde_nb import plugins
from vde_nb.classify._registry import user_rules
from vde_nb.classify._rules import BUILT_IN
from vde_nb.cli import main
from vde_nb.errors import SettingError
from vde_nb.features import _user
from vde_nb.plugins import load_plugin, load_plugins, named_plugins, plugin_types
from vde_nb.segment.models import MODELS

FAST: dict[str, Any] = {"method": "hybrid", "segmenter": "none"}
BURR = """
import vde_nb as vde

@vde.anomaly_type("burr")
def burr(region):
    return 1.0
"""
#: Tells that it was run by a file beside it.
TRAP = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """No plug-in outlives its test."""
    modules = {*sys.modules}
    yield
    for known in list(plugins._loaded.values()):
        known.plugin.remove()
    vde.reset_anomaly_types()
    for name in vde.features():
        if name["name"].startswith("of_test"):
            vde.remove_features(name["name"])
    for added in ("my_burrs", "my_helper", "my_package", "my_package.rules"):
        if added not in modules:
            sys.modules.pop(added, None)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a plug-in; its path."""

    def write(text: str, name: str = "burrs.py") -> Path:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name of a module that Python finds, not imported yet."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "my_burrs"
    sys.modules.pop("my_burrs", None)


def pair() -> tuple[np.ndarray, np.ndarray]:
    reference = np.full((60, 80, 3), 90, np.uint8)
    current = reference.copy()
    current[20:40, 30:60] = 200
    return reference, current


def types_of(result: Any) -> list[str]:
    return [one.type for one in result.anomalies]


# Loading


def test_a_plugin_says_what_it_brought(write: Write) -> None:
    path = write(
        BURR
        + '\nvde.anomaly_type("crack")(burr)\nvde.remove_anomaly_type("spot")\n'
        + 'vde.add_features("greys", lambda image: image)\n'
    )
    plugin = vde.load_plugin(path)
    assert repr(plugin) == (
        "Plugin(burrs.py: type burr; replaces crack; removes spot; features greys)"
    )
    assert (plugin.types, plugin.removed) == (("crack", "burr"), ("spot",))
    assert plugin.features == ("greys",) and plugin.models == ()
    assert repr(load_plugin(write("x = 1", "empty.py"))) == "Plugin(empty.py: registers nothing)"


def test_a_removed_plugin_leaves_everything_as_it_was(write: Write) -> None:
    before = vde.anomaly_types()
    features = [row["name"] for row in vde.features()]
    plugin = load_plugin(
        write(
            BURR
            + '\nvde.anomaly_type("crack")(burr)\nvde.remove_anomaly_type("spot")\n'
            + 'vde.add_features("greys", lambda image: image)\n'
        )
    )
    assert vde.anomaly_types() != before
    plugin.remove()
    assert vde.anomaly_types() == before  # also in their order
    assert [row["name"] for row in vde.features()] == features
    reference, current = pair()
    assert "burr" not in types_of(vde.compare(reference, current, **FAST))
    plugin.remove()  # nothing is left to remove, and that is no error


def test_what_is_unchanged_is_run_once(write: Write, tmp_path: Path) -> None:
    count = f"with open({str(tmp_path / 'count')!r}, 'a') as f: f.write('x')\n"
    path = write(BURR + count)
    assert load_plugin(path) is load_plugin(str(path)) is load_plugin(load_plugin(path))
    assert (tmp_path / "count").read_text() == "x"


def test_an_edit_in_the_same_second_and_of_the_same_length_is_seen(write: Write) -> None:
    """A cached file of compiled code would be taken for the new one."""
    reference, current = pair()
    for name in ("bur1", "bur2", "bur3"):
        path = write(BURR.replace('"burr"', f'"{name}"'))
        result = vde.compare(reference, current, plugins=path, **FAST)
        assert types_of(result) == [name]
        assert [one for one in vde.anomaly_types() if one not in BUILT_IN] == [name]
    assert not (path.parent / "__pycache__").exists()  # and nothing is left beside it


def test_what_an_edited_plugin_no_longer_registers_is_gone(write: Write) -> None:
    load_plugin(write(BURR + '\nvde.anomaly_type("crack")(burr)\nvde.remove_anomaly_type("spot")'))
    plugin = load_plugin(write(BURR.replace('"burr"', '"drip"')))
    assert plugin.types == ("drip",)
    assert vde.anomaly_types() == (*BUILT_IN, "drip")
    assert user_rules().keys() == {"drip"}  # crack is the built-in rule again


def test_a_plugin_that_takes_a_type_away_can_be_edited_and_run_again(write: Write) -> None:
    text = BURR + '\nvde.remove_anomaly_type("spot")\n'
    load_plugin(write(text))
    plugin = load_plugin(write(text + "# edited\n"))
    assert plugin.removed == ("spot",) and "spot" not in vde.anomaly_types()


def test_a_plugin_that_is_named_is_there_although_types_were_reset(write: Write) -> None:
    path = write(BURR)
    reference, current = pair()
    assert types_of(vde.compare(reference, current, plugins=path, **FAST)) == ["burr"]
    vde.reset_anomaly_types()
    assert "burr" not in types_of(vde.compare(reference, current, **FAST))
    assert types_of(vde.compare(reference, current, plugins=path, **FAST)) == ["burr"]


def test_a_plugin_that_is_named_beats_a_cell_that_came_between(write: Write) -> None:
    path = write(BURR)
    load_plugin(path)
    vde.anomaly_type("burr")(lambda region: 0.0)
    reference, current = pair()
    assert types_of(vde.compare(reference, current, plugins=path, **FAST)) == ["burr"]


def test_removing_a_plugin_spares_what_somebody_else_registered_since(write: Write) -> None:
    plugin = load_plugin(write(BURR))
    vde.anomaly_type("burr")(lambda region: 0.5)
    plugin.remove()
    assert "burr" in vde.anomaly_types()


def test_of_two_plugins_with_one_name_the_later_counts(write: Write) -> None:
    first, second = write(BURR), write(BURR.replace("1.0", "0.0"), "other.py")
    reference, current = pair()
    assert types_of(vde.compare(reference, current, plugins=[first, second], **FAST)) != ["burr"]
    assert types_of(vde.compare(reference, current, plugins=[second, first], **FAST)) == ["burr"]
    assert plugin_types() == {"burr": "burrs.py"}


def test_files_of_one_name_in_two_folders_are_two_plugins(write: Write, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    one = load_plugin(write(BURR))
    two = load_plugin(write(BURR.replace('"burr"', '"drip"'), "more/burrs.py"))
    assert {"burr", "drip"} <= {*vde.anomaly_types()}
    one.remove()
    assert plugin_types() == {"drip": two.name}


def test_a_dataclass_works_in_a_plugin(write: Write) -> None:
    load_plugin(
        write(
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Limit:\n    least: float = 1.0\n" + BURR
        )
    )


def test_a_traceback_shows_the_lines_of_a_plugin(write: Write) -> None:
    load_plugin(write(BURR.replace("return 1.0", "return 1.0 / (region.area * 0)")))
    try:
        vde.compare(*pair(), **FAST)
    except vde.VdeError as error:
        told = "".join(traceback.format_exception(error))
    assert "burrs.py" in told and "return 1.0 / (region.area * 0)" in told


# What a plug-in imports


def own_types() -> set[str]:
    return {*vde.anomaly_types()} - {*BUILT_IN}


@pytest.fixture
def helped(write: Write, module: str) -> dict[str, str]:
    """Plug-ins whose types are registered by what they import, by what that is."""
    del module  # makes the folder one in which modules are found
    write("from . import rules\n", "my_package/__init__.py")
    write(BURR, "my_package/rules.py")
    write(BURR, "my_helper.py")
    inner = write(BURR, "inner.py")
    return {
        "package": "my_package",
        "module": str(write("import my_helper\n", "outer.py")),
        "plug-in": str(
            write(f"import vde_nb\nvde_nb.load_plugin({str(inner)!r})\n", "outermost.py")
        ),
    }


def edit(name: str, write: Write, text: str = "# edited\n") -> None:
    file = "my_package/__init__.py" if name == "my_package" else Path(name).name
    path = write("", f"{file}.new").with_suffix("")
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize("by", ["package", "module", "plug-in"])
def test_types_that_are_registered_by_an_import_outlive_a_second_run(
    write: Write, helped: dict[str, str], by: str
) -> None:
    name = helped[by]
    assert load_plugin(name).types == ("burr",)
    edit(name, write)
    assert load_plugin(name).types == ("burr",) and own_types() == {"burr"}
    vde.anomaly_type("burr")(lambda region: 0.0)
    assert types_of(vde.compare(*pair(), plugins=name, **FAST)) == ["burr"]
    vde.reset_anomaly_types()
    assert load_plugin(name).types == ("burr",) and own_types() == {"burr"}
    load_plugin(name).remove()
    assert own_types() == set()
    assert load_plugin(name).types == ("burr",) and own_types() == {"burr"}


@pytest.mark.parametrize("by", ["package", "module", "plug-in"])
def test_an_edit_that_fails_leaves_the_types_of_an_import(
    write: Write, helped: dict[str, str], by: str
) -> None:
    name = helped[by]
    load_plugin(name)
    rule = user_rules()["burr"]
    edit(name, write, "1 / 0\n")
    with pytest.raises(SettingError, match="ZeroDivisionError"):
        load_plugin(name)
    assert user_rules()["burr"] is rule
    edit(name, write, "\n")
    with pytest.raises(SettingError, match="ZeroDivisionError"):
        load_plugin(name)
    (write("", "x").parent / ("my_package/__init__.py" if by == "package" else name)).write_text(
        {"package": "from . import rules\n", "module": "import my_helper\n"}.get(by, BURR)
    )
    assert load_plugin(name).types == ("burr",) and own_types() == {"burr"}


def test_types_of_an_import_that_is_left_out_are_gone(write: Write, helped: dict[str, str]) -> None:
    load_plugin(helped["module"])
    assert load_plugin(write("# nothing\n", "outer.py")).types == () and own_types() == set()


def test_what_was_imported_by_others_is_not_of_the_plugin(
    write: Write, helped: dict[str, str]
) -> None:
    helper = __import__("my_helper")
    plugin = load_plugin(helped["module"])
    assert plugin.is_empty and own_types() == {"burr"}
    edit(helped["module"], write)
    load_plugin(helped["module"]).remove()
    assert own_types() == {"burr"} and sys.modules["my_helper"] is helper


def test_a_library_that_a_plugin_imports_is_not_imported_twice(write: Write, module: str) -> None:
    write("import json\nclass Shape: pass\n", "my_helper.py")
    path = write("import my_helper\n" + BURR)
    load_plugin(path)
    library = sys.modules["my_helper"]
    load_plugin(write("import my_helper\n" + BURR + "# edited"))
    assert sys.modules["my_helper"] is library


def test_a_comparison_in_another_thread_does_not_wait_for_a_plugin(write: Write) -> None:
    """A plug-in may compare, with threads of its own, while it is being loaded."""
    path = write(
        "import threading\nimport numpy as np\nimport vde_nb as vde\n"
        "wall = np.full((60, 80, 3), 90, np.uint8)\n"
        "def go(): vde.compare(wall, wall, method='hybrid', segmenter='none')\n"
        "thread = threading.Thread(target=go, daemon=True)\n"
        "thread.start()\nthread.join(20)\nassert not thread.is_alive(), 'it waits'\n"
    )
    load_plugin(path)


# Modules


def test_a_module_is_imported_and_an_edit_of_it_is_seen(write: Write, module: str) -> None:
    write(BURR, f"{module}.py")
    assert repr(load_plugin(module)) == f"Plugin({module}: type burr)"
    assert load_plugin(module) is load_plugin(module)
    write(BURR.replace('"burr"', '"drip"'), f"{module}.py")
    assert load_plugin(module).types == ("drip",)
    assert "burr" not in vde.anomaly_types()


def test_a_module_somebody_imported_before_is_known_by_its_rules(write: Write, module: str) -> None:
    write(BURR, f"{module}.py")
    __import__(module)
    rule = user_rules()["burr"]
    plugin = load_plugin(module)
    assert plugin.types == ("burr",) and user_rules()["burr"] is rule


def test_a_module_whose_types_were_reset_is_run_again(write: Write, module: str) -> None:
    write(BURR, f"{module}.py")
    __import__(module)
    vde.reset_anomaly_types()
    assert load_plugin(module).types == ("burr",)
    vde.reset_anomaly_types()
    assert load_plugin(module).types == ("burr",) and "burr" in vde.anomaly_types()


def test_a_module_somebody_imported_before_is_known_by_its_features(
    write: Write, module: str
) -> None:
    text = "import vde_nb as vde\nran = []\ndef greys(image): return image\n"
    write(text + "vde.add_features('of_test', greys)\n", f"{module}.py")
    ran = __import__(module).ran
    plugin = load_plugin(module)
    assert plugin.features == ("of_test",) and sys.modules[module].ran is ran  # type: ignore[attr-defined]
    plugin.remove()
    assert "of_test" not in [row["name"] for row in vde.features()]


@pytest.mark.parametrize("name", ["numpy", "json", "cv2", "vde_nb"])
def test_a_library_that_was_imported_before_is_not_run_again(name: str) -> None:
    import json  # noqa: F401

    before = {key: one for key, one in vars(sys.modules[name]).items() if callable(one)}
    types, models = vde.anomaly_types(), {*MODELS}
    assert load_plugin(name).is_empty and load_plugin(name).is_empty
    after = vars(sys.modules[name])
    assert all(after[key] is one for key, one in before.items())
    load_plugin(name).remove()
    assert vde.anomaly_types() == types and {*MODELS} == models


def test_a_package_that_was_imported_and_reset_is_run_again(
    helped: dict[str, str],
) -> None:
    __import__("my_package")
    vde.reset_anomaly_types()
    assert load_plugin(helped["package"]).types == ("burr",)


def test_a_module_without_source_can_be_named() -> None:
    plugin = load_plugin("math")
    assert (plugin.digest, plugin.types) == ("", ())
    assert load_plugin("math") == plugin


def test_a_model_a_plugin_added_goes_with_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    known = SimpleNamespace(name="tiny")
    monkeypatch.setitem(MODELS, "kept", known)
    plugin = load_plugin(
        write("from vde_nb.segment.models import MODELS\nMODELS['tiny'] = object()")
    )
    assert plugin.models == ("tiny",) and repr(plugin) == "Plugin(burrs.py: model tiny)"
    plugin.remove()
    assert "tiny" not in MODELS and MODELS["kept"] is known


# Things go wrong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import vde_nb\ndef f(:\n", r"SyntaxError: .*\(burrs.py, line 2\)\. Mend it there"),
        ("\n\n1 / 0\n", r"ZeroDivisionError: division by zero \(burrs.py, line 3\)\. Mend it"),
        ("import no_such_thing\n", r"ModuleNotFoundError: .*\(burrs.py, line 1\)"),
        ("import sys\nsys.exit(3)\n", r"it ends the program \(SystemExit\) \(burrs.py, line 2\)"),
        (
            'import vde_nb as vde\n@vde.anomaly_type("a burr")\ndef f(region): ...\n',
            r"SettingError: anomaly_type\('a burr'\).* \(burrs.py, line 2\)",
        ),
        ("x = '\0'", r"burrs.py cannot be imported"),
    ],
)
def test_what_is_wrong_in_a_plugin_is_told_with_its_line(
    write: Write, text: str, said: str
) -> None:
    with pytest.raises(SettingError, match=said):
        load_plugin(write(text))


def test_a_plugin_that_fails_half_way_registers_nothing(write: Write) -> None:
    load_plugin(write(BURR))
    rule = user_rules()["burr"]
    broken = BURR + '\nvde.anomaly_type("drip")(burr)\nvde.remove_anomaly_type("spot")\n1 / 0\n'
    with pytest.raises(SettingError, match=r"burrs.py, line 10"):
        load_plugin(write(broken))
    assert vde.anomaly_types() == (*BUILT_IN, "burr")
    assert user_rules()["burr"] is rule


def test_a_plugin_that_fails_leaves_features_and_models_of_others(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, function = object(), lambda image: image
    monkeypatch.setitem(MODELS, "of_test", known)
    vde.add_features("of_test", function)
    text = (
        "import vde_nb as vde\nfrom vde_nb.segment.models import MODELS\n"
        "vde.add_features('of_test', lambda image: image)\nMODELS['of_test'] = object()\n"
    )
    with pytest.raises(SettingError, match="ZeroDivisionError"):
        load_plugin(write(text + "1 / 0\n"))
    assert MODELS["of_test"] is known
    assert _user.functions()["of_test"].function is function
    load_plugin(write(text)).remove()
    assert MODELS["of_test"] is known
    assert _user.functions()["of_test"].function is function


def test_a_removed_plugin_gives_back_the_type_it_replaced(write: Write) -> None:
    vde.anomaly_type("burr")(rule := lambda region: 0.5)
    first, second = load_plugin(write(BURR)), load_plugin(write(BURR, "other.py"))
    assert user_rules()["burr"] is not rule
    first.remove()
    second.remove()
    assert user_rules() == {"burr": rule}


def test_a_folder_is_no_plugin(write: Write, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(BURR, "my_rules_of_old/burrs.py")
    for _ in range(2):
        with pytest.raises(SettingError, match=r"'my_rules_of_old' is a folder, not a module"):
            load_plugin("my_rules_of_old")
    assert "my_rules_of_old" not in sys.modules
    monkeypatch.setitem(sys.modules, "my_rules_of_old", __import__("my_rules_of_old"))
    with pytest.raises(SettingError, match=r"is a folder, not a module"):
        load_plugin("my_rules_of_old")


@pytest.mark.parametrize(
    "name", ["no_such_module", "/no/such.py", "", "a/b", "~nobody_at_all/a.py"]
)
def test_what_is_not_there_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=r"cannot be imported: .*the path of a \.py file"):
        load_plugin(name)


def test_a_file_that_is_not_there_is_not_taken_for_a_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def said(name: str) -> str:
        with pytest.raises(SettingError) as caught:
            load_plugin(name)
        return str(caught.value)

    monkeypatch.chdir(tmp_path)
    for name in ("burred.png", "burr.png", "burrs.png", "burs.jpg"):
        (tmp_path / name).touch()
    told = said("burrs.py")
    assert "did you mean" not in told
    assert f"no such file in {tmp_path}. vde-nb plugin new burrs.py writes one to begin" in told
    (tmp_path / "burr.py").touch()
    assert "; did you mean burr.py? " in said("burrs.py")
    assert "plugin new" not in said("burrs.py")
    assert "plugin new" not in said("no/burrs.py"), "it makes no folders"
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "spots.py").touch()
    assert f"did you mean {Path('below', 'spots.py')}? " in said("spots.py")


def test_a_file_named_without_its_ending_is_recognised(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(BURR, "burrs_of_mine.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one not in ("", str(tmp_path))])
    with pytest.raises(SettingError, match=r"Did you mean the file burrs_of_mine\.py\?"):
        load_plugin("burrs_of_mine")


@pytest.mark.parametrize("wrong", [3, ["a.py", 3], [b"a.py"]])
def test_what_is_no_name_is_refused(wrong: Any) -> None:
    with pytest.raises(SettingError, match=r"plugins=.* is not allowed"):
        vde.compare(*pair(), plugins=wrong)


def test_one_several_or_none_can_be_given(write: Write) -> None:
    path = write(BURR)
    assert named_plugins(None) == named_plugins(()) == ()
    assert named_plugins(path) == named_plugins([path]) == (str(path),)
    assert [one.name for one in load_plugins([str(path), load_plugin(path)])] == ["burrs.py"] * 2


# Where they can be named


def test_a_result_says_whose_its_types_are_and_asks_anew(write: Write) -> None:
    path = write(BURR)
    result = vde.compare(*pair(), plugins=path, **FAST)
    assert "Types of plug-ins: burr (burrs.py)." in result.notes
    assert "plugins" not in result.settings.flat()
    again = result.again(plugins=write(BURR.replace('"burr"', '"drip"')), threshold=60)
    assert types_of(again) == ["drip"]
    assert "Types of plug-ins: drip (burrs.py)." in again.notes
    load_plugin(path).remove()
    assert not [note for note in result.again().notes if "plug-in" in note]


def test_a_result_says_which_plugin_registers_nothing(write: Write) -> None:
    note = "The plug-in burrs.py registers nothing."
    result = vde.compare(*pair(), plugins=write("x = 1"), **FAST)
    assert note in result.notes
    assert note in result.again(plugins=write("x = 2")).notes
    assert note not in vde.compare(*pair(), plugins=write(BURR), **FAST).notes


def test_the_published_rules_ask_no_plugin_and_name_none(write: Write) -> None:
    result = vde.compare(*pair(), preset="published", plugins=write(BURR))
    assert types_of(result) != ["burr"] and not [n for n in result.notes if "plug-in" in n]


def test_settings_may_name_what_a_plugin_registers(write: Write) -> None:
    path = write(
        "import cv2, vde_nb\n"
        "def greys(image):\n    return cv2.resize(image, (16, 12)) / 255.0\n"
        "vde_nb.add_features('my_greys', greys)\n"
    )
    result = vde.compare(*pair(), method="semantic", features="my_greys", plugins=path)
    assert result.described_by == "my_greys"
    panel = vde.Panel(*pair(), method="semantic", features="my_greys", plugins=path)
    panel.close()


def test_an_evaluation_loads_a_plugin(write: Write) -> None:
    pairs = [(*pair(), [((30, 20, 30, 20), "burr")])]
    assert vde.evaluate(pairs, **FAST).type_accuracy == 0
    assert vde.evaluate(pairs, plugins=write(BURR), **FAST).type_accuracy == 1


def test_a_panel_loads_a_plugin_and_its_code_repeats_it(write: Write) -> None:
    path = write(BURR)
    panel = vde.Panel(*pair(), plugins=path, **FAST)
    try:
        assert types_of(panel.comparison) == ["burr"]
        assert [one.name for one in panel.plugins] == ["burrs.py"]
        assert f"plugins={str(path)!r}".replace("'", '"') in panel.code()
        assert "plugins" not in panel.session()  # a session runs no code
        write(BURR.replace('"burr"', '"drip"'))
        panel.plugins = [path]
        assert types_of(panel.comparison) == ["drip"]
        with pytest.raises(SettingError, match="cannot be imported"):
            panel.plugins = "nowhere.py"
        assert panel.plugin_names == (str(path),)
    finally:
        panel.close()


def test_all_pairs_of_a_panel_are_outdated_once_its_plugins_change(write: Write) -> None:
    path = write(BURR)
    panel = vde.Panel(pairs=[pair(), pair(), pair()], plugins=path, **FAST)
    try:
        panel.compare_all()
        panel.wait()
        assert [one["count"] for one in panel.frames] == [1, 1, 1]
        write(BURR.replace('"burr"', '"drip"'))
        panel.plugins = path
        panel.wait()
        assert [one["count"] for one in panel.frames] == [1, None, None]
        assert panel._sweep.patch()["filmstrip"]["missing"] == 2
        panel.compare_all()
        panel.wait()
        assert [one["count"] for one in panel.frames] == [1, 1, 1]
    finally:
        panel.close()


def test_a_session_that_names_a_plugin_is_refused_and_runs_nothing(
    write: Write, tmp_path: Path
) -> None:
    trap, ran = write(TRAP, "trap.py"), tmp_path / "ran"
    panel = vde.Panel(*pair(), root=tmp_path, **FAST)
    session = panel.session() | {"plugins": [str(trap)]}
    try:
        from vde_nb.panel._session import restore

        with pytest.raises(SettingError, match="plugins"):
            restore(panel, session)
    finally:
        panel.close()
    assert not ran.exists()
    load_plugin(trap)
    assert ran.exists(), "the trap would have told"


def test_a_plugin_lying_beside_the_pictures_is_never_loaded(write: Write, tmp_path: Path) -> None:
    import cv2

    for name in ("plugins.py", "vde_nb_plugins.py", "conftest.py", "reference.py"):
        write(TRAP, name)
    for name, picture in zip(("reference.png", "current.png"), pair(), strict=True):
        cv2.imwrite(str(tmp_path / name), picture)
    vde.compare(tmp_path / "reference.png", tmp_path / "current.png", **FAST)
    vde.compare_many(
        [(str(tmp_path / "reference.png"), str(tmp_path / "current.png"))],
        workers=0,
        out=tmp_path / "run",
        progress=False,
        **FAST,
    )
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The pair as files."""
    import cv2

    paths = [str(tmp_path / name) for name in ("reference.png", "current.png")]
    for path, picture in zip(paths, pair(), strict=True):
        cv2.imwrite(path, picture)
    return paths


def test_the_command_line_takes_several_plugins(
    write: Write, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = write(BURR.replace("1.0", "0.9")), write(BURR.replace('"burr"', '"drip"'), "b.py")
    words = ["compare", *files, "--method", "hybrid", "--plugin", str(one), "--plugin", str(two)]
    assert main(words) == 1
    told = capsys.readouterr().out
    assert "drip" in told and "Types of plug-ins: burr (burrs.py), drip (b.py)." in told


def test_the_command_line_tells_a_plugin_that_fails_in_one_line(
    write: Write, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *files, "--plugin", str(write("\n1 / 0"))]) == 2
    error = capsys.readouterr().err
    assert error.startswith("vde-nb: error: --plugin ") and error.count("\n") == 1
    assert "ZeroDivisionError: division by zero (burrs.py, line 2)" in error


def test_normality_takes_plugins_too(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good").mkdir()
    words = ["normality", "fit", str(tmp_path / "good"), "--out", str(tmp_path / "m")]
    assert main([*words, "--plugin", str(write("1 / 0"))]) == 2
    assert "--plugin" in capsys.readouterr().err
    assert main([*words, "--plugin", str(write(BURR))]) == 2  # there are no pictures
    assert "burr" in vde.anomaly_types()


def test_a_run_without_the_plugin_that_was_loaded_before_is_told_what_to_name(
    write: Write, files: list[str], tmp_path: Path
) -> None:
    path = write(BURR)
    vde.compare(*files, method="hybrid", plugins=path)
    with pytest.raises(SettingError, match=r"burr come from plug-ins .* plugins=\['.*burrs\.py'\]"):
        vde.compare_many([tuple(files)], workers=1, out=tmp_path / "run", method="hybrid")
