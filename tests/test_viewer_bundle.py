"""One script of many modules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from vde_nb.viewer import bundle

LEAF = "/** @typedef {{a: number}} Leaf */\nexport const LEAF = 1;\n\nexport function leaf() {}\n"


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules to put together, in the place of the package's own."""
    monkeypatch.setattr(bundle, "_folder", lambda: tmp_path)
    (tmp_path / "leaf.js").write_text(LEAF, "utf-8")
    return tmp_path


def together(static: Path, **texts: str) -> str:
    for name, text in texts.items():
        (static / f"{name}.js").write_text(text, "utf-8")
    return bundle.esm.__wrapped__("entry")


def test_each_module_comes_once_and_after_what_it_needs(static: Path) -> None:
    text = together(
        static,
        inner='import { LEAF } from "./leaf.js";\nexport class Inner {}\n'
        "export const TWO = LEAF;\n",
        entry='import {\n  Inner,\n  TWO,\n} from "./inner.js";\n'
        'import { leaf } from "./leaf.js";\n\n'
        "export async function used() {}\nexport default { render: () => [Inner, TWO, leaf] };\n",
    )
    places = [text.index(f"// {name}.js") for name in ("leaf", "inner", "entry")]
    assert places == sorted(places)
    assert text.count("const LEAF") == 1
    assert "import" not in text
    assert text.count("export") == 1
    assert "\nasync function used() {}\nexport default { render" in text


def test_the_script_runs(static: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run it with")
    text = together(
        static,
        inner='import { LEAF } from "./leaf.js";\nexport const { one, two: [three] } = '
        "{ one: LEAF, two: [3] };\n",
        entry='import { one, three } from "./inner.js";\nexport default one + three;\n',
    )
    (static / "whole.mjs").write_text(text, "utf-8")
    code = "import('./whole.mjs').then((made) => console.log(made.default))"
    done = subprocess.run([node, "-e", code], cwd=static, capture_output=True, text=True)
    assert done.stdout.strip() == "4", done.stderr


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"entry": "\nfunction leaf() {}\n"}, None),
        (
            {"entry": 'import { leaf } from "./leaf.js";\n\nconst LEAF = 2;\n'},
            r"entry\.js:3: 'LEAF' is declared in leaf\.js:2 already",
        ),
        (
            {"entry": 'import { leaf } from "./leaf.js";\nlet { a: [b], LEAF } = {};\n'},
            r"entry\.js:2: 'LEAF' is declared",
        ),
        (
            {
                "a": 'import { b } from "./b.js";\nexport const a = 1;\n',
                "b": 'import { a } from "./a.js";\nexport const b = 1;\n',
                "entry": 'import { a } from "./a.js";\n',
            },
            r"circle: a\.js -> b\.js -> a\.js",
        ),
        ({"entry": 'import { gone } from "./leaf.js";\n'}, r"entry\.js:1: leaf\.js exports no"),
        ({"entry": '\nimport { x } from "./gone.js";\n'}, r"entry\.js:2: there is no module gone"),
        ({"entry": 'import { leaf as f } from "./leaf.js";\n'}, "exports no 'leaf as f'"),
        ({"entry": 'import * as all from "./leaf.js";\n'}, r"entry\.js:1: this form .* import \*"),
        ({"entry": 'import leaf from "./leaf.js";\n'}, r"entry\.js:1: this form"),
        ({"entry": 'import { x } from "https://a.b/x.js";\n'}, r"entry\.js:1: this form"),
        ({"entry": 'import "./leaf.js";\n'}, r"entry\.js:1: this form"),
        ({"entry": "const a = 1;\nexport { a };\n"}, r"entry\.js:2: this form .* export \{ a \}"),
        (
            {"b": "export default 1;\n", "entry": 'import { } from "./b.js";\n'},
            r"b\.js:1: this form .* export default 1",
        ),
    ],
)
def test_what_cannot_be_put_together_is_refused_with_its_place(
    static: Path, texts: dict[str, str], said: str | None
) -> None:
    if said is None:
        assert "leaf" in together(static, **texts)
        return
    with pytest.raises(bundle.BundleError, match=said):
        together(static, **texts)


def test_an_unknown_entry_is_named(static: Path) -> None:
    with pytest.raises(bundle.BundleError, match=r"static/entry\.js is missing"):
        together(static)


@pytest.mark.parametrize("entry", ["widget", "report"])
def test_the_package_s_own_modules_go_together(entry: str) -> None:
    text = bundle.esm(entry)
    assert text is bundle.esm(entry)  # made once
    assert not any(line.startswith("import") for line in text.splitlines())
    # It stands inside a page, in a script element.
    assert "</script" not in text.lower()
    assert "<!--" not in text


def test_the_styles_keep_to_the_viewer_and_load_nothing() -> None:
    text = bundle.css()
    assert ".vde-viewer" in text
    assert "@import" not in text
    assert "url(" not in text
    assert "</style" not in text
