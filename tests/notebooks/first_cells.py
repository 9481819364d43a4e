"""What every notebook begins with: badges and the cell that installs."""

from __future__ import annotations

import re
from pathlib import Path

from .files import ROOT

#: The extras a notebook needs beyond the usual.
EXTRAS = {"03_sam_prompts.ipynb": "fast,sam", "11_batch_and_dask.ipynb": "fast,batch"}

#: In pyproject.toml: the one place that says where the repository lives.
REPOSITORY = re.compile(
    r'^Repository = "https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?"$', re.MULTILINE
)

# What pip says when it fails fills a screen and is no help to most: it is silenced, and the last
# line says in one sentence how to see it. xxhash stands for all that vde-nb needs: a notebook that
# runs in the folder of the clone finds the package there although it was never installed.
_INSTALL = """\
# Where vde-nb is missing, this installs it: from this clone, or else from GitHub (as on Colab).
import importlib.util
from pathlib import Path

if None in map(importlib.util.find_spec, ("vde_nb", "xxhash")):
    clone = [up for up in ("..", ".") if Path(up, "vde_nb").is_dir()]
    clone = [up for up in clone if Path(up, "pyproject.toml").is_file()]
    source = f"{{clone[0]}}[{extras}]" if clone else "vde-nb[{extras}] @ git+https://github.com/{home}"
    %pip install -qqq "{{source}}"
    if None in map(importlib.util.find_spec, ("vde_nb", "xxhash")):
        why, page = f'%pip install "{{source}}"', "https://github.com/{home}#troubleshooting"
        raise ImportError(f"vde-nb could not be installed: {{why}} tells why, {{page}} what to do.")
""".rstrip()

_BADGES = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{home}/blob/main/notebooks/{name}) "
    "[![Binder](https://mybinder.org/badge_logo.svg)]"
    "(https://mybinder.org/v2/gh/{home}/main?labpath=notebooks%2F{name})"
)


def home(root: Path = ROOT) -> str:
    """Where the repository lives on GitHub, as ``owner/name``.

    Raises
    ------
    ValueError
        ``pyproject.toml`` does not say.
    """
    found = REPOSITORY.search((root / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(
            "pyproject.toml does not say where the repository lives: it needs a line"
            ' Repository = "https://github.com/OWNER/NAME" below [project.urls]'
        )
    return found[1]


def install_cell(name: str, home: str) -> str:
    """The cell that installs vde-nb where it is missing, for the notebook of a file name."""
    return _INSTALL.format(extras=EXTRAS.get(name, "fast"), home=home)


def badges(name: str, home: str) -> str:
    """The line with the badges of Colab and Binder, for the notebook of a file name."""
    return _BADGES.format(home=home, name=name)
