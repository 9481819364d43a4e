"""The viewer's modules: their own tests in node, and rules they all keep to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vde_nb.viewer import bundle

#: Every script in the folder: none is left out by its name, and a helper passes as an empty test.
JS_TESTS = sorted(Path(__file__).with_name("js").glob("*.*js"))
MODULES = bundle.modules()
LEAST_NODE = 18

#: Ways to turn text into markup or code, or to reach outside of the page.
FORBIDDEN = re.compile(
    r"\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\s*\(|new Function\b"
    r"|createContextualFragment|DOMParser|\bimport\s*\(|XMLHttpRequest|\bfetch\s*\(|WebSocket"
    r"|localStorage|sessionStorage|document\.cookie|console\.log"
)
#: Comments and literals, of which only comments go: a literal may hold what looks like one.
_COMMENTS = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|//[^\n]*|/\*.*?\*/""", re.S
)


def code(name: str) -> str:
    """A module without its comments; lines keep their numbers."""
    return _without_comments(bundle.module(name))


def _without_comments(text: str) -> str:
    return _COMMENTS.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)


@pytest.fixture(scope="session")
def node() -> str:
    """Path of a node that can run the tests."""
    path = shutil.which("node")
    found = 0
    if path is not None:
        told = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        match = re.match(r"v(\d+)", told)
        found = int(match[1]) if match else 0
    if path is None or found < LEAST_NODE:
        have = f"node {found}" if path else "no node"
        reason = (
            f"there is {have} on the PATH; install Node.js {LEAST_NODE} or later "
            "(https://nodejs.org) to run the tests of the viewer"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.mark.parametrize("file", JS_TESTS, ids=lambda file: file.name.partition(".")[0])
def test_in_node(node: str, file: Path) -> None:
    done = subprocess.run(
        [node, "--test", file], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_modules_and_tests_of_them() -> None:
    assert {"widget", "report", "store", "stage"} <= set(MODULES)
    assert len(JS_TESTS) >= 5


def test_every_top_level_name_is_declared_once() -> None:
    places: dict[str, list[str]] = {}
    for module in MODULES:
        for name, line in bundle.declared(module):
            places.setdefault(name, []).append(f"{module}.js:{line}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_the_search_for_names_misses_none(node: str, tmp_path: Path) -> None:
    """One module that holds them all is one that node can read: no name is declared twice."""
    for entry in ("widget", "report"):
        whole = tmp_path / f"{entry}.mjs"
        whole.write_text(bundle.esm(entry), "utf-8")
        done = subprocess.run([node, "--check", whole], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_siblings_only(module: str) -> None:
    whole = bundle.esm.__wrapped__(module)  # refuses all other imports, telling file and line
    assert not re.search(r"^\s*import\b(?!\()", _without_comments(whole), re.M)


@pytest.mark.parametrize("module", MODULES)
def test_text_never_becomes_markup_or_code(module: str) -> None:
    text = code(module)
    found = [
        f"{module}.js:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for match in FORBIDDEN.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("a.innerHTML = b;", True),
        ("// a.innerHTML = b;\n/* eval(x) */", False),
        ('const s = "//"; eval(s);', True),
        ("const evaluate = medieval(1);", False),
        ('/** @param {import("./store.js").Store} store */', False),
    ],
)
def test_the_search_sees_code_and_no_comments(
    text: str, is_found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "module", lambda name: text)
    assert bool(FORBIDDEN.search(code("any"))) is is_found
