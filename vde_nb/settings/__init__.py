"""Every setting of every stage, declared once.

A stage of the pipeline takes one frozen dataclass of this module. Name, type, default, range,
unit and help text stand in the field's declaration, and everything else is made from it:
validation (here), the keyword arguments of :func:`vde_nb.compare`, the options of the command
line, the controls of the panel and the tables of the documentation. Adding a setting is one edit.

Names are unique over all stages, so users write them flat: ``compare(a, b, threshold=60)``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from vde_nb.errors import SettingError

__all__ = [
    "PRESETS",
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


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    choices: Sequence[str] | None = None,
    unit: str = "",
    advanced: bool = False,
    methods: Sequence[str] | None = None,
) -> Any:
    """Declare one setting (used as the default of a dataclass field of a stage).

    Parameters
    ----------
    default
        Default value; its Python type is the setting's type (a tuple: of its first item's type).
    help
        One sentence for tooltips, ``--help`` and the docs.
    low, high
        Inclusive range of a number, or of each item of a tuple.
    step
        Step of a slider.
    choices
        Allowed values of a text setting.
    unit
        Unit shown behind the value.
    advanced
        Folded away by the panel until asked for.
    methods
        Methods that use this setting; None means all of them.
    """
    return field(
        default=default,
        metadata={
            "help": help,
            "low": low,
            "high": high,
            "step": step,
            "choices": tuple(choices) if choices is not None else None,
            "unit": unit,
            "advanced": advanced,
            "methods": tuple(methods) if methods is not None else None,
        },
    )


@dataclass(frozen=True)
class Declaration:
    """What is known of one setting; see :func:`setting` for the fields."""

    name: str
    stage: str
    default: Any
    help: str
    low: float | None
    high: float | None
    step: float | None
    choices: tuple[str, ...] | None
    unit: str
    advanced: bool
    methods: tuple[str, ...] | None

    @property
    def kind(self) -> type:
        """Type of the value, or of the items when :attr:`many` is true."""
        return type(self.default[0]) if self.many else type(self.default)

    @property
    def many(self) -> bool:
        """Whether the value is a tuple of numbers."""
        return isinstance(self.default, tuple)

    @property
    def range(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        kind = {int: "whole number", float: "number", str: "text", bool: "true or false"}[self.kind]
        if self.low is not None and self.high is not None:
            kind += f" from {self.low:g} to {self.high:g}"
        elif self.low is not None:
            kind += f" of at least {self.low:g}"
        return f"list, each a {kind}" if self.many else kind

    def check(self, value: Any) -> Any:
        """Return `value` in the setting's own type, or raise :class:`SettingError`."""
        if self.many:
            if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
                value = (value,)
            items = tuple(self._check_one(item) for item in value)
            if not items:
                raise SettingError(f"{self.name} must not be empty: {self.range}.")
            return items
        return self._check_one(value)

    def _check_one(self, value: Any) -> Any:
        if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
            value = value.item()  # a NumPy or torch scalar
        kind = self.kind
        fits = isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value, fits = float(value), True
        if kind is int and isinstance(value, float) and value.is_integer():
            value, fits = int(value), True
        if fits and kind is float and not math.isfinite(value):
            fits = False
        if fits and self.low is not None and value < self.low:
            fits = False
        if fits and self.high is not None and value > self.high:
            fits = False
        if fits and self.choices is not None and value not in self.choices:
            fits = False
        if not fits:
            hint = ""
            if self.choices and isinstance(value, str):
                close = nearest(value, self.choices)
                hint = f" Did you mean {close}?" if close else ""
            raise SettingError(f"{self.name}={value!r} is not allowed: {self.range}.{hint}")
        return value


class _Stage:
    """Base of the stages' dataclasses: validates and normalises every field."""

    def __post_init__(self) -> None:
        for declared in _declared(type(self)):  # type: ignore[arg-type]
            value = declared.check(getattr(self, declared.name))
            object.__setattr__(self, declared.name, value)


