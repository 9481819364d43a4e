"""Method, preset, segmenter, and a slider or choice for every setting the method uses.

Nothing here knows a setting by name, but for the few that the panel shows elsewhere: the controls
are made from the declarations in :mod:`vde_nb.settings`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets as widgets

from vde_nb.errors import SettingError
from vde_nb.listing import segmenters
from vde_nb.methods import METHODS
from vde_nb.panel._choosers import SEPARATOR, chooser, entry_lines
from vde_nb.panel._entries import Entry, entry, shown
from vde_nb.panel._widgets import Part, button, heading, hint, say, text, tooltip
from vde_nb.segment import describe_segmenter
from vde_nb.settings import PRESETS, Declaration, declarations, resolve

__all__ = ["Controls", "build_controls"]

#: What has a place of its own: the strip below the picture, the picture itself, the lists on top.
_ELSEWHERE = {"threshold", "nudge", "ignore", "segmenter"}
_STAGES = {
    "images": "Reading",
    "align": "Alignment and light",
    "difference": "Difference",
    "detect": "Detection",
    "segment": "Outlines",
    "classify": "Types and severity",
}
_PRESETS = {
    "default": "The settings we know to be best for the method.",
    "published": "Exactly the published notebooks: their numbers, their boxes.",
    "sensitive": "Fainter and smaller changes, too, at the price of false alarms.",
    "strict": "Only what differs most; small regions are dropped.",
}


class Controls(Part):
    """The panel's controls; made by :func:`build_controls`."""

    def __init__(self, panel: Any) -> None:
        super().__init__(panel)
        self.add_class("vde-controls")
        self.method = self._choice("Method", [(one.title, one.name) for one in METHODS.values()])
        self.preset = self._choice("Preset", [(name.capitalize(), name) for name in PRESETS])
        self.segmenter = self._choice("Outlines by", _segmenter_lines())
        self.about_method, self.about_preset, self.about_segmenter = hint(), hint(), hint()
        self.entries: dict[str, Entry] = {}
        self.held: dict[str, Any] = {}  # what the panel is set to
        self.resets: dict[str, widgets.Button] = {}
        self._rows: dict[str, widgets.Widget] = {}
        self._headings: dict[tuple[str, bool], widgets.Widget] = {}
        self._drawn: tuple[str, str, bool] | None = None  # whose settings are listed; all of them?
        self._unfolded = False
        self.reset_all = button(
            "Reset all", "Give every setting the value of the preset again", self._reset_all, "undo"
        )
        self.count = text("", "vde-hint")
        self.common, self.advanced = widgets.VBox(), widgets.VBox()
        self.fold = widgets.Accordion(children=[self.advanced], selected_index=None)
        self.fold.set_title(0, "Advanced")
        unfold = self.act("The settings could not be shown", self._unfold)
        self.fold.observe(lambda _: panel.on_main(unfold), "selected_index")
        for name in ("method", "preset", "segmenter"):
            # The panel knows which methods have which presets.
            self.on_value(
                getattr(self, name),
                f"The {name} could not be changed",
                partial(self._choose, name),
            )
        foot = widgets.HBox([self.count, self.reset_all])
        foot.add_class("vde-foot")
        self.children = [
            self.method,
            self.about_method,
            self.preset,
            self.about_preset,
            self.segmenter,
            self.about_segmenter,
            self.common,
            self.fold,
            foot,
        ]
        self.refresh()
        self.watch(["method", "preset", "segmenter", "settings", "threshold"], self.refresh)
        self.watch(["comparison"], self._compared)

    def refresh(self) -> None:
        """Show what the panel holds."""
        panel = self.panel
        try:
            usual = resolve(panel.method, panel.preset).flat()
        except SettingError:
            return  # half way to another method and preset: the second change follows at once
        given = dict(panel.settings)
        with self.setting():
            self._draw(panel.method, panel.segmenter)
            for list_of, value in (
                (self.method, panel.method),
                (self.preset, panel.preset),
                (self.segmenter, panel.segmenter),
            ):
                if value not in [name for _, name in list_of.options]:
                    list_of.options = [*list_of.options, (value, value)]  # one made by a plug-in
                list_of.value = value
            say(self.about_method, METHODS[panel.method].summary)
            say(self.about_preset, _PRESETS.get(panel.preset, ""))
            say(self.about_segmenter, self._outlined_by())
            changed = 0
            for declared in declarations(panel.method, panel.segmenter):
                name = declared.name
                if name in _ELSEWHERE:
                    continue
                value = declared.check(given[name]) if name in given else usual[name]
                is_changed = value != usual[name]
                changed += is_changed
                self.held[name] = value
                if name not in self.entries:
                    continue
                self.entries[name].show(value)
                self.entries[name].show_slider(value)
                self.resets[name].layout.visibility = "visible" if is_changed else "hidden"
                if is_changed:
                    tooltip(self.resets[name], f"Back to {shown(usual[name])}")
                    self._rows[name].add_class("vde-changed")
                else:
                    self._rows[name].remove_class("vde-changed")
            settings = "setting differs" if changed == 1 else "settings differ"
            say(self.count, f"{changed} {settings} from the preset" if changed else "")
            self.reset_all.disabled = not given

    def _outlined_by(self) -> str:
        """What the segmenter is; after a comparison, what drew the outlines where that differs."""
        name = self.panel.segmenter
        title, summary = describe_segmenter(name)
        found = self.panel.comparison
        is_of_it = found is not None and found.settings.segment.segmenter == name
        if is_of_it and found.anomalies and found.outlined_by != title:
            return f"Outlined by {found.outlined_by}; the notes below the picture tell why."
        return summary

    def _compared(self) -> None:
        """Say what drew the outlines; a model that was fetched for that is ready now."""
        say(self.about_segmenter, self._outlined_by())
        found, chosen = self.panel.comparison, self.panel.segmenter
        label = next((text for text, name in self.segmenter.options if name == chosen), "")
        title, _ = describe_segmenter(chosen)
        if SEPARATOR in label and found is not None and found.outlined_by == title:
            with self.setting():
                self.segmenter.options = _segmenter_lines()
                self.segmenter.value = chosen
        features = self.entries.get("features")
        if features is not None and SEPARATOR in (features.input.label or ""):
            with self.setting():
                features.show(self.held["features"])

    def _choice(self, words: str, options: list[tuple[str, str]]) -> widgets.Dropdown:
        made = widgets.Dropdown(options=options, description=words)
        made.add_class("vde-entry")
        return made

    def _add(self, declared: Declaration) -> None:
        """Make the row of one setting, with its reset button."""
        name = declared.name
        made = chooser(declared, self.panel) or entry(declared)
        undo = widgets.Button(icon="undo", description="")
        undo.add_class("vde-reset")
        undo.layout.visibility = "hidden"
        tooltip(undo, f"Reset {name}")

        def slide(value: Any) -> None:
            if made.read_slider is not None and not made.is_echo(value, self.held[name]):
                self.panel.change(**{name: made.read_slider(value)})

        def change(value: Any) -> None:
            if made.slider is None and name in self.held and made.is_echo(value, self.held[name]):
                return
            try:
                self.panel.change(**{name: made.read(value)})
            except Exception as error:
                if not made.refuse(error):  # said beside the entry, or else by the panel
                    self.refresh()
                    raise
            else:
                made.refuse(None)

        title = f"{name} could not be changed"
        self.on_value(made.input, title, change)
        if made.slider is not None:
            self.on_value(made.slider, title, slide)
        reset = self.act(f"{name} could not be reset", lambda: self.panel.reset(name))
        undo.on_click(lambda _: reset())
        row = widgets.HBox([made.box, undo])
        row.add_class("vde-row")
        if made.follow is not None:
            row.add_class("vde-listed")
        if made.again is not None and made.look is not None:
            look = self.act("The list could not be made", partial(self._look, made))
            made.again.on_click(lambda _: look())
        self.entries[name], self.resets[name], self._rows[name] = made, undo, self.keep(row)
        place = (declared.stage, declared.advanced)
        if place not in self._headings:
            self._headings[place] = self.keep(heading(_STAGES.get(declared.stage, declared.stage)))

    def _look(self, made: Entry) -> None:
        """Look again for what a list may hold."""
        if made.look is not None:
            made.look()
        self.refresh()

    def _draw(self, method: str, segmenter: str) -> None:
        """List the settings of `method` and `segmenter`."""
        if self._drawn == (method, segmenter, self._unfolded):
            return
        self._drawn = method, segmenter, self._unfolded
        for is_advanced, box in ((False, self.common), (True, self.advanced)):
            if is_advanced and not self._unfolded:
                continue
            listed: list[widgets.Widget] = []
            last = ""
            for declared in declarations(method, segmenter):
                name = declared.name
                if name in _ELSEWHERE or declared.advanced != is_advanced:
                    continue
                if name not in self._rows:
                    self._add(declared)
                if declared.stage != last:
                    last = declared.stage
                    listed.append(self._headings[last, is_advanced])
                listed.append(self._rows[name])
            box.children = listed

    def _unfold(self) -> None:
        """Make the folded rows when they are looked at first: they are most of all widgets."""
        if self.fold.selected_index is not None and not self._unfolded:
            self._unfolded = True
            self.refresh()

    def _choose(self, name: str, value: str) -> None:
        self.panel.change(**{name: value})

    def _reset_all(self) -> None:
        self.act("The settings could not be reset", self.panel.reset)()


def _segmenter_lines() -> list[tuple[str, str]]:
    """The list of segmenters: what each line says, and the name behind it."""
    return entry_lines(segmenters())


def build_controls(panel: Any) -> Controls:
    """The controls of a panel: a widget whose ``close()`` frees everything."""
    return Controls(panel)
