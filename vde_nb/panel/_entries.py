"""One declared setting -> the slider, list, tick box or field that people change it with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from vde_nb.errors import SettingError
from vde_nb.panel._widgets import plain, text, tooltip
from vde_nb.settings import Declaration

__all__ = ["Entry", "entry", "label", "shown"]

#: Settings that matter by their order of magnitude: exponents of ten the slider spans.
_MAGNITUDES = {"false_alarms": (-4.0, 2.0), "min_area": (0.0, 5.0)}
#: A slider of more positions than this is too fine for a hand: a field for the number is shown.
_POSITIONS = 300
_ABBREVIATIONS = {"ssim": "SSIM"}


@dataclass
class Entry:
    """What a setting is changed with.

    Attributes
    ----------
    declared
        The setting.
    input
        The widget that holds the value.
    box
        The widget to show, which may have a line for complaints below the input.
    read
        Value of the widget -> value of the setting; SettingError when it is none.
    write
        Value of the setting -> value of the widget.
    complaint
        Where a wrong entry is told; None: by the panel.
    slider, read_slider
        A second way to change it, beside the input.
    follow
        Brings a list up to date, with the value that is set; None: there is no list.
    again, look
        A button that looks again for what can be chosen, and what it does.
    """

    declared: Declaration
    input: Any
    box: Any
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    complaint: Any = None
    slider: Any = None
    read_slider: Callable[[Any], Any] | None = None
    follow: Callable[[Any], object] | None = None
    again: Any = None
    look: Callable[[], object] | None = None

    def show(self, value: Any) -> None:
        """Set the widget to `value`, unless it stands for that already.

        A slider being dragged is not set back to the rounded value it stands for, nor is text
        rewritten while it is typed.
        """
        if self.follow is not None:
            self.follow(value)
        try:
            if self.read(self.input.value) == value:
                return
        except SettingError:
            pass
        self.input.value = self.write(value)
        self.refuse(None)

    def show_slider(self, value: Any) -> None:
        """Set the second way to `value`, as near as it can."""
        if self.slider is not None and not self.is_echo(self.slider.value, value):
            low, high = self.slider.base**self.slider.min, self.slider.base**self.slider.max
            self.slider.value = min(max(float(value), low), high)

    def is_echo(self, moved: Any, value: Any) -> bool:
        """Whether a slider at `moved` stands for `value`, as near as it can.

        Browsers put sliders to the next of their positions and report that as a change.
        """
        if self.slider is not None:
            low = self.slider.base**self.slider.min
            steps = math.log10(max(moved, low)) - math.log10(max(value, low))
            return bool(abs(steps) <= 0.51 * self.slider.step)
        if isinstance(self.input, widgets.FloatSlider):
            return bool(abs(moved - value) <= 0.51 * self.input.step)
        return False

    def refuse(self, error: Exception | None) -> bool:
        """Say beside the input why it is not taken; None: all is well. Whether that was said."""
        if self.complaint is None or not isinstance(error, (SettingError, type(None))):
            return False
        self.complaint.value = plain(error) if error else ""
        self.complaint.layout.display = None if error else "none"
        return True


def label(declared: Declaration) -> str:
    """A setting's name for people, with its unit.

    >>> from vde_nb.settings import declarations
    >>> [label(one) for one in declarations("hybrid") if one.name in ("min_area", "ssim_weight")]
    ['SSIM weight', 'Min area, px²']
    """
    words = declared.name.split("_")
    said = " ".join(_ABBREVIATIONS.get(word, word) for word in words)
    unit = declared.unit if declared.unit not in [*words, "passes"] else ""
    return said[0].upper() + said[1:] + (f", {unit}" if unit else "")


def shown(value: Any) -> str:
    """A value as text.

    >>> shown((0.1, 1.0)), shown(0.05), shown("worst_first"), shown(True)
    ('0.1, 1', '0.05', 'worst first', 'on')
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(shown, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).replace("_", " ")


def entry(declared: Declaration) -> Entry:
    """Make what `declared` is changed with."""
    if declared.many:
        made = _numbers(declared)
    elif declared.kind is bool:
        made = _simple(declared, widgets.Checkbox(value=declared.default, indent=False))
    elif declared.choices:
        options = [(shown(choice), choice) for choice in declared.choices]
        made = _simple(declared, widgets.Dropdown(options=options, value=declared.default))
    elif declared.kind in (int, float):
        made = _number(declared)
    else:
        made = _simple(declared, widgets.Text(value=declared.default, continuous_update=False))
    made.input.description = label(declared)
    made.input.add_class("vde-entry")
    tooltip(made.input, f"{declared.help} ({declared.name}: {declared.range})")
    return made


