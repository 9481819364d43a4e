"""What every notebook must be; each rule is a function from a notebook to its faults."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from .clean import cleaned
from .files import code_cells, data_of, read, text
from .first_cells import badges, install_cell
from .pictures import IN_HTML, encoded_in, measured

MOST_BYTES = 1_500_000
FEWEST_PICTURES = 2
TRY_NEXT = (2, 4)
IGNORED = "nbval-ignore-output"


@dataclasses.dataclass(frozen=True)
class Fault:
    """A rule that a notebook breaks.

    Attributes
    ----------
    cell : int or None
        The cell's number, from 0 and text included; None: the whole notebook.
    what : str
        What is wrong and what to do.
    """

    cell: int | None
    what: str

    def __str__(self) -> str:
        """As a line for people."""
        return self.what if self.cell is None else f"cell {self.cell}: {self.what}"


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A notebook on trial.

    Attributes
    ----------
    notebook : NotebookNode
        The notebook.
    name : str
        Its file name.
    home : str
        Where the repository lives, as ``owner/name``.
    folder : Path
        The folder that its links start from.
    size : int
        Of its file, in bytes.
    """

    notebook: NotebookNode
    name: str
    home: str
    folder: Path
    size: int


Rule = Callable[[Case], Iterator[Fault]]


def faults(path: Path, home: str) -> list[Fault]:
    """All faults of a notebook's file, in the order of its cells."""
    raw = path.read_bytes()
    notebook = read(path)
    case = Case(notebook, path.name, home, path.parent, len(raw))
    found = [fault for rule in RULES for fault in rule(case)]
    if text(cleaned(notebook)).encode("utf-8") != raw:
        found.append(Fault(None, "it is not clean: python -m tests.notebooks clean " + path.name))
    return sorted(found, key=lambda fault: -1 if fault.cell is None else fault.cell)


def opening(case: Case) -> Iterator[Fault]:
    """Title, badges, and what one will learn."""
    first = case.notebook.cells[0] if case.notebook.cells else None
    parts = [] if first is None or first.cell_type != "markdown" else first.source.split("\n\n")
    parts += [""] * (3 - len(parts))
    if not re.fullmatch(r"# \S.*", parts[0]):
        yield Fault(0, "it must begin with a title: a line '# …' and an empty line after it")
    if parts[1] != badges(case.name, case.home):
        yield Fault(0, f"the second paragraph must be: {badges(case.name, case.home)}")
    if not parts[2].startswith("You will learn"):
        yield Fault(0, "the third paragraph must begin with 'You will learn'")


def installing(case: Case) -> Iterator[Fault]:
    """The cell that installs, and the import after it."""
    wanted = install_cell(case.name, case.home)
    cells = case.notebook.cells
    if len(cells) < 2 or cells[1].cell_type != "code" or cells[1].source != wanted:
        yield Fault(1, f"it must be the cell that installs vde-nb, to the letter:\n{wanted}")
    after = [(number, cell) for number, cell in code_cells(case.notebook) if number > 1]
    if after and "import vde_nb as vde" not in after[0][1].source.split("\n"):
        yield Fault(
            after[0][0],
            "the first cell of code after the installing one must have the"
            " line 'import vde_nb as vde'",
        )
    for number, cell in after:
        if re.search(r"^\s*[%!]\s*(pip|conda|apt)", cell.source, re.MULTILINE):
            yield Fault(number, "only the first cell of code installs anything")


def ending(case: Case) -> Iterator[Fault]:
    """A list of where to go next."""
    last = len(case.notebook.cells) - 1
    cell = case.notebook.cells[last] if last >= 0 else None
    if cell is None or cell.cell_type != "markdown" or not cell.source.startswith("## Try next\n"):
        yield Fault(last, "the last cell must be text that begins with '## Try next'")
        return
    items = re.findall(r"^- .+", cell.source, re.MULTILINE)
    if not TRY_NEXT[0] <= len(items) <= TRY_NEXT[1]:
        yield Fault(
            last, f"'Try next' must list {TRY_NEXT[0]} to {TRY_NEXT[1]} things, not {len(items)}"
        )
    if not re.search(r"\]\(\w+\.ipynb\)", cell.source):
        yield Fault(last, "'Try next' must link to another notebook: [`name`](name.ipynb)")


