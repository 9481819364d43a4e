"""Every setting of every stage, declared once.

A stage of the pipeline takes one frozen dataclass of this module. Name, type, default, range,
unit and help text stand in the field's declaration, and everything else is made from it:
validation (here), the keyword arguments of :func:`vde_nb.compare`, the options of the command
line, the controls of the panel and the tables of the documentation. Adding a setting is one edit.

Names are unique over all stages, so users write them flat: ``compare(a, b, threshold=60)``.

>>> [one.name for one in declarations("hybrid", "none") if one.stage == "detect"]
['threshold', 'open_iterations', 'close_iterations', 'min_area']
>>> threshold = next(one for one in declarations() if one.name == "threshold")
>>> threshold.default, threshold.range
(50, 'whole number from 0 to 255')
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from vde_nb._lessons import lesson
from vde_nb.errors import SettingError
from vde_nb.settings._declare import Declaration, StageSettings, nearest
from vde_nb.settings._presets import DEFAULT_METHOD, METHOD_DEFAULTS, PRESETS
from vde_nb.settings._stages import (
    CALIBRATED,
    PUBLISHED,
    AlignSettings,
    ClassifySettings,
    DetectSettings,
    DifferenceSettings,
    ImageSettings,
    SegmentSettings,
)

__all__ = [
    "CALIBRATED",
    "DEFAULT_METHOD",
    "EMBEDDED",
    "METHOD_DEFAULTS",
    "PRESETS",
    "PUBLISHED",
    "AlignSettings",
    "ClassifySettings",
    "Declaration",
    "DetectSettings",
    "DifferenceSettings",
    "ImageSettings",
    "SegmentSettings",
    "Settings",
    "declarations",
    "nearest",
    "resolve",
]


_STAGES: tuple[type[StageSettings], ...] = (
    ImageSettings,
    AlignSettings,
    DifferenceSettings,
    DetectSettings,
    SegmentSettings,
    ClassifySettings,
)


#: Segmenters without a trained model: the settings of models mean nothing to them.
EMBEDDED = ("graphcut", "none")


@cache
def declarations(
    method: str | None = None, segmenter: str | None = None
) -> tuple[Declaration, ...]:
    """All settings in pipeline order; with `method` or `segmenter`, only those that it uses."""
    return tuple(
        declared
        for stage in _STAGES
        for declared in stage.declared()
        if (method is None or declared.methods is None or method in declared.methods)
        and not (declared.model and segmenter in EMBEDDED)
    )


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a comparison finds.

    A comparison's are ``result.settings``; :func:`vde_nb.settings.resolve` makes others, and
    :func:`vde_nb.settings.declarations` says what each setting is and may be.

    Attributes
    ----------
    method
        Name of the difference method, see :func:`vde_nb.methods`.
    preset
        Name of the preset the settings started from.
    images, align, difference, detect, segment, classify
        The settings of each stage.
    """

    method: str = DEFAULT_METHOD
    preset: str = "default"
    images: ImageSettings = ImageSettings()
    align: AlignSettings = AlignSettings()
    difference: DifferenceSettings = DifferenceSettings()
    detect: DetectSettings = DetectSettings()
    segment: SegmentSettings = SegmentSettings()
    classify: ClassifySettings = ClassifySettings()

    def replace(self, **flat: Any) -> Settings:
        """Return a copy with some settings changed, given by their flat names.

        Raises
        ------
        TypeError
            A name is unknown; the message lists the nearest.
        SettingError
            A value is outside its range.
        """
        by_stage: dict[str, dict[str, Any]] = {}
        where = {declared.name: declared.stage for declared in declarations()}
        for name, value in flat.items():
            if name not in where:
                close = nearest(name, where)
                # forty names would bury the one that was meant
                said = f"Did you mean {close}?" if close else f"There are {', '.join(where)}."
                raise TypeError(f"There is no setting {name!r}. {said}{lesson('settings')}")
            by_stage.setdefault(where[name], {})[name] = value
        stages = {
            stage: dataclasses.replace(getattr(self, stage), **values)
            for stage, values in by_stage.items()
        }
        return dataclasses.replace(self, **stages)

    def flat(self) -> dict[str, Any]:
        """All settings of all stages as one flat dictionary, in pipeline order."""
        return {
            declared.name: getattr(getattr(self, declared.stage), declared.name)
            for declared in declarations()
        }

    def to_dict(self) -> dict[str, Any]:
        """Flat dictionary for JSON: `method`, `preset`, and the settings the method uses."""
        used = {
            declared.name: getattr(getattr(self, declared.stage), declared.name)
            for declared in declarations(self.method, self.segment.segmenter)
        }
        listed = {key: list(val) if isinstance(val, tuple) else val for key, val in used.items()}
        return {"method": self.method, "preset": self.preset, **listed}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings from :meth:`to_dict`'s form, validating every value."""
        rest = dict(values)
        method, preset = rest.pop("method", DEFAULT_METHOD), rest.pop("preset", "default")
        return resolve(method, preset, **rest)


def resolve(method: str = DEFAULT_METHOD, preset: str = "default", **flat: Any) -> Settings:
    """Settings of `preset` for `method`, with `flat` on top.

    Parameters
    ----------
    method
        Name of the method the settings are for; :func:`vde_nb.compare` checks it.
    preset
        ``"default"``, ``"published"``, ``"sensitive"`` or ``"strict"``.
    **flat
        Any setting by its own name.

    Raises
    ------
    TypeError
        A name in `flat` is unknown; the message lists the nearest.
    SettingError
        The preset is unknown, or not for this method; or a value is outside its range.

    Examples
    --------
    >>> resolve("multi_fusion", "published").detect.close_iterations
    2
    >>> resolve(threshold=60).detect.threshold
    60
    """
    if not isinstance(preset, str) or preset not in PRESETS:
        close = nearest(preset, PRESETS)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There is no preset {preset!r}: {', '.join(PRESETS)}.{hint}{lesson('settings')}"
        )
    if preset == "published" and method not in PUBLISHED:
        raise SettingError(
            f"The published notebooks have no method {method!r}: preset='published' is for "
            f"{', '.join(PUBLISHED)}."
        )
    chosen = PRESETS[preset]
    usual = METHOD_DEFAULTS.get(method, {}) if preset != "published" else {}
    changes = {**usual, **chosen.get("", {}), **chosen.get(method, {}), **flat}
    return Settings(method=method, preset=preset).replace(**changes)


def __dir__() -> list[str]:
    return sorted(__all__)
