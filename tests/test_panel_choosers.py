"""Lists of features and of models of normality, and how a model goes into sessions and code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vde_nb as vde
from tests.panel_stand_in import StandIn
from vde_nb._png import png
from vde_nb.panel import Panel
from vde_nb.panel._choosers import MODELS, saved_models
from vde_nb.panel._code import code_of
from vde_nb.panel._controls import Controls, build_controls
from vde_nb.panel._files import Root
from vde_nb.panel._series import series_panel


def scene(seed: int, spot: int = 0) -> Any:
    picture = np.random.default_rng(seed).normal(120, 3, (90, 120, 3))
    picture[20 : 20 + spot, 30 : 30 + spot] += 70
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> vde.Normality:
    return vde.Normality.fit([scene(at) for at in range(6)], model="variation", align=False)


@pytest.fixture
def panel(tmp_path: Path) -> StandIn:
    return StandIn(root=tmp_path)


@pytest.fixture
def controls(panel: StandIn) -> Iterator[Controls]:
    made = build_controls(panel)
    yield made
    made.close()


def lines(controls: Controls, name: str) -> dict[str, str]:
    return {value: label for label, value in controls.entries[name].input.options}


def hint(controls: Controls, name: str) -> str:
    return str(controls.entries[name].box.children[1].value)


def test_the_list_of_features_says_what_is_ready(panel: StandIn, controls: Controls) -> None:
    assert "features" not in controls.entries, "robust has no use for them"
    panel.method = "semantic"
    listed = lines(controls, "features")
    assert listed["embedded"] == "Embedded descriptors"
    assert "download" in listed["dinov2_small"] or "needs" in listed["dinov2_small"]
    assert "No weights" in hint(controls, "features")
    assert controls.entries["features"].again is None
    assert panel.calls == [] and not panel.errors


def test_choosing_features_changes_the_panel_and_says_what_they_are(
    panel: StandIn, controls: Controls
) -> None:
    panel.method = "semantic"
    controls.entries["features"].input.value = "dinov2_small"
    assert panel.settings == {"features": "dinov2_small"}
    assert "DINOv2" in hint(controls, "features")
    controls.resets["features"].click()
    assert panel.settings == {} and controls.entries["features"].input.value == "embedded"
    assert not panel.errors


def test_features_of_ones_own_are_listed_as_soon_as_there_are_any(
    panel: StandIn, controls: Controls
) -> None:
    panel.method = "semantic"
    vde.add_features("grey", lambda image: image.mean(axis=2, keepdims=True)[::8, ::8])
    try:
        panel.settings = {"features": "grey"}
        assert controls.entries["features"].input.value == "grey"
        assert "your own" in hint(controls, "features")
        assert not panel.errors
    finally:
        vde.remove_features("grey")


def test_without_a_model_the_panel_says_how_to_make_one(panel: StandIn, controls: Controls) -> None:
    panel.method = "normality"
    assert controls.entries["model"].input.value == ""
    if not [one for one in lines(controls, "model") if one]:
        assert lines(controls, "model") == {"": "none yet"}
        assert "Normality.fit" in hint(controls, "model")
    assert panel.calls == [] and not panel.errors


def test_models_of_the_session_are_listed_and_described(
    panel: StandIn, controls: Controls, model: vde.Normality
) -> None:
    panel.method = "normality"
    panel.change(model=model)
    name = panel.settings["model"]
    assert lines(controls, "model")[name] == f"{name} (this session)"
    assert "6 normal pictures" in hint(controls, "model")
    assert controls.entries["model"].input.value == name
    assert not panel.errors


def test_saved_models_below_the_root_are_found_when_one_looks_again(
    panel: StandIn, controls: Controls, tmp_path: Path
) -> None:
    panel.method = "normality"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / f"wall{MODELS}").write_bytes(b"not read before it is chosen")
    controls.entries["model"].again.click()
    relative = f"models/wall{MODELS}"
    path = str(tmp_path / relative)
    assert lines(controls, "model")[path] == relative
    controls.entries["model"].input.value = path
    assert panel.settings == {"model": path}
    assert "saved model" in hint(controls, "model")
    assert not panel.errors


def test_a_model_that_is_gone_is_said_and_stays_chosen(panel: StandIn, controls: Controls) -> None:
    panel.method = "normality"
    panel.settings = {"model": "subspace-12345678"}
    assert controls.entries["model"].input.value == "subspace-12345678"
    assert "no such model any more" in hint(controls, "model")
    assert not panel.errors


def test_only_visible_models_below_the_root_are_listed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / ".hidden").mkdir(parents=True)
    (root / "a" / "b" / "c" / "d").mkdir(parents=True)
    for place in ("", "a", "a/b/c", "a/b/c/d", ".hidden"):
        (root / place / f"m{MODELS}").touch()
    (root / f".m{MODELS}").touch()
    (root / "m.safetensors").touch()
    (tmp_path / f"above{MODELS}").touch()
    (root / f"link{MODELS}").symlink_to(tmp_path / f"above{MODELS}")
    found = saved_models(Root(root))
    assert found == [f"a/b/c/m{MODELS}", f"a/m{MODELS}", f"m{MODELS}"]


# The panel itself


def test_a_panel_with_a_model_compares_with_it(model: vde.Normality) -> None:
    panel = Panel(scene(50), scene(51, 14), method="normality", model=model, segmenter="none")
    found = panel.comparison
    assert panel.message == ""
    assert len(found.anomalies) == 1 and found.mask[27, 37]
    assert np.array_equal(found.reference, model.reference), "the model brings its own"
    assert panel._pair is not None and found.pair is panel._pair.loaded
    panel.method = "robust"
    assert not np.array_equal(panel.comparison.reference, model.reference)
    panel.close()


def test_without_a_model_the_panel_shows_what_is_missing() -> None:
    panel = Panel(scene(50), scene(51), method="normality")
    panel.wait()
    assert panel.status == "error" and "Normality.fit" in panel.message
    panel.method = "robust"
    panel.wait()
    assert panel.status == "ready"
    panel.close()


def test_what_is_no_model_and_no_features_is_refused(model: vde.Normality) -> None:
    with pytest.raises(vde.SettingError, match="Normality"):
        Panel(method="normality", model=3)
    with pytest.raises(vde.SettingError, match="embeded"):
        Panel(method="semantic", features="embeded")


def test_a_series_opens_with_its_model(model: vde.Normality) -> None:
    times = [datetime(2026, 11, 23, hour) for hour in range(4)]
    frames = [scene(70 + at, 14 if at == 2 else 0) for at in range(4)]
    panel = series_panel(model, frames, times, segmenter="none")
    panel.compare_all()
    panel.wait()
    assert [one["score"] > 1 for one in panel.frames] == [False, False, True, False]
    assert panel.method == "normality" and panel.frames[3]["time"] == times[3]
    panel.close()


def test_pairs_of_files_have_the_times_of_their_names(model: vde.Normality, tmp_path: Path) -> None:
    names = ["cam_2026-11-23_14-30-00.png", "cam_2026-11-23_15-00-00.png"]
    for name in names:
        (tmp_path / name).write_bytes(png(scene(1)))
    pairs = [(model.reference, tmp_path / name) for name in names]
    panel = Panel(pairs=pairs, method="normality", model=model, segmenter="none")
    assert [one["time"] for one in panel.frames] == [
        datetime(2026, 11, 23, 14, 30),
        datetime(2026, 11, 23, 15),
    ]
    panel.close()
    panel = Panel(pairs=pairs, method="robust", segmenter="none")
    assert [one["time"] for one in panel.frames] == [None, None], "these need be no series"
    panel.close()


# Sessions and code


def test_a_session_names_the_file_of_a_model(model: vde.Normality, tmp_path: Path) -> None:
    file = tmp_path / f"scene{MODELS}"
    model.save(file)
    panel = Panel(root=tmp_path, method="normality", model=file)
    panel.save_session(tmp_path / "s.json")
    written = json.loads((tmp_path / "s.json").read_text())
    assert written["model"] == {"file": file.name} and "model" not in written["settings"]
    other = Panel(root=tmp_path)
    other.load_session(tmp_path / "s.json")
    assert other.method == "normality" and Path(other.settings["model"]) == file
    file.unlink()
    with pytest.raises(vde.SettingError, match="there is no file"):
        other.load_session(tmp_path / "s.json")
    panel.close()
    other.close()


def test_a_model_in_memory_is_not_saved_with_a_session(
    model: vde.Normality, tmp_path: Path
) -> None:
    panel = Panel(root=tmp_path, method="normality", model=model)
    with pytest.raises(vde.SettingError, match=r"model\.save"):
        panel.save_session(tmp_path / "s.json")
    assert not (tmp_path / "s.json").exists()
    assert panel.session()["model"] == {"memory": panel.settings["model"]}
    panel.close()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"file": "../above.normality.safetensors"}, "leads out"),
        ({"file": "/etc/passwd"}, "relative"),
        ({"file": "none.safetensors"}, "no file"),
        ({"outside": "x"}, "outside the root"),
        ({"memory": "subspace-00000000"}, "fit or load it again"),
        ({"path": "x"}, "unknown"),
        ("subspace-00000000", "object"),
    ],
)
def test_a_session_of_somebody_else_opens_no_model_outside_the_root(
    tmp_path: Path, model: Any, said: str
) -> None:
    panel = Panel(root=tmp_path)
    with pytest.raises(vde.SettingError, match=said):
        from vde_nb.panel._session import restore

        restore(panel, {**panel.session(), "method": "normality", "model": model})
    with pytest.raises(vde.SettingError, match="no setting"):
        restore(panel, {**panel.session(), "settings": {"model": "/etc/passwd"}})
    panel.close()


def test_the_code_names_a_model_by_its_file_or_as_a_variable(
    model: vde.Normality, tmp_path: Path
) -> None:
    panel = Panel(scene(50), scene(51), method="normality", model=model, segmenter="none")
    code = code_of(panel)
    assert "# model = your vde.Normality" in code and "model=model" in code
    scope: dict[str, Any] = {"reference": scene(50), "current": scene(51), "model": model}
    exec(code, scope)
    assert scope["result"].heatmap.tobytes() == panel.comparison.heatmap.tobytes()
    file = tmp_path / f"scene{MODELS}"
    model.save(file)
    panel.change(model=file)
    assert f'model="{file}"' in code_of(panel)
    panel.close()


def test_the_code_says_that_features_of_ones_own_come_first() -> None:
    panel = Panel(scene(50), scene(51), method="semantic", segmenter="none")
    assert "features" not in code_of(panel)
    vde.add_features("grey", lambda image: image.mean(axis=2, keepdims=True)[::8, ::8])
    try:
        panel.change(features="grey")
        code = code_of(panel)
        assert 'features="grey"' in code and '# vde.add_features("grey"' in code
    finally:
        vde.remove_features("grey")
        panel.close()
