"""What is public explains itself: to `help()`, to the Tab key, to whoever reads the tour.

Public is what stands in `__all__` of a module without an underscore in its path, and of its
classes every method and property without one. The rule that all of it is held to:

- It has a docstring, which begins with a sentence.
- Arguments: where there is a section *Parameters*, it names exactly those of the signature, in
  their order. Without one a function of two or three arguments names each somewhere in its text;
  that of a single one is plain. More than three need the section.
- A dataclass names its public fields under *Attributes*; any other class its arguments anywhere.
- With *Parameters*, what comes back is told as well: under *Returns*, or by a first line that says
  what it is. One that says what is done ("Read a rule.") does not.
- Errors of the house that it raises itself are named.
- A single sentence that ends in "see :meth:`...`." says where all of this stands.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import json
import os
import pkgutil
import pydoc
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import vde_nb as vde
from vde_nb import errors
from vde_nb._table import Table
from vde_nb.batch import Run
from vde_nb.errors import ImageError, OutputError
from vde_nb.evaluate import Report
from vde_nb.settings._declare import StageSettings

#: First words of sentences that say what is done, not what comes of it.
DOING = re.compile(
    "Add|Answer|Ask|Bring|Call|Change|Compare|Compute|Cut|Decode|Decide|Describe|Do|Download|Draw|"
    "Encode|Estimate|Evaluate|Fetch|Find|Fit|Forget|Give|Go|Group|Have|Hold|Join|Judge|Keep|Learn|"
    "List|Load|Look|Make|Match|Measure|Name|Number|Open|Outline|Pack|Prepare|Put|Read|Register|"
    "Remove|Run|Save|Say|Set|Show|Take|Tell|Train|Turn|Undo|Wait|Write"
)
SECTION = re.compile(r"^(\S.*)\n-{3,}\n", re.MULTILINE)
ELSEWHERE = re.compile(r"[Ss]ee :\w+:`\S+`\.$")


def modules() -> list[str]:
    """Names of all public modules."""
    names = (one.name for one in pkgutil.walk_packages(vde.__path__, "vde_nb."))
    return ["vde_nb", *(name for name in names if "._" not in name)]


def public() -> Iterator[tuple[str, Any]]:
    """All that is public, each once, by the name it is defined under."""
    seen: dict[str, Any] = {}
    for module in map(importlib.import_module, modules()):
        seen.setdefault(module.__name__, module)
        for name in getattr(module, "__all__", ()):
            one = getattr(module, name)
            if getattr(one, "__module__", "").startswith("vde_nb") and callable(one):
                seen.setdefault(f"{one.__module__}.{one.__qualname__}", one)
                if isinstance(one, type):
                    seen.update(members(one))
    yield from seen.items()


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties of a class and of its bases in this package."""
    for base in own_bases(cls):
        for name, one in vars(base).items():
            if isinstance(one, (staticmethod, classmethod)):
                one = one.__func__
            if isinstance(one, functools.cached_property):
                one = one.func
            if not name.startswith("_") and (inspect.isfunction(one) or isinstance(one, property)):
                yield f"{base.__module__}.{base.__qualname__}.{name}", one


def own_bases(cls: type) -> list[type]:
    """A class and those of its bases that are of this package."""
    return [base for base in cls.__mro__ if base.__module__.startswith("vde_nb")]