@dataclass(frozen=True)
class ImageSettings(_Stage):
    """How pictures are read and brought to one size."""

    fit: str = setting(
        "error",
        "What to do when the two pictures differ in shape: refuse, crop or pad the current one.",
        choices=("error", "crop", "pad"),
        advanced=True,
    )
    max_megapixels: float = setting(
        200.0,
        "Largest picture file that is opened; guards against decompression bombs.",
        low=0.001,
        high=10_000.0,
        unit="MP",
        advanced=True,
    )


@dataclass(frozen=True)
class DifferenceSettings(_Stage):
    """How the two pictures become one heatmap."""

    colour: str = setting(
        "absolute",
        "Compare luma only ('grey', as published), every colour channel, of which the largest "
        "difference counts ('channels'), or channels for the absolute difference and luma for "
        "SSIM ('absolute', three times as fast).",
        choices=("grey", "absolute", "channels"),
    )
    ssim_weight: float = setting(
        0.5,
        "Share of the SSIM map in the heatmap; the rest is the absolute difference.",
        low=0.0,
        high=1.0,
        step=0.05,
        methods=("hybrid",),
    )
    fusion_weights: tuple[float, ...] = setting(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        "SSIM weights of the fused maps.",
        low=0.0,
        high=1.0,
        advanced=True,
        methods=("multi_fusion", "ensemble"),
    )
    ssim_overflow: str = setting(
        "saturate",
        "Where SSIM is negative, 255 * (1 - SSIM) exceeds 255: stay at 255, or wrap around to "
        "dark as the published notebooks do.",
        choices=("saturate", "wrap"),
        advanced=True,
    )


@dataclass(frozen=True)
class DetectSettings(_Stage):
    """How a heatmap becomes candidate regions."""

    threshold: int = setting(
        50,
        "Heat above which a pixel counts as changed (0 = same, 255 = as different as can be).",
        low=0,
        high=255,
        step=1,
        methods=("hybrid",),
    )
    thresholds: tuple[int, ...] = setting(
        (30, 50, 70),
        "Thresholds applied to every fused map.",
        low=0,
        high=255,
        methods=("multi_fusion", "ensemble"),
    )
    open_iterations: int = setting(
        2,
        "Passes of the 3x3 opening that removes specks; n passes remove what is thinner than "
        "2n + 1 pixels.",
        low=0,
        high=50,
        unit="passes",
        advanced=True,
    )
    close_iterations: int = setting(
        3,
        "Passes of the 3x3 closing that joins fragments; n passes bridge gaps of up to 2n pixels.",
        low=0,
        high=50,
        unit="passes",
        advanced=True,
    )
    min_area: int = setting(
        100,
        "Regions whose bounding box covers less than this are dropped.",
        low=0,
        high=1_000_000_000,
        unit="px\u00b2",
    )
    clusters: int = setting(
        0,
        "Number of K-means clusters the candidate boxes are grouped into; 0 means one per "
        "connected region of the union of all masks.",
        low=0,
        high=10_000,
        advanced=True,
        methods=("ensemble",),
    )


@dataclass(frozen=True)
class SegmentSettings(_Stage):
    """How each candidate gets its outline."""

    segmenter: str = setting(
        "graphcut",
        "What draws the outline of a region: 'graphcut' (embedded, no weights) or 'none' (keep "
        "the detected mask); vde_nb.segmenters() lists what is ready.",
    )
    segment_margin: float = setting(
        0.5,
        "Neighbourhood an outline may grow into, as a share of the box's longer side.",
        low=0.0,
        high=4.0,
        step=0.1,
        advanced=True,
    )
    segment_limit: int = setting(
        200,
        "At most this many regions, the largest, are outlined; the others keep the detected mask.",
        low=0,
        high=100_000,
        advanced=True,
    )


