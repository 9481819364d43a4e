"""Code and commands that we write for people hold their words as strings, whatever they say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.panel_stand_in import StandIn
from tests.robustness import seeds
from tests.security import hostile
from vde_nb.panel._code import code_of

NAMES = (
    'a"; import os; os.system("x"); ".png',
    "a'''+__import__('os').abort()+'''.png",
    "a\\",
    "a\nimport os\n#.png",
    "{__import__('os')}.png",
    "\u202e.png",
    "a\u2028import os.png",
)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_never_becomes_code(name: str, tmp_path: Path) -> None:
    data = seeds.pictures()["png"]
    paths = tmp_path / f"1{name}", tmp_path / f"2{name}"
    for path in paths:
        path.write_bytes(data)
    panel = StandIn(root=tmp_path)
    panel.open(*map(str, paths))
    panel.reviews = [{"box": [1, 1, 4, 4], "comment": name + hostile.TEXT.replace("\ud800", "")}]
    tree = ast.parse(code_of(panel))
    called = {ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    assert called <= {"vde.compare", "vde.Review", "vde.samples.load", "vde.Prompt"}
    imported = [one for one in ast.walk(tree) if isinstance(one, (ast.Import, ast.ImportFrom))]
    assert len(imported) == 1
    strings = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)}
    assert any(isinstance(one, str) and one.endswith(f"2{name}") for one in strings)
