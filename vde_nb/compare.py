"""compare(): the staged, memoised run from two pictures to a finished comparison."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vde_nb._buffers import limited
from vde_nb._ignore import Ignore, ignore_mask, outside
from vde_nb._learned import adapted, holding, load_with, model_of, named
from vde_nb._progress import told
from vde_nb.align import Prepared, prepare
from vde_nb.comparison import Comparison, Detected
from vde_nb.describe import describe, describe_prompted, numbered
from vde_nb.detect import Candidate
from vde_nb.difference import kernel_failure, kernel_state
from vde_nb.errors import SettingError
from vde_nb.features import check_features
from vde_nb.images import ImagePair, Source, load_pair
from vde_nb.methods import default_method, get_method
from vde_nb.methods.base import difference_stage
from vde_nb.methods.multi_fusion import each_mask
from vde_nb.plugins import Plugin, Plugins, load_plugins, plugin_types
from vde_nb.prompting import (
    checked_prompts,
    compared_part,
    outline_prompts,
    prompts_key,
    with_prompted,
)
from vde_nb.reviewing import Review, apply_reviews, checked_reviews, without_reviews
from vde_nb.segment import Chosen, Outline, Prompt, Scene, check_segmenter, choose
from vde_nb.segment.none import KeepMask
from vde_nb.settings import (
    PUBLISHED,
    SegmentSettings,
    Settings,
    declarations,
    resolve,
)
from vde_nb.stages import StageCache, Staged, Stages, shared_cache

__all__ = ["again", "compare", "prompted", "reviewed", "single_masks"]

if TYPE_CHECKING:
    from vde_nb.normality import Normality

Prompts: TypeAlias = Iterable[Prompt | Mapping[str, Any]]
Reviews: TypeAlias = Iterable[Review | Mapping[str, Any]]

#: Seconds after which a file's time stamp tells whether it was written again.
_SETTLED = 2.0
#: Share of the picture that seldom changes in earnest.
_MANY = 0.08
#: Bytes per pixel that are needed at once, at most, beyond the two pictures.
_PER_PIXEL = 16


class _NotGiven:
    """Stands for a picture that was left out, unlike one that could not be read and is None."""

    def __repr__(self) -> str:
        return "<left out>"


_LEFT_OUT: Any = _NotGiven()
_TOO_LATE = "fit and max_megapixels decide how files are read; call compare() on the files."


def compare(
    reference: Source | Sequence[Source] | ImagePair,
    current: Source = _LEFT_OUT,
    *,
    method: str | None = None,
    preset: str = "default",
    ignore: Ignore | None = None,
    prompts: Prompts | None = None,
    reviews: Reviews | None = None,
    plugins: Plugins | None = None,
    progress: Callable[[str], object] | None = None,
    cache: StageCache | None = shared_cache,
    **settings: Any,
) -> Comparison:
    """Find, outline, name and grade what differs between two pictures.

    Parameters
    ----------
    reference
        The golden picture: path, bytes, binary file object, PIL image or array; or a list of
        several pictures of how it should be, the first of which is the reference and the others
        tell what may vary; or an :class:`~vde_nb.images.ImagePair` holding everything.
    current
        The picture to check, in any of those forms.
    method
        ``"robust"`` (recommended), ``"hybrid"``, ``"multi_fusion"``, ``"ensemble"``,
        ``"semantic"`` or ``"normality"``; see :func:`vde_nb.methods`. By default ``"robust"``, and
        ``"hybrid"`` with the preset ``"published"``. With ``"normality"`` the reference may be
        left out: ``compare(picture, method="normality", model=model)``.
    preset
        ``"default"``; ``"published"`` for exactly the published notebooks; ``"sensitive"`` or
        ``"strict"``.
    ignore
        Where differences do not matter, in reference pixels: boxes ``(x, y, w, h)``, or a
        ``(H, W)`` bool mask.
    prompts
        What to outline besides what is detected: see :meth:`Comparison.prompted`.
    reviews
        What a person said about anomalies: see :meth:`Comparison.reviewed`.
    plugins
        Paths of ``.py`` files, or names of modules, that register anomaly types, features and
        models of yours. They are run first, as by :func:`vde_nb.load_plugin`, which says when they
        are run again. Plug-ins are of the process, not of the call: what they register counts in
        every comparison from then on, also in other threads and in calls that name none, until
        :meth:`Plugin.remove() <vde_nb.plugins.Plugin.remove>`. They are no setting and are never
        loaded because a result names them, but the notes say which types are theirs.
    progress
        Called with the name of every stage before it begins, and with what is being done while a
        model is fetched or looks at a picture, up to twenty times a second ("SAM ViT-B reads the
        reference 40%"). An exception it raises ends the comparison and reaches the caller.
    cache
        Where results of stages are kept, so that the next call computes only what changed;
        None keeps nothing, and spares the hashing of the pictures.
    **settings
        Any setting of any stage by its own name, such as ``threshold=60``; see
        :mod:`vde_nb.settings`. `model` may be a :class:`vde_nb.Normality`, and `features` a
        function.

    Returns
    -------
    Comparison
        Boxes, outlines, types, severities, heatmap and scores.

    Raises
    ------
    ImageError
        A picture cannot be read, the two cannot be compared, or they are smaller than 7 x 7.
    SettingError
        A setting has a value outside its range, or names an unknown method or segmenter;
        `ignore`, a prompt or a review does not fit the picture; or a plug-in cannot be loaded.
    OutputError
        Scratch files are needed, and there is no room for them.
    TypeError
        There is no setting of that name; the message lists the nearest.

    Notes
    -----
    Beyond the decoded pictures and what `cache` keeps, the work takes about `memory_limit`
    megabytes of main memory, 2048 unless told otherwise. Maps of larger pictures (some 16 bytes
    per pixel in all) that find no room lie in scratch files without a name, in the folder that the
    environment variable ``VDE_NB_SCRATCH`` names, or where the system keeps temporary files; the
    arrays of the result may be such maps. What is found does not depend on it.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.full((60, 80, 3), 90, np.uint8)
    >>> current = reference.copy()
    >>> current[20:40, 30:60] = 200
    >>> result = compare(reference, current, method="hybrid", segmenter="none")
    >>> result
    Comparison(hybrid, 80\u00d760, 1 anomaly, SSIM 0.8329, 19.50 % changed)
    """
    idle = _idle(load_plugins(plugins))  # first: settings may name what they register
    method = default_method(preset) if method is None else get_method(method).name
    settings = named(settings)
    chosen = resolve(method, preset, **settings)
    model = model_of(chosen)
    if model is not None:
        chosen = resolve(method, preset, **{**model.settings, **settings})
    # What cannot be is told before any work is done.
    _check_available(chosen)
    said = checked_prompts(prompts), checked_reviews(reviews)
    stage = Stages(cache, progress=progress)
    remarks = [*idle, *_unused(chosen, settings)]
    with limited(chosen.images.memory_limit):
        if isinstance(reference, ImagePair):
            if current is not _LEFT_OUT and current is not None:
                raise SettingError(
                    "Give either an ImagePair, or a reference and a current picture."
                )
            if _reading(chosen) != _reading(Settings()):
                raise SettingError(_TOO_LATE)
            pair = reference
        elif model is not None and current is _LEFT_OUT:
            pair = _load(None, reference, chosen, stage, model)  # type: ignore[arg-type]
        elif current is None or current is _LEFT_OUT:
            hint = " One is enough with method='normality'." if "model" in settings else ""
            raise SettingError(f"compare() needs two pictures: compare(reference, current).{hint}")
        else:
            pair = _load(reference, current, chosen, stage, model)
        with told(progress):
            return _run(pair, chosen, stage, remarks, ignore, *said, model)


def again(
    comparison: Comparison, *, progress: Callable[[str], object] | None = None, **changes: Any
) -> Comparison:
    """See :meth:`vde_nb.Comparison.again`."""
    idle = _idle(load_plugins(changes.pop("plugins", None)))
    old = comparison.settings
    preset = changes.pop("preset", old.preset)
    method = changes.pop("method", None)
    if method is not None:
        method = get_method(method).name
    elif preset == "published" and old.method not in PUBLISHED:
        method = default_method(preset)
    else:
        method = old.method
    ignore = changes.pop("ignore", comparison.ignored)
    said = (
        checked_prompts(changes.pop("prompts", comparison.prompts)),
        checked_reviews(changes.pop("reviews", comparison.reviews)),
    )
    before = comparison._model
    own = before.settings if before is not None else {}
    usual = resolve(old.method, old.preset, **own).flat()
    given = {name: value for name, value in old.flat().items() if value != usual[name]}
    changes = named(changes)
    chosen = resolve(method, preset, **{**given, **changes})
    # The very model it was made with, also when its file was written again since.
    with holding(old, before):
        model = model_of(chosen)
    if model is not None:
        chosen = resolve(method, preset, **{**model.settings, **given, **changes})
    if _reading(chosen) != _reading(old):
        raise SettingError(_TOO_LATE)
    _check_available(chosen)
    # Somebody may have written into the arrays since: what is computed from them now is kept for
    # this comparison only, and never found under the content they once had.
    stage = Stages(comparison._cache, owner=comparison.pair.token, progress=progress)
    remarks = [*idle, *_unused(chosen, changes)]
    with limited(chosen.images.memory_limit), told(progress):
        return _run(
            comparison._given or comparison.pair, chosen, stage, remarks, ignore, *said, model
        )


def _reading(settings: Settings) -> tuple[object, ...]:
    """What decides how files are read."""
    return settings.images.fit, settings.images.max_megapixels


def _check_available(settings: Settings) -> None:
    """Raise where a name stands for nothing, or for what is not installed."""
    check_segmenter(settings.segment.segmenter, installed=True)
    if settings.method == "semantic":
        check_features(settings.difference.features, installed=True)


def prompted(
    comparison: Comparison,
    prompts: Prompts,
    *,
    progress: Callable[[str], object] | None = None,
) -> Comparison:
    """See :meth:`vde_nb.Comparison.prompted`."""
    checked = checked_prompts(prompts, comparison.pair.shape)
    images = Prepared(
        Staged(comparison.reference, None),
        Staged(comparison.current, None),
        Staged(comparison.levelled, None),
        Staged(comparison.valid, None),
        comparison.registration,
    )
    stage = Stages(None, progress=progress)
    with limited(comparison.settings.images.memory_limit), told(progress):
        return _prompted(comparison, checked, images, Staged(comparison.heatmap, None), stage)


def reviewed(comparison: Comparison, reviews: Reviews) -> Comparison:
    """See :meth:`vde_nb.Comparison.reviewed`."""
    checked = checked_reviews(reviews)
    anomalies, notes = apply_reviews(without_reviews(comparison.anomalies), checked)
    found = _detected(comparison)
    notes = tuple(dict.fromkeys([*found.notes, *found.prompt_notes, *notes]))
    return replace(comparison, anomalies=anomalies, reviews=checked, notes=notes)


def _detected(comparison: Comparison) -> Detected:
    """What detection came to; of a comparison somebody put together, all there is."""
    found = comparison._detected
    return found or Detected(tuple(comparison.anomalies), comparison.notes)


def _prompted(
    comparison: Comparison,
    prompts: tuple[Prompt, ...],
    images: Prepared,
    heatmap: Staged[npt.NDArray[np.uint8]],
    stage: Stages,
) -> Comparison:
    """`comparison` with other prompts; its reviews are put on again."""
    found = _detected(comparison)
    rules = comparison.settings.classify
    notes: tuple[str, ...] = ()
    anomalies = list(found.anomalies)
    segmenter = choose(comparison.settings.segment) if prompts else None
    if segmenter is not None:
        outlined = stage(
            "prompts",
            outline_prompts,
            Staged(prompts, prompts_key(prompts)),
            heatmap,
            images.reference,
            images.current,
            images.valid,
            Staged(segmenter, (segmenter.identity, comparison.settings.segment)),
        ).value
        joined = describe_prompted(
            outlined.outlines,
            prompts,
            anomalies,
            images,
            heatmap.value,
            rules.classifier,
            found.otherwise,
            comparison.pair.placement,
            found.measure,
        )
        anomalies = numbered(with_prompted(anomalies, prompts, joined), rules.order)
        notes = (*segmenter.notes, *outlined.notes)
    made = replace(
        comparison,
        anomalies=anomalies,
        prompts=prompts,
        outlined_by=segmenter.title if segmenter else comparison.outlined_by,
        timings={**comparison.timings, **stage.timings},
        _detected=replace(found, prompt_notes=notes),
    )
    return reviewed(made, comparison.reviews)


def _unused(settings: Settings, given: Iterable[str]) -> list[str]:
    """Notes on settings that were given although nothing has a use for them."""
    method, segmenter = settings.method, settings.segment.segmenter
    notes = []
    for name in given:
        if name not in {declared.name for declared in declarations(method)}:
            notes.append(f"{name} is not used by {method}.")
        elif name not in {declared.name for declared in declarations(method, segmenter)}:
            notes.append(f"{name} is not used by segmenter={segmenter!r}.")
    return notes


def single_masks(
    comparison: Comparison,
) -> Iterator[tuple[float, int, npt.NDArray[np.bool_]]]:
    """See :meth:`vde_nb.Comparison.masks`."""
    settings = comparison.settings
    if settings.method not in ("multi_fusion", "ensemble"):
        raise SettingError(
            f"{settings.method} makes one mask, comparison.mask; many are united by multi_fusion "
            "and ensemble."
        )
    one, two = Staged(comparison.reference, None), Staged(comparison.levelled, None)
    images = Prepared(one, two, two, Staged(comparison.valid, None))
    return each_mask(
        difference_stage(images, settings, Stages(None)).value,
        settings.difference.fusion_weights,
        settings.detect.thresholds,
        settings.detect.open_iterations,
        settings.detect.close_iterations,
    )


def _file_key(source: object) -> Hashable | None:
    """Identity of a file's content without reading it; None when it has none."""
    if not isinstance(source, (str, os.PathLike)):
        return None
    try:
        info = Path(os.fsdecode(source)).expanduser().stat()
    except (OSError, ValueError, RuntimeError):
        return None  # load() says what is wrong
    # A file this young may be written again within the tick of a coarse file system's clock.
    if not stat.S_ISREG(info.st_mode) or time.time() - info.st_mtime < _SETTLED:
        return None
    return (
        os.fsdecode(source),
        info.st_dev,
        info.st_ino,
        info.st_size,
        info.st_mtime_ns,
        info.st_ctime_ns,
    )


def _load(
    reference: Source | Sequence[Source] | None,
    current: Source,
    settings: Settings,
    stage: Stages,
    model: Normality | None,
) -> ImagePair:
    key: Hashable | None = None
    if stage.cache is not None:
        listed = reference if isinstance(reference, (list, tuple)) else (reference,)
        keys = tuple("" if one is None else _file_key(one) for one in listed)
        key = keys if None not in keys else None
    how: dict[str, Any] = dict(zip(("fit", "max_megapixels"), _reading(settings), strict=True))
    pictures = (
        Staged(reference, key),
        Staged(current, _file_key(current) if stage.cache is not None else None),
    )
    if model is None:
        return stage("images", load_pair, *pictures, **how).value
    return stage("images", load_with, Staged(model, model.signature), *pictures, **how).value


def _run(
    pair: ImagePair,
    settings: Settings,
    stage: Stages,
    remarks: Sequence[str],
    ignore: Ignore | None,
    prompts: tuple[Prompt, ...],
    reviews: tuple[Review, ...],
    model: Normality | None,
) -> Comparison:
    given, pair = pair, adapted(pair, model)
    prompts = checked_prompts(prompts, pair.shape)
    method = get_method(settings.method)
    keep = stage.cache is not None
    ignored = None if ignore is None else ignore_mask(ignore, pair.shape)
    images = prepare(
        Staged(pair.reference.array, pair.reference.key if keep else None),
        Staged(pair.current.array, pair.current.key if keep else None),
        pair.valid,
        ignored,
        settings.align,
        stage,
        [Staged(one.array, one.key if keep else None) for one in pair.others],
    )
    with holding(settings, model):
        finding = method.find(images, settings, stage)
    wanted = (
        settings.segment
        if finding.candidates.value
        else replace(settings.segment, segmenter="none")
    )
    segmenter = choose(wanted)
    outlines = stage(
        "segmentation",
        _outlines,
        finding.candidates,
        finding.heatmap,
        images.reference,
        images.current,
        images.valid,
        settings.segment,
        Staged(segmenter, segmenter.identity),
    )
    # Rules a user registered may change between two calls, so this stage is never kept.
    described = stage(
        "classification",
        describe,
        Staged(finding, None),
        Staged(outlines.value[0], None),
        Staged(images, None),
        Staged(settings, None),
        Staged(pair.placement, None),
        Staged(stage.cache, None),
        keep=False,
    ).value
    changed = int(np.count_nonzero(finding.mask.value))
    valid = images.valid.value
    compared = finding.mask.value.size if valid is None else int(np.count_nonzero(valid))
    notes = [*remarks, *pair.notes, *images.notes, *finding.notes]
    notes += [*segmenter.notes, *outlines.value[1], *described.notes, *_of_plugins(settings)]
    if pair.others and not method.many_references:
        notes.append(f"{settings.method} compares with the first reference only.")
    if pair.shape[0] * pair.shape[1] * _PER_PIXEL > settings.images.memory_limit * 2**20:
        notes.append(_scratch_note(pair.shape, settings.images.memory_limit))
    if ignore is not None and (misplaced := outside(ignore, pair.shape)):
        notes.append(misplaced)
    if compared == 0:
        notes.append("Nothing was compared: no pixel of the current picture is valid.")
    if changed > _MANY * compared and settings.preset != "published":
        notes.append(_much(settings))
    if kernel_failure() is not None:
        notes.append(f"The compiled SSIM kernel {kernel_state()}.")
    notes = list(dict.fromkeys(notes))
    comparison = Comparison(
        pair=pair,
        settings=settings,
        anomalies=described.anomalies,
        heatmap=finding.heatmap.value,
        clean_heatmap=finding.clean.value,
        threshold=finding.threshold,
        mask=finding.mask.value,
        ssim_score=finding.score,
        change_score_percent=changed / max(compared, 1) * 100,
        timings=stage.timings,
        notes=tuple(notes),
        current=images.current.value,
        levelled=images.levelled.value,
        valid=valid,
        ignored=None if ignored is None else ignored.value,
        registration=images.registration,
        reviews=reviews,
        outlined_by=segmenter.title if finding.candidates.value else "",
        described_by=finding.described_by,
        _cache=stage.cache,
        _model=model,
        _given=given if given is not pair else None,
        _detected=Detected(
            tuple(described.anomalies), tuple(notes), finding.otherwise, measure=finding.measure
        ),
    )
    if not prompts and not reviews:
        return comparison
    return _prompted(comparison, prompts, images, finding.heatmap, stage)


def _scratch_note(shape: tuple[int, int], limit: int) -> str:
    """Told by sizes alone, so that the same pair is told the same everywhere."""
    return (
        f"{shape[0] * shape[1] / 1e6:.1f} megapixels take more memory than memory_limit={limit} "
        "MB: maps that had no room in it were kept in scratch files."
    )


def _of_plugins(settings: Settings) -> list[str]:
    """Where types come from that vde-nb alone does not know, for whoever reads the result."""
    types = {} if settings.classify.classifier == "published" else plugin_types()
    told = ", ".join(f"{name} ({plugin})" for name, plugin in sorted(types.items()))
    return [f"Types of plug-ins: {told}."] if told else []


def _idle(plugins: Iterable[Plugin]) -> list[str]:
    """Notes on plug-ins that were named in vain: the name of something else, perhaps."""
    return [f"The plug-in {one.name} registers nothing." for one in plugins if one.is_empty]


def _much(settings: Settings) -> str:
    """What to do where much has changed."""
    if settings.align.align == "off" or settings.align.normalise == "off":
        return (
            "Much has changed. If the camera moved or the light is another, method='robust' (or "
            "align=True, normalise=True) brings the pictures together first."
        )
    return "Much has changed; preset='strict' keeps only what differs most."


def _outlines(
    candidates: list[Candidate],
    heatmap: npt.NDArray[np.uint8],
    reference: npt.NDArray[np.uint8],
    current: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_] | None,
    settings: SegmentSettings,
    chosen: Chosen,
) -> tuple[list[Outline], tuple[str, ...]]:
    """One outline per candidate, and what there is to say about them."""
    kept = KeepMask()
    scene = Scene(reference, current, heatmap)
    prompts = [_prompt(candidate, settings.segment_margin) for candidate in candidates]
    outlines = kept.prepare(scene).segment(prompts)
    if chosen.name == kept.name or not prompts:
        return outlines, ()
    notes: list[str] = []
    sizes = [w * h for _, _, w, h in (candidate.box for candidate in candidates)]
    largest = sorted(range(len(prompts)), key=lambda i: -sizes[i])[: settings.segment_limit]
    if len(largest) < len(prompts):
        notes.append(
            f"{len(prompts) - len(largest)} of {len(prompts)} regions keep the detected mask: "
            f"only the {len(largest)} largest are outlined (segment_limit)."
        )
    segmenter = chosen.make()
    prepared = segmenter.prepare(scene)
    answers = prepared.segment([prompts[i] for i in largest])
    notes += prepared.notes
    for i, outline in zip(largest, answers, strict=True):
        if not outline.mask.any():
            notes.append(f"{chosen.title} found nothing in some regions: they keep their mask.")
            continue
        outlines[i] = compared_part(outline, valid) or outlines[i]
        if outline.note:
            notes.append(outline.note)
    return outlines, tuple(dict.fromkeys(notes))


def _prompt(candidate: Candidate, margin: float) -> Prompt:
    _, _, w, h = candidate.box
    points = tuple((x, y, 1) for x, y in candidate.points)
    return Prompt(candidate.box, points, candidate.mask, reach=round(margin * max(w, h)))
