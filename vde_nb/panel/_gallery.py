"""A finished run in the panel: its pairs on the filmstrip, and reviews kept in its folder."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from vde_nb._boxes import SAME, iou
from vde_nb._text import readable
from vde_nb.batch._review_file import PairReview, RegionReview
from vde_nb.batch._reviews import Reviews
from vde_nb.errors import OutputError, SettingError
from vde_nb.panel._choice import Choice
from vde_nb.panel._edits import Edits, History, checked_ignore, checked_nudge, plain_prompts
from vde_nb.panel._files import Root
from vde_nb.panel._known import Known, Unplaced, located
from vde_nb.panel._merge import merged_edits, merged_reviews
from vde_nb.panel._pairs import MOST, Pair
from vde_nb.panel._run import Request
from vde_nb.plugins import loaded_plugins
from vde_nb.reviewing import Review, apply_reviews, without_reviews
from vde_nb.settings import declarations, nearest

__all__ = ["FILTERS", "Gallery"]

#: Which pairs may be shown at first; gallery_words.js has what they mean.
FILTERS = ("all", "changed", "failing", "errors", "unreviewed")
_MANIFEST, _MODEL = "run.json", "model.safetensors"
_ELSEWHERE = (
    "It was made with another version of vde-nb or of a library, or on another kind of machine."
)
#: Most plug-ins of a run that are named.
_NAMED = 5
_TABLES = (".csv", ".tsv", ".parquet", ".ndjson", ".jsonl")


class Gallery:
    """A run that is gone through.

    Parameters
    ----------
    run
        The folder of a run, or a :class:`vde_nb.batch.Run`.
    root
        Pictures below it are opened, and no others.
    only
        Which pairs are shown at first, one of :data:`FILTERS`.
    model
        The model of normality, or its file, where the run has none in its folder.

    Attributes
    ----------
    run
        The :class:`vde_nb.batch.Run`.
    choice
        Method, preset and settings of the run.
    pairs
        Its pairs, worst first, :data:`vde_nb.panel._pairs.MOST` at most.
    reviews
        What was said about them, as it is on the disk.
    trouble
        Why reviews are not saved, in words; empty when they are.
    token
        Stands for this run as it was opened here.

    Raises
    ------
    SettingError
        It is no run, holds no pairs, or settings that are none here.
    """

    def __init__(self, run: Any, root: Root, *, only: str = "all", model: Any = None) -> None:
        if only not in FILTERS:
            near = nearest(only, FILTERS) if isinstance(only, str) else ""
            raise SettingError(
                f"only={only!r} is not allowed: one of {', '.join(FILTERS)}."
                + (f" Did you mean {near}?" if near else "")
            )
        if isinstance(run, (str, os.PathLike)):
            from vde_nb.batch import open_run

            run = open_run(run)
        self.run = run
        self.folder = Path(run.folder)
        self._notes: list[str] = []
        self.trouble = ""
        self.token = secrets.token_hex(4)
        self._only = only
        manifest = dict(run.manifest)
        self._named, self._digests = manifest.get("plugins"), manifest.get("plugin_digests")
        self.base = Edits()
        self.choice = self._chosen(manifest, model)
        self._core: tuple[Any, Hashable, Hashable] | None = None
        self._own_core: tuple[Any, Hashable, Hashable] | None = None
        self.reviews: Reviews = run.reviews
        self.trouble = self.reviews.trouble
        self.pairs = self._made(manifest, root)

    # Opening

    def _chosen(self, manifest: Mapping[str, Any], model: Any) -> Choice:
        """The settings of the run, checked as those of anybody."""
        given = manifest.get("settings")
        known = {one.name for one in declarations()}
        settings = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in (given if isinstance(given, dict) else {}).items()
            if name in known and value is not None
        }
        nudge = settings.pop("nudge", (0.0, 0.0))
        ignore = manifest.get("ignore")
        if isinstance(ignore, list):
            self.base = Edits((), checked_ignore(ignore), checked_nudge(nudge))
        else:
            self.base = Edits(nudge=checked_nudge(nudge))
            if ignore:
                self._notes.append(
                    "The run ignores a region given as a mask, which the panel does not: it may "
                    "find more than the run did."
                )
        if settings.get("model"):
            settings["model"] = self._model(model, settings["model"])
        method, preset = manifest.get("method"), manifest.get("preset", "default")
        try:
            return Choice.of(str(method), str(preset), settings)
        except (SettingError, TypeError, ValueError) as error:
            raise SettingError(
                f"{readable(str(self.folder / _MANIFEST))} has settings that cannot be used: "
                f"{error} Give method= and settings of your own, or run it again."
            ) from error

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to know about the run as it is opened here, in words."""
        return (*self._notes, *self._of_plugins())

    @property
    def why_otherwise(self) -> str:
        """Why something else may be found here than by the run, with the same settings."""
        return " ".join(self._of_plugins()) or _ELSEWHERE

    def _of_plugins(self) -> Iterator[str]:
        """How plug-ins of the run and those that are loaded differ; none is loaded from here."""
        named, digests, loaded = self._named, self._digests, loaded_plugins()
        names = [*map(str, named if isinstance(named, list) else [named] if named else [])]
        is_told = isinstance(digests, list) and len(digests) == len(names)
        known = digests if isinstance(digests, list) and is_told else [""] * len(names)
        missing = []
        for name, digest in zip(names, known, strict=True):
            if any(one.digest == digest if digest else one.name == name for one in loaded):
                continue
            other = any(one.name == name for one in loaded)
            missing.append(
                _short(name, "?") + (", of which another version is loaded" if other else "")
            )
        if missing:
            yield (
                f"The run uses modules of its own (plugins: {_listed(missing)}), which are not "
                "loaded from here: name those you trust with vde.Panel(run=..., plugins=[...]), or "
                "anomaly types may be called otherwise."
            )
        others = [
            _short(one.name, "?")
            for one in loaded
            if (one.types or one.removed) and is_told and one.digest not in known
        ]
        if others:
            yield (
                f"Plug-ins are loaded that the run did not use ({_listed(others)}): anomaly types "
                "may be called otherwise."
            )

    def choice_with(
        self, method: str | None, preset: str | None, settings: Mapping[str, Any]
    ) -> Choice:
        """The settings of the run but for those that are given.

        With another method or preset nothing of the run's is taken over: it belonged to those.
        """
        own = self.choice
        if method in (None, own.method) and preset in (None, own.preset):
            return own.changed(settings) if settings else own
        return Choice.of(method, preset or "default", settings)

    def _model(self, given: Any, signature: object) -> Any:
        """The run's model of normality, as a setting: the one in its folder, or the given one."""
        from vde_nb.batch._stored import plain_file
        from vde_nb.normality import Normality, known_models
        from vde_nb.normality.registry import held_model

        model = given
        if model is None:
            model = plain_file(self.folder, _MODEL)
        if model is None:  # the one in memory, where this process has just run it
            held = (held_model(name) for name in known_models())
            model = next((one for one in held if one and one.signature == signature), None)
        if model is None:
            raise SettingError(
                "The run judges by a model of normality that is not in its folder: give the same "
                'as model=, such as vde.Panel(run=..., model="scene.safetensors").'
            )
        known = model if isinstance(model, Normality) else Normality.load(model)
        if known.signature != signature:
            raise SettingError(
                f"{readable(str(model))} is not the model that the run judges by; give that one."
            )
        return model if isinstance(model, Normality) else os.fspath(model)

    def _made(self, manifest: Mapping[str, Any], root: Root) -> list[Pair]:
        rows = list(self.run.worst(MOST))
        if not rows:
            raise SettingError(f"The run {readable(str(self.folder))} holds no pairs yet.")
        total = len(self.run)
        if total > len(rows):
            self._notes.append(f"These are the {len(rows)} worst of the {total} pairs of the run.")
        if self.run.state != "finished":
            self._notes.append(f"The run is not finished: {total} pairs so far.")
        place = partial(located, root=root, bases=_bases(manifest, root))
        same = Counter(_called(row) for row in rows)
        model = self.choice.alone
        pairs = []
        for row in rows:
            known = Known(row, self.folder, same[_called(row)], place, has_model=model is not None)
            known.review = self.reviews.get(known.identity, known.review)
            pairs.append(self._pair(known, model))
        return pairs

    def _pair(self, known: Known, model: Any) -> Pair:
        row = known.row
        # Thousands of files are not looked for before somebody looks at them.
        alone = model is not None and not row["reference"]
        pair = Pair(
            model.reference if alone else Unplaced(row["reference"]),
            Unplaced(row["current"]),
            (_short(row["reference"], "reference"), readable(row["name"])),
            known=known,
        )
        pair.history = History(self.base)
        self._recall(pair, known.review)
        known.own, known.own_edits = pair.reviews, pair.history.now
        count = row["anomalies"]
        pair.score = row["score"]
        if row["status"] == "error":
            pair.status, pair.note = "error", f"In the run: {row['error']}"
        else:
            pair.count, pair.changed = count, row["change"]
            pair.status = "changed" if count else "clean"
        pair.settled = pair.status
        return pair

    def _recall(self, pair: Pair, review: PairReview) -> None:
        """Give a pair what was said and done when it was reviewed."""
        pair.reviews = tuple(one.review for one in review.regions)
        if not review.edits:
            return
        try:
            edits = Edits(
                plain_prompts(review.edits.get("prompts")),
                checked_ignore(review.edits.get("ignore")),
                checked_nudge(review.edits.get("nudge", (0.0, 0.0))),
            )
        except SettingError as error:
            self._notes.append(f"Prompts of {readable(pair.name)} were not taken over: {error}")
            return
        pair.history.push(edits)

    # What is found

    def is_as_run(self, pair: Pair, choice: Choice) -> bool:
        """Whether a pair is compared as the run did: by its settings, with nothing more ignored."""
        now = pair.history.now
        edited = (now.ignore, now.nudge) != (self.base.ignore, self.base.nudge)
        return not edited and self.keys(choice)[0] == self.keys(self.choice)[0]

    def keys(self, choice: Choice) -> tuple[Hashable, Hashable]:
        """What decides what is found, and what decides the score, with a choice of settings."""
        for core in (self._own_core, self._core):
            if core is not None and core[0] is choice:
                return core[1:]
        request = Request(choice, self.base, ())
        made = choice, request.core, request.scoring
        if choice is self.choice:  # asked for all the time, whatever the panel is set to
            self._own_core = made
        else:
            self._core = made
        return made[1:]

    # What is said

    def keep(self, pair: Pair) -> None:
        """Write down what is said about a pair, at once; `trouble` says where that fails."""
        known = pair.known
        if known is None:
            return
        now, edits = pair.reviews, pair.history.now
        own, own_edits = known.own, known.own_edits

        def change(current: PairReview) -> PairReview:
            reviews = merged_reviews([one.review for one in current.regions], own, now)
            regions = _regions(reviews, pair, current)
            return replace(
                current,
                reviewed=current.marked or _is_decided(pair, current, regions),
                regions=regions,
                edits=merged_edits(current.edits, own_edits, edits, self.base),
            )

        if change(known.review) != known.review:
            self._change(known, change)
            known.own, known.own_edits = now, edits

    def take_over(self, pair: Pair) -> None:
        """Show what others have said about the regions of a pair as well."""
        if pair.known is not None:
            pair.reviews = tuple(one.review for one in pair.known.review.regions)
            pair.known.own = pair.reviews

    def say(self, pair: Pair, given: Mapping[str, Any]) -> None:
        """Mark a pair as reviewed, or note something about it.

        Parameters
        ----------
        pair
            One of `pairs`.
        given
            ``marked`` and ``comment``, or one of them.
        """
        known = pair.known
        assert known is not None

        def change(current: PairReview) -> PairReview:
            marked = bool(given.get("marked", current.marked))
            decided = current.reviewed
            if current.marked and not marked:  # whether regions are decided was of no account
                decided = _is_decided(pair, current, current.regions)
            comment = str(given.get("comment", current.comment))
            return replace(current, marked=marked, reviewed=marked or decided, comment=comment)

        self._change(known, change)

    def _change(self, known: Known, change: Callable[[PairReview], PairReview]) -> None:
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")

        def dated(current: PairReview) -> PairReview:
            review = change(current)
            return current if review == current else replace(review, when=when)

        try:
            self.reviews.change(known.identity, dated)
            self.trouble = ""
        except OutputError as error:
            self.trouble = f"Reviews are not saved: {error}"
        known.review = self.reviews.get(known.identity, PairReview())

    # What the viewer is told

    def item(self, pair: Pair) -> dict[str, Any]:
        """What the filmstrip shows of a pair, besides what it shows of any."""
        known = pair.known
        if known is None:
            return {}
        item: dict[str, Any] = {"found": known.row["status"]}
        if known.row["verdict"]:
            item["verdict"] = known.row["verdict"]
        if known.review.reviewed:
            item["reviewed"] = True
        return item

    def patch(self, pair: Pair, index: int, choice: Choice) -> dict[str, Any]:
        """The state of the bar above the pictures."""
        known = pair.known
        assert known is not None
        remarks = []
        if pair.comparison is not None and not self.is_as_run(pair, choice):
            now = pair.history.now
            edited = (now.ignore, now.nudge) != (self.base.ignore, self.base.nudge)
            what = "other ignored regions or another nudge" if edited else "other settings"
            remarks.append(f"Compared with {what} than the run's.")
        elif known.differs:
            remarks.append(known.differs)
        return {
            "run": self.token,
            "title": readable(self.folder.resolve().name),
            "about": "\n".join([readable(str(self.folder)), *self.notes]),
            "filter": self._only,
            "saved": "Saved" if self.reviews.is_saved and len(self.reviews) else "",
            "trouble": self.trouble,
            "pair": {
                "index": index,
                "number": known.row["number"],
                "name": pair.name,
                "facts": known.facts(),
                "remark": " ".join(remarks),
                "comment": known.review.comment,
                "marked": known.review.marked,
            },
        }

    def export(self, form: str) -> tuple[str, bytes, str]:
        """Name, bytes and MIME type of the reviews as a file, ``"csv"`` or ``"json"``."""
        if form not in ("csv", "json"):
            raise SettingError(f"{form!r} is not allowed: 'csv' or 'json'.")
        text = self.reviews.to_csv() if form == "csv" else self.reviews.to_json()
        mime = "text/csv" if form == "csv" else "application/json"
        return f"reviews.{form}", text.encode(), mime

    def place(self, identity: str) -> int:
        """Place of the pair whose row has an id; the first that is shown where there is none."""
        for at, pair in enumerate(self.pairs):
            if pair.known is not None and pair.known.identity == identity:
                return at
        return self.first

    @property
    def first(self) -> int:
        """Place of the first pair that is shown and that nobody has looked through yet.

        The first one that is shown, where all have been.
        """
        shown = [at for at, one in enumerate(self.pairs) if _is_shown(one, self._only)]
        still = (at for at in shown if not _is_reviewed(self.pairs[at]))
        return next(still, shown[0] if shown else 0)


