"""Words of commands that people are told to type."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import pytest

from vde_nb import _console
from vde_nb._console import shell_word


@pytest.mark.parametrize("path", ["today.png", "two words.png", "it's.png", "$HOME/`x`.png", "a&b"])
def test_a_shell_reads_a_word_as_it_was(path, monkeypatch):
    monkeypatch.setattr(_console, "os", SimpleNamespace(name="posix"))
    assert shlex.split(shell_word(path)) == [path]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (r"C:\runs\burr.py", r"C:\runs\burr.py"),
        (r"C:\my runs\burr.py", r'"C:\my runs\burr.py"'),
        ("it's & that.png", '"it\'s & that.png"'),
        ("", '""'),
    ],
)
def test_on_windows_it_is_quoted_as_its_console_reads_it(path, word, monkeypatch):
    monkeypatch.setattr(_console, "os", SimpleNamespace(name="nt"))
    assert shell_word(path) == word
