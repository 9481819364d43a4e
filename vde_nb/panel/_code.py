"""Copy code: the Python that reproduces what the panel shows.

What stands on the screen is a finished comparison, so the code is made from that, not from what
has been asked for since.
"""

from __future__ import annotations

import builtins
import keyword
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from vde_nb._text import readable
from vde_nb.methods import default_method
from vde_nb.panel._files import Root
from vde_nb.panel._origin import Sample, Upload, Variable, as_sample, is_path
from vde_nb.settings import declarations, resolve

__all__ = ["code_of"]

#: Longest line, as formatters have it by default.
_WIDTH = 88
_TAKEN = {"vde", "result", "pair", *keyword.kwlist, *dir(builtins)}


@dataclass(frozen=True)
class _Group:
    """Something in brackets: on one line where it fits, else an item a line."""

    opening: str
    items: tuple[tuple[str, Any], ...]  # (``"name="`` or ``""``, what)
    closing: str

    def flat(self) -> str:
        """On one line."""
        inner = ", ".join(name + _flat(item) for name, item in self.items)
        lone = self.opening == "(" and len(self.items) == 1
        return f"{self.opening}{inner}{',' if lone else ''}{self.closing}"


def code_of(panel: Any) -> str:
    """Python that makes the panel's present comparison.

    Parameters
    ----------
    panel
        A panel, see :class:`vde_nb.Panel`. Waits for work under way.

    Returns
    -------
    str
        Statements that end with ``result = vde.compare(...)``. Bundled samples and files are
        loaded by it. Arrays and uploads cannot be: the code names a variable for each and says
        in a comment what it must hold.
    """
    comparison = panel.comparison
    if comparison is None:
        return "import vde_nb as vde\n\n# No pictures have been compared yet.\n"
    setup: list[str] = []
    before: list[str] = []
    sides = [
        _named(source, side, shape, setup, before)
        for source, side, shape in zip(
            panel.sources, ("reference", "current"), _shapes(comparison), strict=True
        )
        if source is not None  # an ImagePair holds both
    ]
    arguments: list[tuple[str, Any]] = [("", side) for side in sides]
    chosen = comparison.settings
    if chosen.method != default_method(chosen.preset):
        arguments.append(("method=", _quoted(chosen.method)))
    if chosen.preset != "default":
        arguments.append(("preset=", _quoted(chosen.preset)))
    usual, flat = resolve(chosen.method, chosen.preset).flat(), chosen.flat()
    # Also what has no use here stays out: it would only be noted as unused.
    for declared in declarations(chosen.method, chosen.segment.segmenter):
        if declared.name == "model" and flat["model"]:
            arguments.append(("model=", _model(flat["model"], before)))
        elif flat[declared.name] != usual[declared.name]:
            if declared.name == "features":
                before.extend(_own_features(flat["features"]))
            arguments.append((f"{declared.name}=", _literal(flat[declared.name])))
    run = getattr(panel, "run", None)
    if run is not None:
        before.insert(0, _of_run(run, panel.root))
    plugins = getattr(panel, "plugin_names", ())
    if plugins:
        named = plugins[0] if len(plugins) == 1 else list(plugins)
        arguments.append(("plugins=", _literal(named)))
    if panel.ignore:
        boxes = [tuple(map(int, box)) for box in panel.ignore]
        arguments.append(("ignore=", _literal(boxes)))
    if comparison.prompts:
        arguments.append(("prompts=", _list([_prompt(one) for one in comparison.prompts])))
    if comparison.reviews:
        arguments.append(("reviews=", _list([_review(one) for one in comparison.reviews])))
    call = _Group("vde.compare(", tuple(arguments), ")")
    blocks = ["import vde_nb as vde", *(["\n".join(before)] if before else [])]
    lines = [*dict.fromkeys(setup), f"result = {_laid_out(call, 0, len('result = '))}"]
    return "\n\n".join([*blocks, "\n".join(lines)]) + "\n"