def _is_shown(pair: Pair, only: str) -> bool:
    """Whether a pair is among those that `only` means; gallery_words.js has the same."""
    known = pair.known
    assert known is not None
    status = known.row["status"]
    if only == "failing":
        return bool(known.row["verdict"] == "fail")
    if only == "unreviewed":
        return not _is_reviewed(pair)
    if only == "errors":
        return "error" in (status, pair.status)
    return only == "all" or bool(status == "changed")


def _is_reviewed(pair: Pair) -> bool:
    assert pair.known is not None
    return pair.known.review.reviewed


def _called(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["name"], row["reference"], row["current"]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _short(path: str, default: str) -> str:
    return readable(os.path.basename(path)) or default  # noqa: PTH119


def _bases(manifest: Mapping[str, Any], root: Root) -> list[Path]:
    """Folders in which relative paths of a run may begin, the likeliest first."""
    bases = [Path(), root.folder]
    for name in ("root", "source"):
        text = manifest.get(name)
        if not isinstance(text, str) or "\0" in text:
            continue
        if name == "root":
            bases.insert(0, Path(text))
        elif text.lower().endswith(_TABLES):
            bases.insert(0, Path(text).parent)
    return bases


def _regions(
    reviews: Iterable[Review], pair: Pair, current: PairReview
) -> tuple[RegionReview, ...]:
    """Reviews of regions with what is known of those."""
    anomalies = [] if pair.comparison is None else without_reviews(pair.comparison.anomalies)
    return tuple(_region(one, anomalies, current) for one in reviews)


def _is_decided(pair: Pair, current: PairReview, regions: Iterable[RegionReview]) -> bool:
    """Whether all regions of a pair are; as it was where there are none, or none are known yet."""
    made: list[Any] = []
    if pair.comparison is not None:
        anomalies = without_reviews(pair.comparison.anomalies)
        made, _ = apply_reviews(anomalies, [one.review for one in regions])
    if not made:
        return current.reviewed and not current.marked
    return all(one.verdict for one in made)


def _region(review: Review, anomalies: list[Any], before: PairReview) -> RegionReview:
    """A review of a region with what is known of that."""
    overlaps = iou([review.box], [one.box for one in anomalies])[0]
    if len(overlaps) and overlaps.max() >= SAME:
        one = anomalies[int(overlaps.argmax())]
        return RegionReview(review, one.type, one.severity, one.origin)
    for known in before.regions:
        if known.review.box == review.box:
            return replace(known, review=review)
    return RegionReview(review)