def links(case: Case) -> Iterator[Fault]:
    """Links to files, and notebooks that are named, exist."""
    for number, cell in enumerate(case.notebook.cells):
        if cell.cell_type != "markdown":
            continue
        targets = set(re.findall(r"\]\((?!https?://|#)([^)#\s]+)", cell.source))
        targets |= set(re.findall(r"`(\d\d_\w+\.ipynb)`", cell.source))
        for target in sorted(targets):
            if not (case.folder / target).exists():
                yield Fault(number, f"there is no {target} to go to")
        if re.search(r"!\[\s*\]\(", cell.source):
            yield Fault(number, "a picture needs a description in its brackets: ![…](…)")


def running(case: Case) -> Iterator[Fault]:
    """It was run from top to bottom, and nothing complained."""
    for expected, (number, cell) in enumerate(code_cells(case.notebook), start=1):
        if cell.execution_count != expected:
            yield Fault(
                number,
                f"it was run as number {cell.execution_count}, not {expected}:"
                f" python -m tests.notebooks run {case.name}",
            )
        for output in cell.outputs:
            if output.output_type == "error":
                yield Fault(number, f"it raised {output.ename}: {output.evalue}")
            elif output.output_type == "stream" and output.name == "stderr":
                yield Fault(number, f"it wrote to stderr: {output.text.strip()[:200]}")


#: Where this machine keeps things, and where objects lie in its memory.
_OF_A_MACHINE = (
    (re.compile(r"(?<![\w.>/])/(?:home|tmp|work|root|Users|var|opt|usr|mnt|content)/"), "a path"),
    (re.compile(r"\b[A-Za-z]:\\{1,2}\w"), "a path"),
    (re.compile(r"\b0x[0-9a-f]{8,16}\b"), "an address in memory"),
)


def machine(case: Case) -> Iterator[Fault]:
    """Nothing tells which machine it ran on."""
    for number, cell in enumerate(case.notebook.cells):
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), IN_HTML.sub("", data_of(output).get("text/html", ""))]
            texts.append(data_of(output).get("text/plain", ""))
        for pattern, what in _OF_A_MACHINE:
            found = next((one for one in map(pattern.search, texts) if one), None)
            if found is not None:
                around = found.string[max(0, found.start() - 10) : found.end() + 30]
                yield Fault(number, f"{what} of one machine: …{around}… (print names, not places)")


def size(case: Case) -> Iterator[Fault]:
    """It opens quickly, also on GitHub."""
    if case.size > MOST_BYTES:
        yield Fault(
            None,
            f"{case.size / 1e6:.2f} MB are too many, the most are"
            f" {MOST_BYTES / 1e6:g} MB: make figures smaller (dpi, side=)",
        )


def shown(case: Case) -> Iterator[Fault]:
    """There are pictures, and there is something on them."""
    count = 0
    for number, cell in code_cells(case.notebook):
        for output in cell.outputs:
            data = data_of(output)
            for encoded in encoded_in(data):
                count += 1
                try:
                    picture = measured(encoded)
                except ValueError as error:
                    yield Fault(number, str(error))
                    continue
                if min(picture.width, picture.height) < 2 or picture.colours < 2:
                    yield Fault(
                        number,
                        f"a picture of {picture.width} × {picture.height} pixels shows nothing",
                    )
            html = IN_HTML.sub("", data.get("text/html", ""))
            if any(not re.search(r'\balt="[^"]', tag) for tag in re.findall(r"<img\b[^>]*", html)):
                yield Fault(number, 'a picture in HTML needs a description: alt="…"')
    if count < FEWEST_PICTURES:
        yield Fault(None, f"it must show at least {FEWEST_PICTURES} pictures, not {count}")


def compared(case: Case) -> Iterator[Fault]:
    """What is not compared says why."""
    for number, cell in code_cells(case.notebook):
        tags = cell.metadata.get("tags", [])
        reason = cell.metadata.get("unchecked_because")
        if IGNORED in tags and not reason:
            yield Fault(
                number,
                f"the tag {IGNORED} needs a reason in the cell's metadata:"
                ' "unchecked_because": "…"',
            )
        if reason and IGNORED not in tags:
            yield Fault(number, f"a reason not to compare it, but no tag {IGNORED}")
        for tag in sorted(set(tags) - {IGNORED}):
            yield Fault(number, f"the tag {tag} is not known here")
        if re.search(r"^\s*#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source, re.MULTILINE):
            yield Fault(number, f"a reader should not meet marks for tests: use the tag {IGNORED}")


RULES: tuple[Rule, ...] = (
    opening,
    installing,
    ending,
    links,
    running,
    machine,
    size,
    shown,
    compared,
)