def _shapes(comparison: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the two pictures as they were read, before one was resized."""
    placement = comparison.pair.placement
    shape = comparison.pair.reference.array.shape[:2]
    return shape, shape if placement is None else placement.shape


def _named(
    source: Any, side: str, shape: tuple[int, ...], setup: list[str], before: list[str]
) -> Any:
    """The expression for a source; what must stand before it goes into `setup` or `before`."""
    if isinstance(source, (list, tuple)):
        more = [
            _named(one, f"{side}_{at}" if at > 1 else side, _shape(one), setup, before)
            for at, one in enumerate(source, 1)
        ]
        return _Group("[", tuple(("", one) for one in more), "]")
    sample = as_sample(source)
    if sample is not None:
        return _sample(sample, setup)
    if is_path(source):
        return _quoted(os.fsdecode(source))
    height, width = shape[:2] if len(shape) >= 2 else (0, 0)
    size = f"{width} × {height} pixels" if width else "picture"
    if isinstance(source, Variable) and source.name.isidentifier() and source.name not in _TAKEN:
        before.append(f"# {source.name}: the array of your notebook, {size}")
        return source.name
    if isinstance(source, Upload):
        # A name may hold line breaks; as a literal it cannot leave the comment.
        before.append(f"# {side} = the path of your file {readable(source.name)!a}, {size}")
        return side
    kind = type(source).__name__
    if isinstance(source, np.ndarray):
        kind = f"array of shape {source.shape}, {source.dtype}"
    before.append(f"# {side} = your {kind}, {size}")
    return side


def _model(name: str, before: list[str]) -> str:
    """The expression for a model of normality: its path, or a variable for one in memory."""
    from vde_nb.normality import known_models

    if name not in known_models():
        return _quoted(name)
    before.append(f"# model = your vde.Normality ({readable(name)}); model.save(path) keeps it")
    return "model"


def _of_run(run: Any, root: Any) -> str:
    """Where the pair is from: the panel that goes through all of them."""
    below = Root(root)
    relative = below.relative(run.folder)
    place = run.folder if relative is None else below.given(relative)
    folder, base = (_quoted(os.fspath(one)) for one in (place, root))
    return f"# One pair of vde.Panel(run={folder}, root={base})"


def _own_features(name: str) -> list[str]:
    """What to say about features that are a function of the user's."""
    from vde_nb.features import feature_entries

    entry = feature_entries().get(name)
    if name == "embedded" or (entry is not None and entry.model is not None) or ":" in name:
        return []
    return [f"# vde.add_features({_quoted(name)}, your_function) comes first"]


def _shape(source: Any) -> tuple[int, ...]:
    return tuple(getattr(source, "shape", ()))


def _sample(sample: Sample, setup: list[str]) -> str:
    line = f'pair = vde.samples.load("{sample.name}")'
    if not setup or line in setup:
        setup.append(line)
        return f"pair.{sample.side}"
    return f'vde.samples.load("{sample.name}").{sample.side}'  # of another sample than the first


def _prompt(prompt: Any) -> _Group:
    items: list[tuple[str, Any]] = []
    if prompt.box is not None:
        items.append(("box=", _literal(tuple(prompt.box))))
    if prompt.points:
        items.append(("points=", _literal(tuple(tuple(point) for point in prompt.points))))
    if prompt.reach:
        items.append(("reach=", repr(prompt.reach)))
    return _Group("vde.Prompt(", tuple(items), ")")


def _review(review: Any) -> _Group:
    items: list[tuple[str, Any]] = [("box=", _literal(tuple(review.box)))]
    for name in ("verdict", "type", "comment"):
        value = getattr(review, name)
        if value:
            items.append((f"{name}=", _quoted(value)))
    return _Group("vde.Review(", tuple(items), ")")


def _list(items: list[Any]) -> _Group:
    return _Group("[", tuple(("", item) for item in items), "]")


def _literal(value: Any) -> Any:
    """A number, text, or nested lists and tuples of them, as an expression."""
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return _Group(opening, tuple(("", _literal(item)) for item in value), closing)
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(value: str) -> str:
    """`value` as a literal, in double quotes where that is the shorter way."""
    written = repr(value)
    plain = written[1:-1]
    return (
        f'"{plain}"' if written[0] == "'" and '"' not in plain and "\\'" not in plain else written
    )


def _flat(item: Any) -> str:
    return item.flat() if isinstance(item, _Group) else str(item)


def _laid_out(item: Any, indent: int, used: int) -> str:
    """`item` as formatters write it, of which the first line begins after `used` characters."""
    flat = _flat(item)
    # One character is left for the comma that may follow.
    if not isinstance(item, _Group) or not item.items or used + len(flat) + 1 <= _WIDTH:
        return flat
    inner = " " * (indent + 4)
    lines = [
        f"{inner}{name}{_laid_out(one, indent + 4, len(inner) + len(name))},"
        for name, one in item.items
    ]
    return "\n".join([item.opening, *lines, " " * indent + item.closing])
