"""What lint looks for in every file is looked for in every file; who asks it not to says why."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.security.audit import judged

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    tomllib = pytest.importorskip("tomli")

REPOSITORY = Path(__file__).resolve().parents[2]
#: A request to pass over, and the reason behind it.
_PASSED = re.compile(
    r"#\s*noqa(?P<codes>:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?(?P<why>.*)$", re.MULTILINE
)


def lint() -> dict[str, Any]:
    document = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    found: dict[str, Any] = document["tool"]["ruff"]["lint"]
    return found


def test_the_rules_of_bandit_hold_for_the_package() -> None:
    settings = lint()
    assert "S" in settings["select"]
    assert [one for one in settings["ignore"] if one.startswith("S")] == ["S101"]  # assert
    for place, codes in settings["per-file-ignores"].items():
        if not place.startswith("tests"):
            assert not [one for one in codes if re.fullmatch(r"S\d*", one)], place


def test_who_passes_over_a_rule_of_bandit_says_why() -> None:
    for path in sorted((REPOSITORY / "vde_nb").rglob("*.py")):
        for found in _PASSED.finditer(path.read_text("utf-8")):
            codes = re.findall(r"[A-Z]+\d+", found["codes"] or "")
            assert codes, f"{path}: a noqa without a code passes over everything"
            if any(re.fullmatch(r"S\d+", one) for one in codes):
                assert re.search(r"- \w{3,}", found["why"]), f"{path}: {found[0]}: why?"


def test_nothing_is_installed_by_address() -> None:
    """Everything we depend on comes from the registry, by name, where it can be audited."""
    document = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [document["dependencies"], *document["optional-dependencies"].values()]
    for wanted in (one for group in groups for one in group):
        assert "@" not in wanted and "://" not in wanted, wanted


def test_an_audit_without_a_database_says_so_and_fails_nothing() -> None:
    skipped = {"dependencies": [{"name": "numpy", "skip_reason": "not found"}]}
    for report in ({}, skipped):
        assert judged(report) == (0, ["audit skipped: no advisory database reachable"])


def test_an_audit_fails_for_what_can_be_mended() -> None:
    def report(**weakness: object) -> dict[str, object]:
        return {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X", **weakness}]}]}

    assert judged(report(fix_versions=["2"])) == (
        1,
        ["a 1: X, fixed in 2", "audit: 1 of 1 packages looked up, 1 advisories"],
    )
    assert judged(report(fix_versions=[]))[0] == 0
