"""What README, CONTRIBUTING and docs/ promise: links lead somewhere, names exist, code is code."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import vde_nb as vde
from vde_nb.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
]
NOTEBOOKS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "notebooks").glob("*.ipynb"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def text_of(page: str) -> str:
    """What a page says; of a notebook the text between its cells of code."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if not page.endswith(".ipynb"):
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(one["source"]) for one in cells if one["cell_type"] == "markdown")


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def blocks(page: str, kind: str) -> list[str]:
    return [code for language, code in BLOCK.findall(text_of(page)) if language == kind]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_what_is_there(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", text_of(page)))
    lost = []
    for link in links:
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ROOT / page if not path else (ROOT / page).parent / path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_readme_lists_every_notebook_once() -> None:
    listed = re.findall(r"^\| \[\d+ [^\]]+\]\(notebooks/([^)]+)\)", text_of("README.md"), re.M)
    assert listed == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS])
def test_examples_are_python_and_name_what_exists(page: str) -> None:
    spoken = set(re.findall(r"`vde\.(\w+)", text_of(page)))
    assert {name for name in spoken if not hasattr(vde, name)} == set()
    for code in blocks(page, "python"):
        tree = ast.parse(code)
        named = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "vde"
        }
        assert {name for name in named if not hasattr(vde, name)} == set()


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS])
def test_commands_are_commands(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = "".join(blocks(page, "console")).splitlines()
    named = {tuple(line.split()[2:3]) for line in lines if line.startswith("$ vde-nb ")}
    named |= {(name,) for name in re.findall(r"`vde-nb (\w+)", text_of(page))}
    for command in sorted(named):
        assert main([*command, "--help"]) == 0
        assert f"usage: vde-nb {' '.join(command)}" in capsys.readouterr().out


def test_the_quick_start_is_two_lines_as_ci_reads_it() -> None:
    start = text_of("README.md").split("## Quick start\n")[1].split("\n## ")[0]
    lines = [code.splitlines() for language, code in BLOCK.findall(start) if language == "bash"]
    assert [len(one) for one in lines] == [1, 1]


def test_the_picture_of_the_panel_loads_quickly() -> None:
    assert (ROOT / "docs" / "panel.png").stat().st_size < 400_000