@dataclass(frozen=True)
class ClassifySettings(_Stage):
    """How regions are named, graded and ordered."""

    classifier: str = setting(
        "rules",
        "'published': type by aspect ratio, severity by box area. 'rules': the same, and types "
        "registered with @vde_nb.anomaly_type take part.",
        choices=("published", "rules"),
        advanced=True,
    )
    order: str = setting(
        "worst_first",
        "Order of the anomalies: most severe and largest first, or as found.",
        choices=("worst_first", "found"),
        advanced=True,
    )


#: Settings a preset changes from their defaults: for every method (key ""), then for one.
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    # Exactly the published notebooks. They outline with SAM, but neither numbers nor boxes
    # depend on that, so the preset asks for no segmenter.
    "published": {
        "": {
            "colour": "grey",
            "ssim_overflow": "wrap",
            "segmenter": "none",
            "classifier": "published",
            "order": "found",
        },
        "multi_fusion": {"close_iterations": 2},
        "ensemble": {"close_iterations": 2},
    },
    "sensitive": {"": {"threshold": 30, "thresholds": (20, 30, 40), "min_area": 36}},
    "strict": {"": {"threshold": 80, "thresholds": (70, 90, 110), "min_area": 200}},
}

_STAGES: Mapping[str, type] = {
    "images": ImageSettings,
    "difference": DifferenceSettings,
    "detect": DetectSettings,
    "segment": SegmentSettings,
    "classify": ClassifySettings,
}


@cache  # asked for at every move of a slider
def _declared(stage: type) -> tuple[Declaration, ...]:
    name = next(key for key, value in _STAGES.items() if value is stage)
    return tuple(
        Declaration(name=item.name, stage=name, default=item.default, **item.metadata)
        for item in dataclasses.fields(stage)
    )


@cache
def declarations(method: str | None = None) -> tuple[Declaration, ...]:
    """All settings in pipeline order; with `method`, only those that method uses."""
    everything = (declared for stage in _STAGES.values() for declared in _declared(stage))
    return tuple(
        declared
        for declared in everything
        if method is None or declared.methods is None or method in declared.methods
    )


def nearest(word: str, words: Iterable[str]) -> str:
    """Up to three of `words` that look like `word`, as text; empty when none does.

    >>> nearest("treshold", ["threshold", "thresholds", "fit"])
    "'threshold' or 'thresholds'"
    """
    close = difflib.get_close_matches(str(word), sorted(words), n=3, cutoff=0.6)
    return " or ".join(repr(item) for item in close)


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a comparison finds. Make one with :func:`resolve`.

    Attributes
    ----------
    method
        Name of the difference method, see :func:`vde_nb.methods`.
    preset
        Name of the preset the settings started from.
    images, difference, detect, segment, classify
        The settings of each stage.
    """

    method: str = "hybrid"
    preset: str = "default"
    images: ImageSettings = ImageSettings()
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
                hint = f" Did you mean {close}?" if close else ""
                raise TypeError(
                    f"There is no setting {name!r}.{hint} All settings: {', '.join(where)}."
                )
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
            for declared in declarations(self.method)
        }
        listed = {key: list(val) if isinstance(val, tuple) else val for key, val in used.items()}
        return {"method": self.method, "preset": self.preset, **listed}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings from :meth:`to_dict`'s form, validating every value."""
        rest = dict(values)
        method, preset = rest.pop("method", "hybrid"), rest.pop("preset", "default")
        return resolve(method, preset, **rest)


def resolve(method: str = "hybrid", preset: str = "default", **flat: Any) -> Settings:
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
        The preset is unknown or a value is outside its range.

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
        raise SettingError(f"There is no preset {preset!r}: {', '.join(PRESETS)}.{hint}")
    chosen = PRESETS[preset]
    changes = {**chosen.get("", {}), **chosen.get(method, {}), **flat}
    return Settings(method=method, preset=preset).replace(**changes)
