"""The panel: one object that holds what is compared, how, and what a person said about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits

from vde_nb._table import Table
from vde_nb.errors import SettingError
from vde_nb.images import ImagePair, Source
from vde_nb.panel import _pairs as pair_list
from vde_nb.panel._choice import Choice
from vde_nb.panel._edits import Edits, History, checked_ignore, checked_nudge, plain_prompts
from vde_nb.panel._incoming import Incoming
from vde_nb.panel._memory import give_back
from vde_nb.panel._pairs import Pair
from vde_nb.panel._state import State
from vde_nb.panel._static import lacking, static_html
from vde_nb.plugins import Plugin, Plugins, load_plugins, named_plugins
from vde_nb.reviewing import checked_reviews

if TYPE_CHECKING:
    from vde_nb.panel._gallery import Gallery
    from vde_nb.panel._layout import Layout

__all__ = ["Panel"]


class _AsItWas:
    """Stands for what :meth:`Panel.review` was not given, which None could be."""

    def __repr__(self) -> str:
        return "<as it was>"


_UNSET: Any = _AsItWas()
#: Names that completion leaves out: what traitlets adds beside ways to follow a panel, and what
#: the panel's own parts call.
_UNLISTED = {name for name in dir(HasTraits) if not name.startswith("_")} - {
    "hold_trait_notifications",
    "observe",
    "unobserve",
    "unobserve_all",
} | {"announce", "edits_of", "on_main", "restore_state", "show_error"}
#: What a pair was found with that no setting brings back: plug-ins of before.
_OUTDATED = "other plug-ins"
_EDITS = ("prompts", "ignore", "nudge")


class Panel(State):
    """Two pictures and what differs between them, in a notebook cell.

    As the last value of a cell it shows itself. Everything it shows can be read and set from
    Python: assigning a trait moves the panel, moving the panel changes the trait, and
    ``panel.observe(function, "comparison")`` tells.

    Parameters
    ----------
    reference, current
        The two pictures, as :func:`vde_nb.compare` takes them; two folders, whose pictures are
        matched by name; or nothing, to choose them in the panel. With ``method="normality"`` and a
        model, one picture or one folder is enough.
    method, preset
        As in :func:`vde_nb.compare`.
    root
        The folder below which pictures and sessions can be chosen in the panel.
    pairs
        Instead of `reference` and `current`: a list of pairs, to go through one by one on a
        filmstrip. Methods whose heat has a level (robust, semantic, normality) draw a curve of
        scores above it; :meth:`compare_all` fills it in. A series of frames comes with the panels
        of :meth:`vde_nb.Normality.series`.
    run
        Instead of those: a run to go through, the folder or the :class:`vde_nb.batch.Run`. Its
        pairs come worst first, with its method, preset and settings but for those that are given
        here; it begins at the first one that nobody has reviewed. Only pictures below `root` are
        opened, and only those that are what the run has compared. Reviews are kept in the run's
        folder at once, see :attr:`run`.
    only
        Which pairs of a run are shown at first: ``"all"``, ``"changed"``, ``"failing"`` (by the
        rule of the run), ``"errors"`` or ``"unreviewed"``.
    ignore, prompts, reviews
        As in :func:`vde_nb.compare`; ignored regions as boxes.
    plugins
        As in :func:`vde_nb.compare`. A session or a run that names some does not load them.
    **settings
        Any setting by its own name, such as ``threshold=60``; see :mod:`vde_nb.settings`.

    Attributes
    ----------
    method, preset, segmenter, threshold, settings
        What decides what is found. `settings` holds what differs from the preset.
    view, selected
        How it is shown, and the number of the anomaly that is selected.
    prompts, ignore, nudge, reviews
        What a person did, for the pair that is shown.
    index
        Which of the pairs that is.
    comparison
        The finished :class:`vde_nb.Comparison`. Reading it waits for work that is under way; None
        when there is none, or it failed.
    status
        ``"empty"``, ``"running"``, ``"ready"``, ``"error"`` or ``"cancelled"``.
    message
        What went wrong last, in words; empty when nothing did.
    names
        What the two pictures are called.

    Raises
    ------
    SettingError
        A setting has a value outside its range.
    TypeError
        There is no setting of that name; the message lists the nearest.

    Examples
    --------
    >>> import vde_nb as vde
    >>> pair = vde.samples.load("wall")
    >>> panel = vde.Panel(pair.reference, pair.current, method="hybrid", segmenter="none")
    >>> panel.threshold = 60
    >>> panel.comparison.threshold
    60
    >>> panel.close()
    """

    def __init__(
        self,
        reference: Source | Sequence[Source] | ImagePair | None = None,
        current: Source | None = None,
        *,
        method: str | None = None,
        preset: str | None = None,
        root: str | os.PathLike[str] = ".",
        pairs: Iterable[Any] | None = None,
        run: Any = None,
        only: str = "all",
        ignore: Any = None,
        prompts: Any = None,
        reviews: Any = None,
        plugins: Plugins | None = None,
        **settings: Any,
    ) -> None:
        # First: settings may name what they register.
        self._plugins, self._plugin_names = load_plugins(plugins), named_plugins(plugins)
        if run is not None:
            edits = (ignore, prompts, reviews, settings.get("nudge"))
            if any(one is not None for one in (reference, current, pairs, *edits)):
                raise SettingError("Give run= alone, with root=, only= and settings: no pictures.")
            gallery = _gallery_of(run, root, only=only, model=settings.pop("model", None))
            choice = gallery.choice_with(method, preset, settings)
            self._begin(choice, root)
            self._show_run(gallery, gallery.first)
            return
        nudge = checked_nudge(settings.pop("nudge", (0.0, 0.0)))
        choice = Choice.of(method, preset or "default", settings)
        start = Edits(plain_prompts(prompts), checked_ignore(ignore), nudge)
        said = checked_reviews(reviews)
        if pairs is not None and (reference is not None or current is not None):
            raise SettingError("Give either pairs=, or a reference and a current picture.")
        self._begin(choice, root)
        made: list[Pair] = []
        if pairs is not None:
            made = pair_list.listed_pairs(pairs)
        elif current is not None and any(map(pair_list.is_folder, (reference, current))):
            made, _ = pair_list.folder_pairs(reference, current)
        elif reference is not None and current is None and choice.alone:
            # A model of normality brings the reference: what was given is to be judged.
            made = pair_list.judged_pairs(choice.alone, reference)
        elif reference is not None or current is not None:
            made = [pair_list.made_pair(reference, current)]
        if made:
            made[0].history, made[0].reviews = History(start), said
            self._commit(made, 0)

    def _begin(self, choice: Choice, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)
        self._layout: Layout | None = None
        super().__init__(choice)
        self._incoming = Incoming(self, self._link)

    # Pictures

    @property
    def root(self) -> Path:
        """The folder below which pictures and sessions can be chosen."""
        return self._root

    @property
    def sources(self) -> tuple[Any, Any]:
        """Where the two pictures come from; None for one that is not chosen yet."""
        pair = self._pair
        return (None, None) if pair is None else (pair.reference, pair.current)

    @property
    def pairs(self) -> list[tuple[Any, Any]]:
        """The sources of all pairs."""
        return [(pair.reference, pair.current) for pair in self._pairs]

    @property
    def frames(self) -> Table:
        """What is known of each pair: name, time, status, count, change in per cent, score.

        Scores are those of the worst place in units of the level that the method was given, see
        ``false_alarms``: 1 is the level. What is not known as the panel is set now is None.
        """
        rows = []
        for pair in self._pairs:
            item = self._sweep.item(pair)
            is_known = not item.get("outdated") and pair.found_with is not None
            rows.append(
                {
                    "name": pair.name,
                    "time": pair.time,
                    "status": pair.status if is_known else "todo",
                    "count": pair.count if is_known else None,
                    "changed": _rounded(pair.changed) if is_known else None,
                    "score": _rounded(item.get("score")),
                }
            )
            if pair.known is not None:
                rows[-1] |= {
                    "verdict": pair.known.row["verdict"],
                    "reviewed": pair.known.review.reviewed,
                }
        return Table(rows)

    @property
    def viewer(self) -> Any:
        """The widget that shows the pictures; None before the panel is displayed."""
        return None if self._layout is None else self._layout.viewer

    @property
    def is_whole(self) -> bool:
        """Whether there are two pictures to compare."""
        return self._pair is not None and self._pair.is_whole

    def open(
        self,
        reference: Source | Sequence[Source] | ImagePair | None = None,
        current: Source | None = None,
        names: Sequence[str | None] | None = None,
    ) -> None:
        """Compare other pictures. The old ones stay until the new ones have been read.

        Parameters
        ----------
        reference, current
            As for the panel itself; None keeps the picture of that side.
        names
            What to call them.
        """
        if pair_list.is_folder(reference) and pair_list.is_folder(current):
            made, alone = pair_list.folder_pairs(reference, current)
            self._here("opening the folders", lambda: self._commit(made, 0))
            if alone:
                self.announce(f"{len(alone)} pictures have no partner in the other folder.")
            return
        old = self._pair
        given: list[str | None] = [None, None] if names is None else list(names)
        if old is not None and not isinstance(reference, ImagePair):
            if reference is None:
                reference = _placed(old, old.reference)
                given[0] = given[0] or old.names[0]
            if current is None:
                current = _placed(old, old.current)
                given[1] = given[1] or old.names[1]
        pair = pair_list.made_pair(reference, current, given)
        self._here("opening the pictures", lambda: self._open([pair], 0, None))

    def open_side(
        self, side: str, source: Source, name: str | None = None, upload: Any = None
    ) -> None:
        """Compare with another picture on one side.

        Parameters
        ----------
        side
            ``"reference"`` or ``"current"``.
        source
            As for the panel itself.
        name
            What to call it.
        upload
            For the panel's own use: which upload is told what came of it.

        Raises
        ------
        SettingError
            There is no such side.
        """
        if side not in ("reference", "current"):
            raise SettingError(f"side={side!r} is not allowed: 'reference' or 'current'.")
        old = self._pair
        sources: list[Any] = [None, None]
        names: list[str | None] = [None, None]
        if old is not None and not isinstance(old.reference, ImagePair):
            sources, names = [old.reference, old.current], list(old.names)
        elif old is not None:
            both = old.reference.reference.array, old.reference.current.array
            sources, names = list(both), list(old.names)
        at = 0 if side == "reference" else 1
        sources[at], names[at] = source, name
        if old is not None:
            sources[1 - at] = _placed(old, sources[1 - at])
        pair = pair_list.made_pair(sources[0], sources[1], names)
        self._here("opening the picture", lambda: self._open([pair], 0, upload))

    def _open(self, pairs: list[Pair], at: int, upload: Any) -> None:
        if self._pair is None or not self._pair.is_whole or not pairs[at].is_whole:
            self._commit(pairs, at)
            if pairs[at].is_whole and upload is not None:
                self._opening = (pairs, at, upload)  # whether it can be read is told then
                self._schedule()
            elif upload is not None:
                self._tell_upload(upload, True, "")
            return
        self._opening = (pairs, at, upload)
        self._schedule()

    def open_pairs(self, pairs: Iterable[Any]) -> None:
        """Go through a list of pairs ``(reference, current)`` one by one, see `index`."""
        made = pair_list.listed_pairs(pairs)
        self._here("opening the pairs", lambda: self._commit(made, 0))

    @property
    def run(self) -> Any:
        """The :class:`vde_nb.batch.Run` that is gone through, None where none is.

        ``panel.run.reviews`` holds what was said: it is on the disk, and ``to_csv(path)`` and
        ``to_json(path)`` write it together with what the run found.
        """
        return None if self._gallery is None else self._gallery.run

    def open_run(self, run: Any, only: str = "all") -> None:
        """Go through a run, with its settings in the place of the panel's.

        Parameters
        ----------
        run, only
            As for the panel itself.

        Raises
        ------
        SettingError
            It is no run, or has settings that cannot be used; the panel stays as it is.
        """
        gallery = _gallery_of(run, self._root, only=only)

        def apply() -> None:
            self._choice = gallery.choice
            self._sync()
            self._link.state(threshold=self._choice.threshold)
            self._show_run(gallery, gallery.first)

        self._here_or_raise("opening the run", apply)

    @property
    def shown_row(self) -> str:
        """Id of the run's row whose pair is shown; empty where no run is gone through."""
        pair = self._pair
        return "" if pair is None or pair.known is None else pair.known.identity

    def _show_run(self, gallery: Gallery, at: int) -> None:
        self._commit(gallery.pairs, at, gallery)
        for note in gallery.notes:
            self.announce(note)

    def review_pair(
        self, index: int | None = None, *, reviewed: bool | None = None, comment: str | None = None
    ) -> None:
        """Say something about a whole pair of a run; what is left out stays as it was.

        Parameters
        ----------
        index
            Which pair; by default the one that is shown.
        reviewed
            Whether it is done. A pair is also done when all its regions are accepted or rejected.
        comment
            Any text.

        Raises
        ------
        SettingError
            There is no run, or no such pair.
        """
        at = self._at if index is None else index
        given = {"marked": reviewed, "comment": comment}
        said = {name: value for name, value in given.items() if value is not None}
        self._here_or_raise("reviewing a pair", lambda: self._say(at, said))

    def export_reviews(self, form: str = "csv") -> None:
        """Hand the reviews of a run to the browser as a file, ``"csv"`` or ``"json"``.

        Raises
        ------
        SettingError
            There is no run, or the panel is not shown.
        """
        if self._gallery is None or self._layout is None:
            raise SettingError("There is no run on the screen; panel.run.reviews writes files.")
        name, data, mime = self._gallery.export(form)
        self._layout.viewer.download(name, data, mime)
        self.announce(f"{name} was sent to the browser.")

    def swap(self) -> None:
        """Exchange reference and current picture.

        Raises
        ------
        SettingError
            They are of a run, or there are no two single pictures.
        """
        pair = self._pair
        if self._gallery is not None:
            raise SettingError("The pictures of a run stay as they were compared.")
        if pair is None or isinstance(pair.reference, (ImagePair, list, tuple)):
            raise SettingError("Only two single pictures can be exchanged.")
        made = pair_list.made_pair(pair.current, pair.reference, (pair.names[1], pair.names[0]))
        rest = [made if one is pair else one for one in self._pairs]
        self._here("exchanging the pictures", lambda: self._open(rest, self._at, None))

    # Settings and edits

    def change(self, **settings: Any) -> None:
        """Change any settings at once: `method`, `preset`, `threshold`...

        Choosing a preset forgets the settings given before. `ignore`, `prompts` and `nudge` are
        changed as one step that can be undone.

        Raises
        ------
        TypeError
            There is no setting of that name.
        SettingError
            A value is not allowed; nothing is changed then.
        """
        edits = {name: settings.pop(name) for name in _EDITS if name in settings}
        plain_prompts(edits.get("prompts"), self._shape)
        checked_ignore(edits.get("ignore"))
        checked_nudge(edits.get("nudge", (0, 0)))
        choice = self._choice.changed(settings)

        def apply() -> None:
            if edits:
                self._take_edits(edits)
            if settings:
                self._set_choice(choice)

        self._here_or_raise("changing the settings", apply)

    def reset(self, *names: str) -> None:
        """Set some settings, or all of them, back to what the preset says."""
        edits = {"ignore": (), "nudge": (0.0, 0.0), "prompts": ()}
        undone = {name: edits[name] for name in names if name in edits}
        rest = [name for name in names if name not in edits]
        choice = self._choice.without(rest) if rest or not names else self._choice

        def apply() -> None:
            if undone:
                self._take_edits(undone)
            self._set_choice(choice)

        self._here_or_raise("resetting the settings", apply)

    def undo(self) -> None:
        """Take back the last prompt, ignored region or nudge; nothing when there is none."""
        self._here_or_raise("undoing", lambda: self._step("undo"))

    def redo(self) -> None:
        """Do again what was undone; nothing when there is none."""
        self._here_or_raise("redoing", lambda: self._step("redo"))

    def _step(self, way: str) -> None:
        pair = self._pair
        if pair is not None and getattr(pair.history, way)():
            self._edited()

    def refine(self, number: int) -> None:
        """Have the segmenter outline an anomaly anew, prompted with its box."""
        self._finish()
        self._here_or_raise("refining an outline", lambda: self._refine(number))

    def review(
        self, number: int, verdict: Any = _UNSET, type: Any = _UNSET, comment: Any = _UNSET
    ) -> None:
        """Say something about an anomaly; what is left out stays as it was.

        Parameters
        ----------
        number
            The anomaly's number.
        verdict
            ``"accepted"``, ``"rejected"``, or None for not decided.
        type
            What it is; None for what was found.
        comment
            Any text.
        """
        given = {"verdict": verdict, "type": type, "comment": comment}
        said = {name: value for name, value in given.items() if value is not _UNSET}
        self._finish()
        self._here_or_raise("reviewing an anomaly", lambda: self._review(number, said))

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plug-ins that were given, see :func:`vde_nb.load_plugin`.

        Assigning names or paths loads these, or the same ones again after an edit, and has the
        pair compared anew.
        """
        return self._plugins

    @plugins.setter
    def plugins(self, value: Plugins | None) -> None:
        loaded, names = load_plugins(value), named_plugins(value)

        def apply() -> None:
            self._plugins, self._plugin_names = loaded, names
            for pair in self._pairs:  # what the settings say is as before, what it means is not
                pair.compared_with = None
                if pair.found_with is not None:
                    pair.found_with = _OUTDATED
                if pair.scored_with is not None:
                    pair.scored_with = _OUTDATED
            self._schedule()

        self._here_or_raise("loading plug-ins", apply)

    @property
    def plugin_names(self) -> tuple[str, ...]:
        """What the plug-ins were called when they were given."""
        return self._plugin_names

    def auto_align(self) -> None:
        """Register the pictures automatically, and take back the nudge."""

        def apply() -> None:
            if self._edits.nudge != (0.0, 0.0):
                self._take_edits({"nudge": (0.0, 0.0)})
            if self._choice.settings.align.align == "off":
                self._set_choice(self._choice.changed({"align": "auto"}))
            self._is_aligning = True
            self._schedule()

        self._here_or_raise("aligning", apply)

    def cancel(self) -> None:
        """Stop the comparison that is under way; the last finished one stays."""

        def apply() -> None:
            self._sweep.stop()
            if not self._comparing.cancel():
                return
            if self._opening is not None:
                self._tell_upload(self._opening[2], False, "Cancelled.")
                self._opening = None
            pair = self._pair
            if pair is not None:
                pair.mark()
            self._put(status="cancelled")
            self._link.state(**self._sweep.patch())

        self._here_or_raise("cancelling", apply)

    def compare_all(self, on: bool = True) -> None:
        """Compare all pairs that are not compared as the panel is set now, in the background.

        Their counts and scores fill in, see `frames`; the pair that is shown goes first. `wait`
        waits for all of it, :meth:`cancel` and ``compare_all(False)`` stop it.
        """
        action = self._sweep.start if on else self._sweep.stop
        self._here_or_raise("comparing all pairs", action)

    def explain(self, on: bool = True) -> None:
        """Show what every stage makes of the pictures, or stop showing it."""

        def apply() -> None:
            self._put(explaining=bool(on))
            self._link.forget("stage")
            self._link.state(explaining=bool(on), **({} if on else {"explain": None}))
            shown = self._shown
            if on and shown is not None and self.status == "ready":
                self._comparing.explain(shown)

        self._here_or_raise("explaining", apply)

    def _here_or_raise(self, doing: str, action: Any) -> None:
        """Do something at once, errors to the caller; from another thread soon, errors shown."""
        if self._is_closed:
            raise SettingError("This panel was closed; make a new one.")
        if self._dispatcher.is_here:
            action()
        else:
            self._here(doing, action)

    # Waiting, telling, saving

    def wait(self, timeout: float | None = None) -> None:
        """Wait until nothing is under way; `timeout` in seconds. `status` says what came of it."""
        if self._is_closed:
            return
        if not self._dispatcher.is_here:
            end = None if timeout is None else time.monotonic() + timeout
            while self._is_busy and (end is None or time.monotonic() < end):
                time.sleep(0.02)
            return
        end = None if timeout is None else time.monotonic() + timeout
        if self._dispatcher.pump(lambda: not self._is_busy, timeout):
            if self._calm is not None:
                self._draw_static()
            left = None if end is None else max(0.0, end - time.monotonic())
            self._dispatcher.pump(lambda: not self._comparing.is_drawing, left)

    @property
    def _is_busy(self) -> bool:
        return self._comparing.is_running or self._sweep.is_on

    def on_main(self, action: Callable[[], object]) -> None:
        """Do something on the panel's thread: at once when already there, else soon."""
        if self._dispatcher.is_here:
            action()
        else:
            self._here("following the controls", action)

    def show_error(self, title: str, error: BaseException) -> None:
        """Show an `error` in the panel, in words, under a `title`; from any thread."""
        self._here("showing an error", lambda: self._fail(error, "working", title))

    def announce(self, text: str) -> None:
        """Have a screen reader say something."""
        self._link.send({"kind": "announce", "text": text})

    def code(self) -> str:
        """The Python that makes what the panel shows."""
        from vde_nb.panel._code import code_of

        return code_of(self)

    def session(self) -> dict[str, Any]:
        """The panel's state in plain values, as `save_session` writes it."""
        from vde_nb.panel._session import session_of

        return session_of(self)

    def save_session(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the panel's state to a JSON file: settings, pairs, prompts, reviews, view.

        Pictures are not in it, only what they are found by: a sample's name, a path below
        :attr:`root`, the size and digest of an array.

        Parameters
        ----------
        path
            Where to.
        overwrite
            Replace a file that is there.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputError
            It is there already, or cannot be written.
        SettingError
            The model of normality is in no file yet; the message says what to do.
        """
        from vde_nb.panel._session import save_session

        return save_session(self, path, overwrite=overwrite)

    def load_session(self, path: str | os.PathLike[str]) -> None:
        """Bring the panel into a state that was saved, or leave it as it is and raise.

        Raises
        ------
        SettingError
            The file cannot be read or is no session; the message says where in it.
        ImageError
            A picture it names cannot be opened.
        """
        from vde_nb.panel._session import load_session

        load_session(self, path)

    def edits_of(self, index: int) -> dict[str, Any]:
        """Prompts, ignored regions, nudge and reviews of one pair."""
        pair = self._pairs[index]
        return {
            **pair.history.now.to_dict(),
            "reviews": [one.to_dict() for one in pair.reviews],
        }

    def restore_state(
        self,
        *,
        pairs: Sequence[tuple[Any, Any]],
        edits: Sequence[Mapping[str, Any]],
        index: int,
        method: str,
        preset: str,
        segmenter: str,
        threshold: int,
        settings: Mapping[str, Any],
        view: Mapping[str, Any],
        run: tuple[Any, str] | None = None,
    ) -> None:
        """Set everything at once, checked before anything is changed: what sessions are made of.

        Parameters
        ----------
        pairs, edits
            The pairs, and for each what :meth:`edits_of` gives.
        index
            Which of them is shown.
        method, preset, segmenter, threshold, settings, view
            As the traits of these names.
        run
            Instead of pairs: a run and the id of the row that is shown.
        """
        given = dict(settings)
        if "thresholds" not in given:
            given["threshold"] = threshold
        choice = Choice.of(method, preset, {**given, "segmenter": segmenter})
        made = pair_list.listed_pairs(pairs) if pairs else []
        gallery = None
        if run is not None:
            gallery = _gallery_of(run[0], self._root)
        for pair, edit in zip(made, edits, strict=True):
            pair.history = History(
                Edits(
                    plain_prompts(edit["prompts"]),
                    checked_ignore(edit["ignore"]),
                    checked_nudge(edit["nudge"]),
                )
            )
            pair.reviews = checked_reviews(edit["reviews"])

        def apply() -> None:
            self._choice = choice
            self._sync()
            self.view = view
            self._link.state(threshold=choice.threshold)
            if gallery is not None:
                assert run is not None
                self._show_run(gallery, gallery.place(run[1]))
            elif made:
                self._commit(made, index)
            else:
                self._schedule()

        self._here_or_raise("restoring a session", apply)

    def close(self) -> None:
        """Free everything: threads, connections to the browser, pictures.

        Comparisons that have been read stay valid.
        """
        if self._is_closed:
            return
        if self._layout is not None:
            self._layout.close()
            self._layout = None
        self._is_closed = True
        self._link.close()
        self._comparing.close()
        self._dispatcher.close()
        self._incoming.uploads.clear()
        self._fallback.close()
        self.unobserve_all()
        self._pairs, self._recent, self._opening = [], [], None
        self._gallery = None
        self._calm = None
        self._trait_values["comparison"] = None
        give_back()

    # In a notebook

    def _ipython_display_(self) -> None:
        """Show the panel, and below it what stays when the notebook is saved."""
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        shell = get_ipython()
        if shell is None or not hasattr(shell, "kernel") or self._is_closed:
            raise NotImplementedError  # IPython shows the repr then
        if not lacking():
            self._link.expect()
            if self._layout is None:
                from vde_nb.panel._layout import Layout

                self._layout = Layout(self, self._incoming.received)
                self._link.connect(self._layout.viewer.send)
        self._dispatcher.drain()
        text = repr(self)
        if self._layout is not None:
            view = {"version_major": 2, "version_minor": 0, "model_id": self._layout.model_id}
            show: Any = display  # without types
            show({"text/plain": text, "application/vnd.jupyter.widget-view+json": view}, raw=True)
        self._fallback.display(static_html(self._id, self._shown, self.message), text)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__()} - _UNLISTED)

    def __repr__(self) -> str:
        pair, shown = self._pair, self._shown
        if self._is_closed:
            return "Panel(closed)"
        if pair is None or not pair.is_whole:
            return f"Panel({self._choice.method}, no pictures)"
        images = pair.loaded
        size = "" if images is None else f", {images.shape[1]}\u00d7{images.shape[0]}"
        found = self.status
        if shown is not None and self.status == "ready":
            count = len(shown.anomalies)
            found = f"{count} {'anomaly' if count == 1 else 'anomalies'}"
        return f"Panel({self._choice.method}{size}, {found})"


def _gallery_of(run: Any, root: str | os.PathLike[str], **options: Any) -> Gallery:
    """A run; what it needs is imported where one is opened."""
    from vde_nb.panel._files import Root
    from vde_nb.panel._gallery import Gallery

    return Gallery(run, Root(root), **options)


def _placed(pair: Pair, source: Any) -> Any:
    """A source of a pair for another pair; one of a run may not have been looked for yet."""
    return source if pair.known is None else pair.known.placed(source)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