def _simple(declared: Declaration, made: Any) -> Entry:
    return Entry(declared, made, made, declared.check, lambda value: value)


def _number(declared: Declaration) -> Entry:
    low, high, whole = declared.low, declared.high, declared.kind is int
    if declared.name in _MAGNITUDES:
        return _magnitude(declared)
    step = declared.step or (1 if whole else None)
    bounds = {"min": -1e9 if low is None else low, "max": 1e9 if high is None else high}
    if whole:
        bounds = {name: int(value) for name, value in bounds.items()}
    common = {"value": declared.default, "continuous_update": False, **bounds}
    if step is None or (bounds["max"] - bounds["min"]) / step > _POSITIONS:
        kind = widgets.BoundedIntText if whole else widgets.BoundedFloatText
        return _simple(declared, kind(**common, **({"step": step} if step else {})))
    common |= {"continuous_update": True, "step": step}
    if whole:
        return _simple(declared, widgets.IntSlider(**common))
    # Finer than declared, as the browser rounds what was set from Python to the next position.
    common["step"] = step / 5
    slider = widgets.FloatSlider(**common, readout_format=f".{_places(step / 5)}f")
    # A slider adds steps up and arrives at 0.30000000000000004.
    return Entry(
        declared, slider, slider, lambda value: declared.check(round(value, 9)), lambda value: value
    )


def _places(step: float) -> int:
    """Decimals that show every position of a slider.

    >>> _places(0.05), _places(0.1), _places(1)
    (2, 1, 0)
    """
    return max(0, math.ceil(-math.log10(step)))


def _magnitude(declared: Declaration) -> Entry:
    """A field for the number, and a slider over its orders of magnitude.

    The field is what holds the value: a slider shows only the values it can stop at.
    """
    low, high = _MAGNITUDES[declared.name]
    whole = declared.kind is int
    kind = widgets.BoundedIntText if whole else widgets.BoundedFloatText
    made = kind(
        value=declared.default,
        min=declared.low,
        max=declared.high,
        step=1 if whole else 0.01,
        continuous_update=False,
    )
    made.add_class("vde-short")
    slider = widgets.FloatLogSlider(
        value=declared.default, base=10, min=low, max=high, step=0.05, readout=False
    )
    slider.add_class("vde-magnitude")
    tooltip(slider, f"{label(declared)}: {declared.help}")
    box = widgets.HBox([slider, made])
    box.add_class("vde-entry-box")
    box.add_class("vde-pair")

    def read(value: float) -> Any:
        rounded = float(f"{value:.2g}") if value != made.value else value
        return declared.check(round(rounded) if whole else rounded)

    entry = Entry(declared, made, box, declared.check, lambda value: value, slider=slider)
    entry.read_slider = read
    return entry


def _numbers(declared: Declaration) -> Entry:
    """A field for a list of numbers, with what is wrong with it said below."""
    field = widgets.Text(value=shown(declared.default), continuous_update=False)
    complaint = text("", "vde-complaint")
    complaint.layout.display = "none"
    box = widgets.VBox([field, complaint])
    box.add_class("vde-entry-box")

    def read(typed: str) -> Any:
        return declared.check(tuple(_parsed(declared, word) for word in _words(declared, typed)))

    return Entry(declared, field, box, read, shown, complaint)


def _words(declared: Declaration, typed: str) -> list[str]:
    """The words of a list, which commas, semicolons or spaces part."""
    found = typed.strip("()[] \t").replace(",", " ").replace(";", " ").split()
    if not found:
        raise SettingError(f"Give at least one number, such as {shown(declared.default)}.")
    return found


def _parsed(declared: Declaration, word: str) -> float:
    example = shown(declared.default)
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingError(f"“{word[:40]}” is no number; write them as {example}.")
    if declared.kind is int and not value.is_integer():
        raise SettingError(f"{word} is not a whole number; write them as {example}.")
    low, high = declared.low, declared.high
    if (low is not None and value < low) or (high is not None and value > high):
        raise SettingError(f"{word} is outside {low:g} to {high:g}.")
    return int(value) if declared.kind is int else value