def sections(text: str) -> dict[str, list[str]]:
    """The names that each section of a docstring lists."""
    _, *parts = SECTION.split(text)
    return {
        title: [
            name.strip()
            for line in body.splitlines()
            if line and not line.startswith(" ")
            for name in line.split(" : ")[0].split(",")
        ]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def arguments(function: Callable[..., Any]) -> list[str]:
    """The arguments of a function as a docstring writes them."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        stars.get(one.kind, "") + one.name
        for one in inspect.signature(function).parameters.values()
        if one.name not in ("self", "cls") and not one.name.startswith("_")
    ]


def untold_errors(function: Callable[..., Any], text: str) -> Iterator[str]:
    """Errors of the house that a function raises by its own hand, and does not name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    named = [one.exc for one in ast.walk(tree) if isinstance(one, ast.Raise)]
    named = [one.func if isinstance(one, ast.Call) else one for one in named]
    for error in sorted({one.id for one in named if isinstance(one, ast.Name)}):
        if error in errors.__all__ and error not in text:
            yield f"does not say that it raises {error}"


def untold(names: list[str], text: str) -> list[str]:
    return [name for name in names if not re.search(rf"\b{name.strip('*')}\b", text)]


def faults_of_function(function: Callable[..., Any], text: str) -> Iterator[str]:
    given, told = arguments(function), sections(text)
    if "Parameters" in told:
        if told["Parameters"] != given:
            yield f"Parameters are {told['Parameters']}, the signature has {given}"
        comes = inspect.signature(function).return_annotation
        is_done = DOING.fullmatch(re.split(r"\W", text)[0])
        if comes not in (None, "None") and is_done and not {"Returns", "Yields"} & {*told}:
            yield f"does not say what it returns: {comes}"
    elif len(given) > 3:
        yield f"has no Parameters: {given}"
    elif len(given) > 1 and untold(given, text):
        yield f"does not speak of {untold(given, text)}"
    yield from untold_errors(function, text)


def faults_of_class(cls: type, text: str) -> Iterator[str]:
    told = sections(text)
    if issubclass(cls, StageSettings):
        # Each field says in its declaration what it is: options, sliders, tooltips come from it.
        silent = [one.name for one in cls.declared() if not one.help.endswith(".")]
        if silent:
            yield f"settings without a sentence: {silent}"
    elif dataclasses.is_dataclass(cls):
        fields = {one.name for one in dataclasses.fields(cls) if not one.name.startswith("_")}
        if fields != {*told.get("Attributes", ())}:
            yield f"Attributes are {told.get('Attributes')}, the fields are {sorted(fields)}"
    elif "__init__" in vars(cls) and not getattr(cls, "_is_protocol", False):
        given = arguments(cls.__init__)
        if "Parameters" in told and told["Parameters"] != given:
            yield f"Parameters are {told['Parameters']}, the signature has {given}"
        if untold(given, text):
            yield f"does not speak of {untold(given, text)}"
        yield from untold_errors(cls.__init__, text)


def faults(one: Any) -> Iterator[str]:
    """What is wrong with the docstring of a module, class, function or property."""
    text = inspect.cleandoc(one.__doc__ or "")
    first = text.split("\n\n")[0]
    if not text:
        yield "has no docstring"
    elif re.match(r"[a-z]\w*\s", first) or not first.endswith((".", "?")):
        yield f"does not begin with a sentence: {first!r}"
    elif text == first and ELSEWHERE.search(text):
        return
    elif isinstance(one, type):
        yield from faults_of_class(one, text)
    elif isinstance(one, property):
        yield from untold_errors(one.fget, text)
    elif callable(one):
        yield from faults_of_function(one, text)


def test_everything_public_says_what_it_is_what_it_takes_and_what_it_raises() -> None:
    found = [f"{name} {fault}" for name, one in public() for fault in faults(one)]
    assert not found, "\n".join(found)


def test_the_rule_sees_what_is_wrong() -> None:
    def read(path: str, size: int, mode: str = "") -> int:
        """Read a file.

        Parameters
        ----------
        path
            Where.
        mode, size
            How.
        """
        raise ImageError("damaged")

    def size(path: str, most: int) -> int:
        """Size of a file at `path`."""
        raise OutputError

    assert [*faults(read)] == [
        "Parameters are ['path', 'mode', 'size'], the signature has ['path', 'size', 'mode']",
        "does not say what it returns: int",
        "does not say that it raises ImageError",
    ]
    assert [*faults(size)] == [
        "does not speak of ['most']",
        "does not say that it raises OutputError",
    ]
    size.__doc__ = "Size of a file, at `most`; OutputError where `path` is none."
    assert not [*faults(size)]
    size.__doc__ = "See :func:`read`."
    assert not [*faults(size)]
    size.__doc__ = "size of a file"
    assert [*faults(size)] == ["does not begin with a sentence: 'size of a file'"]
    assert [*faults(lambda: None)] == ["has no docstring"]


def test_help_is_a_tour_that_names_everything_and_nothing_that_is_not_there() -> None:
    tour = vde.__doc__ or ""
    assert [name for name in vde.__all__ if not re.search(rf"\b{name}\b", tour)] == ["__version__"]
    assert {*re.findall(r"\bvde\.(\w+)", tour)} <= {*vde.__all__}
    for example, cls in (
        ("result", vde.Comparison),
        ("model", vde.Normality),
        ("report", Report),
        ("vde.samples", vde.samples),
    ):
        named = {*re.findall(rf"\b{example}\.(\w+)", tour)}
        assert named and named <= {*dir(cls), *getattr(cls, "__annotations__", {})}
    shown = pydoc.render_doc(vde, renderer=pydoc.plaintext)
    assert 0 < shown.index("A tour") < shown.index("PACKAGE CONTENTS")
    for lazy in ("class Panel(", "class Normality(", "compare_many(", "open_run("):
        assert lazy in shown.partition("CLASSES")[2]
    assert max(len(line) for line in tour.splitlines() if line.startswith("     ")) <= 76


def test_a_name_that_is_misspelt_is_answered_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"'comapre_many'. Did you mean 'compare_many'"):
        vde.comapre_many  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'xyzzy'$"):
        vde.xyzzy  # noqa: B018


