"""What a run leaves by chance is taken away, and nothing else."""

from __future__ import annotations

import copy

from nbformat.v4 import new_output

from . import small
from .clean import WIDGET, cleaned
from .files import text


def test_a_clean_notebook_stays_what_it_is() -> None:
    notebook = small.good()
    assert text(cleaned(notebook)) == text(notebook)


def test_two_runs_of_a_notebook_give_the_same_file() -> None:
    def run(seed: int) -> str:
        notebook = small.good()
        panel = f"vde-panel-{seed:08x}"
        notebook.metadata["widgets"] = {"state": seed}
        notebook.metadata.language_info["version"] = f"3.11.{seed}"
        cell = notebook.cells[3]
        cell.id = f"random-{seed}"
        cell.metadata["execution"] = {"iopub.status.busy": f"2026-01-01T00:00:0{seed}Z"}
        cell.outputs.append(new_output("display_data", data={
            WIDGET: {"model_id": f"{seed:032x}", "version_major": 2, "version_minor": 0},
            "text/plain": "Panel(robust)",
        }))  # fmt: skip
        cell.outputs.append(
            new_output("display_data", data={"text/html": f'<div class="vde-static-{panel}">'})
        )
        return text(cleaned(notebook))

    assert run(3) == run(4)


def test_two_panels_stay_two() -> None:
    notebook = small.good()
    for name in ("vde-panel-0a0a0a0a", "vde-panel-0b0b0b0b", "vde-panel-0a0a0a0a"):
        notebook.cells[3].outputs.append(
            new_output("display_data", data={"text/html": f'<div class="{name}">'})
        )
    pages = [one.data["text/html"] for one in cleaned(notebook).cells[3].outputs[-3:]]
    assert pages[0] == pages[2] != pages[1]


def test_bars_of_progress_go_and_other_widgets_stay() -> None:
    notebook = small.good()
    view = {"model_id": "a", "version_major": 2, "version_minor": 0}
    for plain in ("fitting   0%|          | 0/100 [00:00<?]", "Panel(robust, 4 anomalies)"):
        notebook.cells[3].outputs.append(
            new_output("display_data", data={WIDGET: dict(view), "text/plain": plain})
        )
    left = [one.data["text/plain"] for one in cleaned(notebook).cells[3].outputs if "data" in one]
    assert left == ["<Figure>", "Comparison", "Panel(robust, 4 anomalies)"]


def test_printed_text_is_one_piece_however_it_came() -> None:
    pieces, whole = small.good(), small.good()
    pieces.cells[2].outputs = [small.printed("1\n"), small.printed("2\n"), small.printed("3\n")]
    whole.cells[2].outputs = [small.printed("1\n2\n3\n")]
    assert text(cleaned(pieces)) == text(cleaned(whole))


def test_a_picture_is_kept_once() -> None:
    notebook = small.good()
    notebook.cells[3].outputs[0].data["image/jpeg"] = small.png()
    assert set(cleaned(notebook).cells[3].outputs[0].data) == {"image/jpeg", "text/plain"}


def test_the_notebook_given_is_not_changed() -> None:
    notebook = small.good()
    notebook.metadata["widgets"] = {}
    before = copy.deepcopy(notebook)
    cleaned(notebook)
    assert notebook == before


def test_what_a_reader_sees_stays() -> None:
    notebook = small.good()
    cell = notebook.cells[2]
    cell.metadata.update(tags=["nbval-ignore-output"], unchecked_because="so")
    after = cleaned(notebook).cells[2]
    assert (after.source, after.outputs, after.metadata) == (
        cell.source, cell.outputs, cell.metadata,
    )  # fmt: skip
