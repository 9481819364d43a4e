"""Run a method over labelled pairs."""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.errors import SettingError
from vde_nb.evaluate._report import MethodTable, Report
from vde_nb.evaluate._tally import Tally
from vde_nb.evaluate._truth import Bools, GroundTruth, labelled
from vde_nb.images import load
from vde_nb.plugins import load_plugins
from vde_nb.stages import StageCache

__all__ = ["compare_methods", "evaluate"]

#: The name of a method, or a function of two pictures.
Method: TypeAlias = "str | Callable[[Any, Any], Comparison]"


def evaluate(
    pairs: Iterable[Any],
    method: Method | None = None,
    *,
    min_iou: float = 0.33,
    slack: int = 0,
    box_margin: int = 0,
    alarm_rate: float = 0.05,
    sweep: Sequence[int] = (),
    name: str | None = None,
    progress: Callable[[int, Comparison], None] | None = None,
    **settings: Any,
) -> Report:
    """Hold what a method finds to what truly changed.

    Parameters
    ----------
    pairs
        Pairs with their truth: `SamplePair`; :class:`LabelledPair`, as :func:`load_masks`,
        :func:`load_coco` and :func:`load_deeppcb` return them; or ``(reference, current, truth)``
        with a `Truth`, an ``(H, W)`` bool mask, a list of boxes ``(x, y, w, h)`` or a list of
        ``(box, type)``. An empty list says that nothing has changed. They are taken one at a
        time, so a generator may make them as they are needed.
    method
        Name of a method (by default that of :func:`vde_nb.compare`), or a function
        ``(reference, current) -> Comparison``.
    min_iou
        A found box and a true one match if their intersection over union is larger than this, in
        [0, 1); one to one.
    slack
        Pixels around true regions that count neither as hits nor as errors of the heatmap; 0 to
        64.
    box_margin
        Pixels by which found boxes are widened on every side before they are matched, 0 to 64:
        for truth whose boxes were drawn with a margin, where a tight box could never match.
    alarm_rate
        Share of sound pairs that may raise a false alarm, in [0, 1), for
        :attr:`TypeReport.recall_at_alarm`.
    sweep
        Thresholds at which boxes are counted as well.
    name
        What to call it in tables; by default the name of the method.
    progress
        Called as ``progress(number, comparison)`` after each pair, numbers from 1.
    **settings
        Settings of :func:`vde_nb.compare`, and its `ignore` and `plugins`; with a function as
        `method`, `plugins` only. Plug-ins are loaded once, before the first pair.

    Returns
    -------
    Report
        Precision, recall, F1, average precision, AUROC and more; `plot` draws the curves,
        `plot_mistakes` what was missed and made up.

    Raises
    ------
    SettingError
        A truth that does not fit its picture, an unknown method or setting value, or no pairs.
    ImageError
        A picture cannot be read.

    Notes
    -----
    What is ignored is not asked for: a true region of which at least half lies in the ignored area
    of its comparison is left out, of the others those pixels, and a pair without any other true
    region counts as sound.

    A true region counts as seen at the alarm level (`recall_at_alarm`) if the image score of its
    pair exceeds the level, and so does the clean heatmap inside of the region; where comparisons
    bring an image score of another scale (`evidence_score`), the heatmap has to exceed the
    comparison's threshold there.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.full((60, 80, 3), 90, np.uint8)
    >>> current = reference.copy()
    >>> current[20:40, 30:60] = 200
    >>> pairs = [(reference, current, [((30, 20, 30, 20), "stain")]), (reference, reference, [])]
    >>> evaluate(pairs, "hybrid", segmenter="none").f1
    1.0
    """
    _check("min_iou", min_iou, 0, 1)
    _check("alarm_rate", alarm_rate, 0, 1)
    for what, given in (("slack", slack), ("box_margin", box_margin)):
        if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 64:
            raise SettingError(f"{what} must be a whole number from 0 to 64, not {given!r}")
    plugins = settings.pop("plugins", None)
    if callable(method) and (settings or len(sweep)):
        told = ", ".join([*settings, *(["sweep"] if len(sweep) else [])])
        raise SettingError(
            f"{told}: for methods given by name, not for functions, which compare as they like. Of "
            "what vde_nb.compare() takes only plugins can be given with one."
        )
    load_plugins(plugins)
    if isinstance(method, str):
        settings = {"method": method, **settings}
    tally = Tally(float(min_iou), slack, float(alarm_rate), box_margin)
    last = None
    for number, given in enumerate(pairs, 1):
        pair = labelled(given, number)
        cache = StageCache() if len(sweep) else None  # a sweep computes only what changes
        started = time.perf_counter()
        if callable(method):
            last = method(load(pair.reference).array, load(pair.current).array)
        else:
            last = compare(pair.reference, pair.current, cache=cache, **settings)
        seconds = time.perf_counter() - started
        height, width = last.heatmap.shape
        truth = pair.known().checked(pair.name, (height, width))
        truth = _outside(truth, getattr(last, "ignored", None))
        tally.add(truth, last, seconds, pair.name)
        for threshold in sweep:
            tally.sweep(truth, threshold, last.again(threshold=threshold))
        if progress is not None:
            progress(number, last)
    if last is None:
        raise SettingError("there are no pairs to evaluate.")
    if name is None:
        name = getattr(method, "__name__", None) or last.method
    return tally.report(str(name))


def compare_methods(
    pairs: Iterable[Any],
    methods: Sequence[Method] | Mapping[str, Method],
    **options: Any,
) -> MethodTable:
    """Evaluate several methods on the same pairs.

    Parameters
    ----------
    pairs
        As for :func:`evaluate`.
    methods
        Names or functions; a mapping calls them by its keys.
    **options
        As for :func:`evaluate`.

    Returns
    -------
    MethodTable
        One row for each; its `reports` hold everything.
    """
    kept = list(pairs)
    if isinstance(methods, str):
        methods = [methods]
    named: list[tuple[str | None, Method]] = (
        [*methods.items()] if isinstance(methods, Mapping) else [(None, one) for one in methods]
    )
    return MethodTable([evaluate(kept, one, name=name, **options) for name, one in named])


def _outside(truth: GroundTruth, ignored: Bools | None) -> GroundTruth:
    """The truth about what is not ignored; see the notes of :func:`evaluate`."""
    if ignored is None:
        return truth
    kept = []
    for region in truth.regions:
        x, y, w, h = region.box
        hidden = ignored[y : y + h, x : x + w]
        inside = np.ones((h, w), np.bool_) if region.mask is None else region.mask
        seen = inside & ~hidden
        if 2 * np.count_nonzero(seen) > np.count_nonzero(inside):
            kept.append(region if region.mask is None else replace(region, mask=seen))
    return replace(truth, regions=tuple(kept))


def _check(setting: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value < high:  # type: ignore[arg-type,operator]
        raise SettingError(f"{setting} must be a number in [{low:g}, {high:g}), not {value!r}")
