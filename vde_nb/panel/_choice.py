"""What the settings become when some of them change: method, preset, and what differs from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vde_nb._learned import model_of, named
from vde_nb.errors import SettingError
from vde_nb.features import check_features
from vde_nb.methods import default_method, get_method
from vde_nb.segment import check_segmenter
from vde_nb.settings import PUBLISHED, Settings, declarations, nearest, resolve

__all__ = ["MANY_THRESHOLDS", "Choice"]

#: Methods that cut at several thresholds; the panel's one is the lowest of them.
MANY_THRESHOLDS = ("multi_fusion", "ensemble")
#: What a new preset leaves as it is: how pictures are read, and who draws the outlines.
_STAYS = ("fit", "max_megapixels", "segmenter")


@dataclass(frozen=True)
class Choice:
    """Method, preset and given settings that have been found to go together.

    Attributes
    ----------
    method, preset
        Their names.
    given
        Settings that differ from the preset's, also those the method has no use for: they are
        there again when another method is chosen.
    steps
        Distances of several thresholds from their lowest, kept while they are moved, so that what
        is pushed together at 255 comes apart again.
    model
        The model in memory that a setting names: held, so that it is there while it is chosen.
    """

    method: str
    preset: str = "default"
    given: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[int, ...] = ()
    model: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, method: str | None, preset: str, settings: Mapping[str, Any]) -> Choice:
        """The choice of arguments as :func:`vde_nb.compare` takes them, with its errors."""
        name = default_method(preset) if method is None else get_method(method).name
        return cls(name, preset)._with(settings, threshold_moved="threshold" in settings)

    @property
    def settings(self) -> Settings:
        """All settings."""
        return resolve(self.method, self.preset, **self.used())

    def used(self) -> dict[str, Any]:
        """The given settings the method and the segmenter use."""
        usual = resolve(self.method, self.preset).segment.segmenter
        segmenter = self.given.get("segmenter", usual)
        names = {declared.name for declared in declarations(self.method, segmenter)}
        return {name: value for name, value in self.given.items() if name in names}

    @property
    def alone(self) -> Any:
        """The model that judges a picture without a second one; None where two are needed.

        Raises
        ------
        SettingError
            There is no such model.
        """
        name = self.given.get("model")
        return model_of(self.settings) if self.method == "normality" and name else None

    @property
    def threshold(self) -> int:
        """The threshold the panel shows."""
        detect = self.settings.detect
        many = self.method in MANY_THRESHOLDS
        return min(detect.thresholds) if many else detect.threshold

    def changed(self, changes: Mapping[str, Any]) -> Choice:
        """The choice after some settings changed.

        A new preset forgets what was given before. Where method and preset exclude each other,
        the one that was asked for wins.

        Raises
        ------
        TypeError
            There is no setting of that name.
        SettingError
            A value is not allowed.
        """
        rest = dict(changes)
        preset = rest.pop("preset", self.preset)
        method = rest.pop("method", None)
        if method is not None:
            method = get_method(method).name
            if "preset" not in changes and preset == "published" and method not in PUBLISHED:
                preset = "default"
        elif preset == "published" and self.method not in PUBLISHED:
            method = default_method(preset)
        given = dict(self.given)
        if preset != self.preset:
            given = {name: value for name, value in given.items() if name in _STAYS}
        start = replace(self, method=method or self.method, preset=preset, given={}, steps=())
        if preset == self.preset and "thresholds" not in rest:
            start = replace(start, steps=self.steps)
        return start._with({**given, **rest}, threshold_moved="threshold" in rest)

    def without(self, names: Iterable[str]) -> Choice:
        """The choice with some settings, or all if none are named, as the preset has them.

        Raises
        ------
        TypeError
            There is no setting of that name.
        """
        dropped = list(names)
        known = [declared.name for declared in declarations()]
        for name in dropped:
            if name not in known:
                near = nearest(name, known)
                hint = f" Did you mean {near}?" if near else ""
                raise TypeError(f"There is no setting {name!r}.{hint}")
        if "threshold" in dropped and self.method in MANY_THRESHOLDS:
            dropped.append("thresholds")
        kept = {n: value for n, value in self.given.items() if dropped and n not in dropped}
        return replace(self, given={}, steps=())._with(kept)

    def _with(self, settings: Mapping[str, Any], *, threshold_moved: bool = False) -> Choice:
        rest = named(settings)
        steps = self.steps
        if threshold_moved and self.method in MANY_THRESHOLDS:
            rest, steps = self._moved(rest)
        resolved = resolve(self.method, self.preset, **rest)
        check_segmenter(resolved.segment.segmenter)
        check_features(resolved.difference.features)
        flat, usual = resolved.flat(), resolve(self.method, self.preset).flat()
        given = {name: flat[name] for name in flat if name in rest and flat[name] != usual[name]}
        name = given.get("model", "")
        model = None
        if name:
            from vde_nb.normality import held_model

            model = held_model(name)
        return replace(self, given=given, steps=steps, model=model)

    def _moved(self, rest: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Settings in which a single threshold has become several."""
        moved = dict(rest)
        lowest = resolve(threshold=moved.pop("threshold")).detect.threshold
        base = resolve(
            self.method,
            self.preset,
            **{name: value for name, value in moved.items() if name == "thresholds"},
        ).detect.thresholds
        steps = self.steps or tuple(value - min(base) for value in base)
        moved["thresholds"] = tuple(min(255, lowest + step) for step in steps)
        return moved, steps


def checked_threshold(value: Any) -> int:
    """One threshold, 0 to 255.

    Raises
    ------
    SettingError
        It is none.
    """
    for declared in declarations():
        if declared.name == "threshold":
            return int(declared.check(value))
    raise SettingError("There is no threshold.")
