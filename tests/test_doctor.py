"""vde-nb doctor: what it finds, and that it finds what is broken."""

from __future__ import annotations

import importlib
import json
import re
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

import vde_nb
from vde_nb import doctor
from vde_nb.cli import main
from vde_nb.methods import METHODS


def fact(report: doctor.Report, name: str) -> doctor.Fact:
    return next(fact for fact in report.facts if fact.name == name)


@pytest.fixture(scope="module")
def report() -> doctor.Report:
    return doctor.examine()


def test_a_healthy_installation_is_reported_as_one(report):
    assert report.ok and report.problems == ()
    assert report.to_text().endswith("Everything needed works.")


def test_versions_are_those_of_the_installed_distributions(report):
    for name in ("numpy", "pillow", "xxhash"):
        assert fact(report, name).value == metadata.version(name)
    assert fact(report, "vde-nb").value.startswith(vde_nb.__version__)


def test_what_is_needed_is_what_pyproject_requires():
    text = (Path(doctor.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE).group(1)
    # what is required only where there is a build of it is merely useful
    everywhere = re.findall(r'"([\w-]+)>=[^;"]*"', block)
    assert set(everywhere) == set(doctor.NEEDED)
    assert {"isal"} == set(re.findall(r'"([\w-]+)>=[^;"]*;', block)) <= set(doctor.USEFUL)


def test_the_trial_compares_an_identical_and_a_changed_pair(report):
    assert fact(report, "identical pair").value == "SSIM 1, anomalies found: 0"
    assert fact(report, "changed pair").value.endswith("anomalies found: 1")


def test_all_choices_are_named(report):
    assert fact(report, "methods").value == ", ".join(METHODS)
    assert fact(report, "segmenters").value.startswith("graphcut, none")
    assert fact(report, "samples").value == ", ".join(vde_nb.samples.list())


def test_lines_fit_a_terminal_and_values_are_aligned(report):
    groups = {fact.group for fact in report.facts}
    lines = report.to_text().splitlines()
    column = max(len(fact.name) for fact in report.facts) + 4
    for line in lines[:-1]:
        assert len(line) <= 79 or " " not in line[column:]  # a path is never broken
        assert line in groups or not line or line[column - 1 : column + 1].strip()


def test_json_says_the_same_as_the_report(report):
    told = json.loads(report.to_json())
    assert told["ok"] is True
    assert [one["value"] for one in told["facts"]] == [fact.value for fact in report.facts]


def test_a_missing_requirement_is_a_problem_with_a_remedy(monkeypatch, capsys):
    real = metadata.version

    def version(name):
        if name == "scikit-learn":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert main(["doctor"]) == 2
    printed = capsys.readouterr().out
    assert "PROBLEM: not installed: pip install scikit-learn" in printed
    assert printed.endswith("Not working: scikit-learn.\n")


def test_a_missing_extra_is_no_problem(monkeypatch):
    def version(name):
        if name == "numba":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor.metadata, "version", version)
    report = doctor.examine()
    assert report.ok
    assert "pip install 'vde-nb[fast]'" in fact(report, "numba").value


def test_any_distribution_of_opencv_will_do(monkeypatch):
    def version(name):
        if name != "opencv-contrib-python":
            raise metadata.PackageNotFoundError(name)
        return "4.10.0.84"

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert doctor._version("opencv-python-headless") == "4.10.0.84"


def test_a_comparison_that_fails_is_a_problem(monkeypatch):
    def broken(*_arguments, **_settings):
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(doctor, "compare", broken)
    report = doctor.examine()
    assert [one.name for one in report.problems] == ["comparison"]
    assert "RuntimeError: no such instruction" in report.to_text()


def test_a_comparison_that_finds_too_much_is_a_problem(monkeypatch):
    real = doctor.compare
    monkeypatch.setattr(doctor, "compare", lambda a, b, **rest: real(a, 255 - b, **rest))
    assert [one.name for one in doctor.examine().problems] == ["identical pair"]


def test_a_comparison_that_finds_nothing_is_a_problem(monkeypatch):
    real = doctor.compare
    monkeypatch.setattr(doctor, "compare", lambda a, b, **rest: real(a, b, min_area=10**6, **rest))
    report = doctor.examine()
    assert [one.name for one in report.problems] == ["changed pair"]
    assert report.problems[0].value.endswith("anomalies found: 0; expected: 1")


class TestDevice:
    @pytest.fixture
    def torch(self, monkeypatch):
        def pretend(cuda: bool, mps: bool) -> None:
            fake = SimpleNamespace(
                cuda=SimpleNamespace(
                    is_available=lambda: cuda, get_device_name=lambda: "NVIDIA H200"
                ),
                backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
            )
            monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
            monkeypatch.setitem(sys.modules, "torch", fake)

        return pretend

    def test_without_torch_it_is_the_processor(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert doctor._device() == "CPU (torch is not installed; only models such as SAM need it)"

    @pytest.mark.parametrize(
        ("cuda", "mps", "told"),
        [(True, False, "CUDA: NVIDIA H200"), (False, True, "MPS"), (False, False, "CPU")],
    )
    def test_with_torch_it_is_what_torch_says(self, torch, cuda, mps, told):
        torch(cuda, mps)
        assert doctor._device() == told

    def test_a_broken_torch_is_told_and_no_problem(self, torch, monkeypatch):
        torch(False, False)
        monkeypatch.delattr(sys.modules["torch"], "cuda")
        assert doctor._device().startswith("CPU (torch does not load: AttributeError")


class TestNumbaCache:
    def test_a_folder_of_ones_own_is_made_and_used(self, tmp_path, monkeypatch):
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
        assert doctor._numba_cache() == f"writable: {tmp_path / 'cache'}"

    def test_a_folder_that_cannot_be_is_told(self, tmp_path, monkeypatch):
        (tmp_path / "cache").write_text("in the way")
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
        assert doctor._numba_cache().startswith("not writable")

    def test_a_folder_that_may_not_be_written_to_is_told(self, tmp_path, monkeypatch):
        def refuse(**_options):
            raise PermissionError

        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
        monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
        assert doctor._numba_cache().startswith(f"not writable: {tmp_path}")


def test_the_command_prints_the_report(capsys):
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
