"""The view - mode, zoom, opacity... - as a checked dictionary.

It is drawn by the browser alone and never changes what is found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vde_nb.errors import SettingError
from vde_nb.settings import nearest

__all__ = ["LAYERS", "MODES", "default_view", "merged_view"]

MODES = ("overlay", "wipe", "blink", "side", "heatmap", "reference", "current")
LAYERS = ("mask", "outline", "label", "prompts", "ignore")
_RANGES = {
    "scale": (1e-4, 1e3),
    "cx": (-1e6, 1e6),
    "cy": (-1e6, 1e6),
    "opacity": (0.0, 1.0),
    "wipe": (0.0, 1.0),
    "blink_ms": (100.0, 10_000.0),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"mode": MODES, "colour_by": ("severity", "type")}
_SWITCHES = ("hatch", "wipe_across")


def default_view() -> dict[str, Any]:
    """The view a panel begins with."""
    return {
        "mode": "overlay",
        "scale": None,
        "cx": 0,
        "cy": 0,
        "opacity": 0.45,
        "colour_by": "severity",
        "hatch": False,
        "layers": dict.fromkeys(LAYERS, True),
        "wipe": 0.5,
        "wipe_across": True,
        "blink_ms": 700,
    }


def merged_view(view: Mapping[str, Any], patch: object) -> dict[str, Any]:
    """`view` with the values of `patch`.

    Raises
    ------
    SettingError
        `patch` has a name or a value that is not allowed.

    Examples
    --------
    >>> merged_view(default_view(), {"mode": "wipe"})["mode"]
    'wipe'
    """
    if not isinstance(patch, Mapping):
        raise SettingError(f"view={_short(patch)} is not allowed: a dictionary.")
    merged = {**view, "layers": dict(view["layers"])}
    for name, value in patch.items():
        if name == "layers":
            if not isinstance(value, Mapping):
                raise SettingError(f"view layers={_short(value)} is not allowed: a dictionary.")
            for layer, on in value.items():
                _known(layer, LAYERS, "layer of the view")
                merged["layers"][layer] = _switch(f"layer {layer}", on)
        else:
            _known(name, view, "part of the view")
            merged[name] = _checked(name, value)
    return merged


def _checked(name: str, value: Any) -> Any:
    if name in _CHOICES:
        if not isinstance(value, str) or value not in _CHOICES[name]:
            near = nearest(str(value), _CHOICES[name])
            hint = f" Did you mean {near}?" if near else ""
            listed = ", ".join(map(repr, _CHOICES[name]))
            raise SettingError(f"{name}={_short(value)} is not allowed: one of {listed}.{hint}")
        return value
    if name in _SWITCHES:
        return _switch(name, value)
    if name == "scale" and value is None:
        return None
    low, high = _RANGES[name]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()  # a NumPy scalar
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not low <= value <= high:
        raise SettingError(
            f"{name}={_short(value)} is not allowed: number from {low:g} to {high:g}."
        )
    return value


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingError(f"{name}={_short(value)} is not allowed: true or false.")
    return value


def _known(name: object, names: Any, what: str) -> None:
    if name not in names:
        near = nearest(str(name), names)
        hint = f" Did you mean {near}?" if near else f" There are {', '.join(names)}."
        raise SettingError(f"There is no {what} called {_short(name)}.{hint}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
