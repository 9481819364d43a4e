"""What of a notebook is kept: nothing that differs from one run to the next without need."""

from __future__ import annotations

import copy
import re
from typing import Any

from nbformat import NotebookNode, from_dict

from .files import code_cells, data_of

WIDGET = "application/vnd.jupyter.widget-view+json"

METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}

#: What may be said of a cell: its tags, and why its output is not compared.
KEPT_OF_A_CELL = ("tags", "unchecked_because")

_SHARE = re.compile(r"\b\d{1,3}%")
_PANEL = re.compile(r"\bvde-panel-[0-9a-f]{8}\b")


def is_progress(output: NotebookNode) -> bool:
    """Whether an output is a progress bar, which is only there where the machine is slow."""
    data = data_of(output)
    return WIDGET in data and bool(_SHARE.search("".join(data.get("text/plain", ""))))


def once(data: dict[str, Any]) -> dict[str, Any]:
    """What an output shows, without the PNG of a picture that is there as the smaller JPEG, too."""
    if "image/jpeg" in data:
        data.pop("image/png", None)
    return data


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what a run leaves in it by chance.

    States of widgets, times of execution, versions and progress bars go; cells, panels and widgets
    are numbered; pieces of printed text are put together; of a PNG and a JPEG of the same picture
    the JPEG stays.
    """
    new = copy.deepcopy(notebook)
    new.nbformat, new.nbformat_minor = 4, 5
    new.metadata = from_dict(METADATA)  # type: ignore[no-untyped-call]
    for number, cell in enumerate(new.cells):
        cell.id = f"cell-{number:02}"
        kept = {key: cell.metadata[key] for key in KEPT_OF_A_CELL if key in cell.metadata}
        cell.metadata = from_dict(kept)  # type: ignore[no-untyped-call]
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n"))
    for _, cell in code_cells(new):
        cell.outputs = _joined([one for one in cell.outputs if not is_progress(one)])
        for output in cell.outputs:
            if "data" in output:
                output.data = once(output.data)
    _number_widgets(new)
    return new


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Printed text in one piece: how it is divided depends on how fast the kernel printed it."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _number_widgets(notebook: NotebookNode) -> None:
    """Number panels and widgets in the order in which they appear; kernels name them by chance."""
    panels: dict[str, str] = {}
    widgets: dict[str, str] = {}

    def panel(found: re.Match[str]) -> str:
        return panels.setdefault(found[0], f"vde-panel-{len(panels) + 1:08x}")

    for _, cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if "text/html" in data:
                data["text/html"] = _PANEL.sub(panel, data["text/html"])
            if WIDGET in data:
                model = data[WIDGET]["model_id"]
                data[WIDGET]["model_id"] = widgets.setdefault(model, f"{len(widgets) + 1:032x}")