#: What a person holds in a notebook, and what completes it there; in a process of its own, as there
#: is one shell in a process.
NOTEBOOK = """
import json, sys
from importlib import import_module
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
import numpy as np
import vde_nb as vde
shell = InteractiveShell.instance()
pair = vde.samples.load("label")
plain = np.full((64, 64, 3), 90, np.uint8)
marked = plain.copy()
marked[20:40, 20:40] = 200
result = vde.compare(plain, marked, method="hybrid", segmenter="none")
run = vde.compare_many([(plain, plain)], workers=0, progress=False)
held = {
    "pair": pair,
    "truth": pair.truth,
    "result": result,
    "anomaly": result.anomalies[0],
    "in_force": result.settings,
    "opened": vde.Panel(),
    "run": run,
    "table": vde.methods(),
    "report": vde.evaluate([(plain, marked, [(20, 20, 20, 20)])], method="hybrid"),
    "model": vde.Normality.fit([plain, plain], model="variation"),
    "vde": vde,
    **{name: import_module("vde_nb." + name) for name in sys.argv[1:]},
}
shell.push(held)
for use_jedi in (True, False):
    shell.Completer.use_jedi = use_jedi
    found = {}
    for name in held:
        with provisionalcompleter():
            texts = [one.text for one in shell.Completer.completions(name + ".", len(name) + 1)]
        found[name] = sorted({text.rpartition(".")[2] for text in texts})
    print(json.dumps(found))
"""
HELD = {
    "pair": vde.samples.SamplePair,
    "truth": vde.samples.Truth,
    "result": vde.Comparison,
    "anomaly": vde.Anomaly,
    "in_force": vde.Settings,
    "opened": vde.Panel,
    "run": Run,
    "table": Table,
    "report": Report,
    "model": vde.Normality,
}
PACKAGES = ["align", "batch", "classify", "difference", "evaluate", "export", "features"]
PACKAGES += ["images", "methods", "normality", "panel", "samples", "segment", "settings"]


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, set[str]]]:
    """What the Tab key shows behind a dot in IPython: as usual, and without jedi."""
    home = tmp_path_factory.mktemp("ipython")
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, *PACKAGES],
        env={**os.environ, "IPYTHONDIR": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [
        {name: {*shown} for name, shown in json.loads(line).items()}
        for line in done.stdout.splitlines()
    ]


def test_the_tab_key_shows_of_packages_what_is_public(
    completed: list[dict[str, set[str]]],
) -> None:
    for shown in completed:
        assert shown["vde"] == {*vde.__all__} - {"__version__"}
        for name in PACKAGES:
            public_names = {*importlib.import_module(f"vde_nb.{name}").__all__}
            assert shown[name] == public_names, (name, shown[name] ^ public_names)


def test_the_tab_key_shows_of_what_one_holds_what_is_ours(
    completed: list[dict[str, set[str]]],
) -> None:
    usual, without_jedi = completed
    # Of a sequence, and how one follows a panel.
    brought = {
        "table": {"count", "index"},
        "opened": {"hold_trait_notifications", "observe", "unobserve", "unobserve_all"},
    }
    del without_jedi["opened"]  # IPython looks at the class then, and shows all of traitlets
    for shown in completed:
        for name in shown.keys() & HELD.keys():
            ours = brought.get(name, set()) | {"folder"}
            for base in own_bases(HELD[name]):
                ours |= {*vars(base), *getattr(base, "__annotations__", {})}
            assert shown[name] <= ours, (name, shown[name] - ours)
            assert not [one for one in shown[name] if one.startswith("_")]
    assert {"again", "anomalies", "heatmap", "save", "to_csv"} <= usual["result"]
    assert {"box", "type", "severity", "mask", "evidence"} <= usual["anomaly"]
    assert {"comparison", "threshold", "observe", "wait", "close"} <= usual["opened"]
    assert not {"on_main", "restore_state", "set_trait", "traits"} & usual["opened"]
