"""Weights are found where they are, downloaded whole or not at all, and checked."""

from __future__ import annotations

import argparse
import errno
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import xxhash

from vde_nb import _cli_weights
from vde_nb._progress import listening
from vde_nb.errors import SettingError, WeightsError
from vde_nb.segment import _digests, _download, _partial, weights
from vde_nb.segment._download import FetchError, fetch
from vde_nb.segment.models import MODELS, Model
from vde_nb.segment.weights import (
    Weights,
    download,
    find,
    folders,
    note,
    obtain,
    problem,
    verify,
)

CONTENT = bytes(range(256)) * 12000  # 3 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
VARIABLES = (
    "VDE_NB_WEIGHTS VDE_NB_OFFLINE HF_HUB_OFFLINE HF_ENDPOINT HF_HUB_CACHE HUGGINGFACE_HUB_CACHE"
)

links_needed = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


class Server:
    """A web server on this machine that can be made to misbehave."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/sam.pth": CONTENT}
        self.etag = '"one"'
        self.ranges = True
        self.cut: list[int] = []  # for each of the next answers: bytes after which it breaks off
        self.answers: list[int] = []  # for each of the next answers: its status instead
        self.forward: dict[str, tuple[str, dict[str, str]]] = {}
        self.kind = "application/octet-stream"
        self.linked: dict[str, str] = {}  # checksums that bodies come with, as of a mirror
        self.half: Callable[[], Any] = lambda: None  # called in the middle of each body
        self.seen: list[Any] = []  # the headers of each request
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                server.seen.append(self.headers)
                server.answer(self)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        if self.answers:
            return to.send_error(self.answers.pop(0))
        if to.path in self.forward:
            where, headers = self.forward[to.path]
            to.send_response(302)
            for name, value in {"Location": where, **headers}.items():
                to.send_header(name, value)
            return to.end_headers()
        if to.path not in self.files:
            return to.send_error(404)
        body, start = self.files[to.path], 0
        wanted = to.headers.get("Range")
        if wanted and self.ranges and to.headers.get("If-Range") == self.etag:
            start = int(wanted[len("bytes=") : -1])
        if start >= len(body):
            to.send_response(416)
            to.send_header("Content-Range", f"bytes */{len(body)}")
            return to.end_headers()
        to.send_response(206 if start else 200)
        if start:
            to.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        to.send_header("Content-Length", str(len(body) - start))
        to.send_header("Content-Type", self.kind)
        if self.etag:
            to.send_header("ETag", self.etag)
        if to.path in self.linked:
            to.send_header("X-Linked-ETag", self.linked[to.path])
        to.end_headers()
        end = self.cut.pop(0) if self.cut else len(body)
        middle = (start + end) // 2
        try:
            to.wfile.write(body[start:middle])
            self.half()
            to.wfile.write(body[middle:end])
        except OSError:
            pass  # whoever asked has gone
        return None


class Place(NamedTuple):
    """An empty machine: nothing is set, nothing is kept."""

    cache: Path
    hub: Path
    server: Server
    model: Model

    @property
    def folder(self) -> Path:
        return self.cache / "weights"

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def get(self) -> Weights:
        return download(self.model, schemes=("http",))

    def unchecked(self) -> bytes:
        """The same file when nobody knows its checksum."""
        target = self.folder / "sam.pth"
        fetch(self.model.address, target, what="SAM test", schemes=("http",), unchecked=True)
        return target.read_bytes()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name in VARIABLES.split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(_download, "_PAUSE", 0.001)
    server = Server()
    yield Place(tmp_path / "cache", tmp_path / "hf" / "hub", server, plain(server))
    server.close()


def plain(server: Server, **facts: Any) -> Model:
    given = {"file": "sam.pth", "digest": f"sha256:{SHA256}", "address": f"{server.url}/sam.pth"}
    return Model(
        "sam_test", "SAM test", "SAM", "segment_anything", "vit_b", 1.0, 3, "MIT", **given | facts
    )


def on_the_hub(**facts: Any) -> Model:
    given = {"file": "model.safetensors", "address": "https://huggingface.co/org/sam-x"}
    return Model(
        *("sam_x", "SAM X", "SAM 2", "transformers", "Sam2Model", 0.0, 0, "MIT"),
        repo="org/sam-x",
        **given | facts,
    )


def safetensors(**shapes: int) -> bytes:
    """The smallest file of its kind: float32 zeros."""
    header: dict[str, Any] = {}
    end = 0
    for name, count in (shapes or {"weight": 4}).items():
        header[name] = {"dtype": "F32", "shape": [count], "data_offsets": [end, end + 4 * count]}
        end += 4 * count
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


def model_folder(folder: Path, kind: str = "sam2", **shapes: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "model.safetensors").write_bytes(safetensors(**shapes))
    return folder


# --- downloading


def test_a_download_is_whole_checked_and_leaves_nothing_else(place: Place) -> None:
    found = place.get()
    assert found == Weights(place.model, place.folder / "sam.pth", "cache")
    assert found.path.read_bytes() == CONTENT
    assert place.names() == ["sam.pth"]
    assert find(place.model) == found == obtain(place.model)
    place.get()
    assert len(place.server.seen) == 1, "what is here is not downloaded again"


def test_a_download_by_force_replaces_what_is_there(place: Place) -> None:
    place.folder.mkdir(parents=True)
    (place.folder / "sam.pth").write_bytes(b"old")
    with pytest.raises(WeightsError, match="download sam_test --force"):
        place.get()
    download(place.model, force=True, schemes=("http",))
    assert (place.folder / "sam.pth").read_bytes() == CONTENT


def test_an_interrupt_leaves_a_part_that_the_next_attempt_goes_on_with(place: Place) -> None:
    def interrupt(text: str, share: float | None) -> None:
        if share is not None and share > 0.3:
            raise KeyboardInterrupt

    place.server.half = lambda: time.sleep(0.1)  # reports are told once in a while only
    with pytest.raises(KeyboardInterrupt), listening(interrupt):
        place.get()
    assert place.names() == ["sam.pth.part", "sam.pth.part.json"]
    have = (place.folder / "sam.pth.part").stat().st_size
    assert len(CONTENT) * 0.3 < have < len(CONTENT)
    assert find(place.model) is None
    assert place.get().path.read_bytes() == CONTENT
    assert place.names() == ["sam.pth"]
    assert place.server.seen[-1]["Range"] == f"bytes={have}-"
    assert place.server.seen[-1]["If-Range"] == '"one"'


def test_progress_is_told_to_whoever_listens(place: Place) -> None:
    told: list[tuple[str, float | None]] = []
    with listening(lambda text, share: told.append((text, share))):
        place.get()
    shares = [share for text, share in told if "downloading 3.1 MB" in text]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert told[-1] == ("SAM test: checking", 1.0)


def test_on_a_terminal_there_is_a_bar(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    place.get()
    assert "SAM test: 100%" in sys.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_taken_up_again(place: Place, ranges: bool) -> None:
    place.server.cut = [10**6, 2 * 10**6]
    place.server.ranges = ranges
    assert place.get().path.read_bytes() == CONTENT
    asked = [headers.get("Range") for headers in place.server.seen]
    assert asked == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_connection_that_breaks_every_time_is_given_up_but_not_forgotten(place: Place) -> None:
    place.server.cut = [10**6] * 9
    with pytest.raises(WeightsError, match=r"ended after 1\.0 MB of 3\.1 MB"):
        place.get()
    assert place.names() == ["sam.pth.part", "sam.pth.part.json"]
    place.server.cut = []
    assert place.get().path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EHOSTUNREACH, "No route to host"),
        OSError(errno.ENETDOWN, "Network is down"),
        ssl.SSLError(1, "decryption failed or bad record mac"),
    ],
)
def test_a_network_that_goes_down_is_not_taken_for_the_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    faults, read = [error] * 3, http.client.HTTPResponse.read1

    def fail(self: http.client.HTTPResponse, size: int = -1) -> bytes:
        if self.length is not None and self.length < len(CONTENT) and faults:
            raise faults.pop()
        return read(self, size)

    monkeypatch.setattr(http.client.HTTPResponse, "read1", fail)
    assert place.get().path.read_bytes() == CONTENT
    assert faults == []
    (place.folder / "sam.pth").unlink()
    faults += [error] * 9
    with pytest.raises(WeightsError, match=r"the connection broke after .*" + error.args[1]):
        place.get()


@pytest.mark.parametrize("etag", ['"two"', 'W/"one"', ""])
def test_a_file_that_changed_meanwhile_is_downloaded_from_the_beginning(
    place: Place, etag: str
) -> None:
    place.server.files["/sam.pth"] = b"x" * len(CONTENT)
    place.server.cut = [10**6] * 4
    place.server.etag = '"one"' if etag == '"two"' else etag
    with pytest.raises(FetchError, match="ended after"):
        place.unchecked()
    place.server.files["/sam.pth"], place.server.etag = CONTENT, etag
    assert place.unchecked() == CONTENT


@pytest.mark.parametrize("have", [b"x" * 10**6, b"x" * 2 * len(CONTENT)])
@pytest.mark.parametrize("address", ["", "https://elsewhere.example/sam.pth"])
def test_a_part_of_another_file_is_not_gone_on_with(
    place: Place, have: bytes, address: str
) -> None:
    if not address and len(have) < len(CONTENT):
        place.server.etag = '"two"'
    place.folder.mkdir(parents=True)
    (place.folder / "sam.pth.part").write_bytes(have)
    (place.folder / "sam.pth.part.json").write_text(
        json.dumps({"address": address or place.model.address, "validator": '"one"'})
    )
    assert place.unchecked() == CONTENT


def test_a_server_that_goes_on_with_another_file_is_not_believed(place: Place) -> None:
    place.server.cut = [10**6] * 4
    with pytest.raises(FetchError):
        place.unchecked()
    other = b"x" * len(CONTENT)
    place.server.files["/sam.pth"], place.server.etag = other, '"two"'
    answer = place.server.answer

    def obey(to: BaseHTTPRequestHandler) -> None:
        """Send the part that is asked for, though not of the file that is asked for."""
        if "If-Range" in to.headers:
            to.headers.replace_header("If-Range", '"two"')
        answer(to)

    place.server.answer = obey  # type: ignore[method-assign]
    assert place.unchecked() == other


def test_when_all_had_arrived_nothing_is_sent_again(place: Place) -> None:
    place.folder.mkdir(parents=True)
    (place.folder / "sam.pth.part").write_bytes(CONTENT)
    (place.folder / "sam.pth.part.json").write_text(
        json.dumps({"address": place.model.address, "validator": '"one"'})
    )
    assert place.get().path.read_bytes() == CONTENT
    assert place.names() == ["sam.pth"]
    assert len(place.server.seen) == 1


@pytest.mark.parametrize("validator", ['"one"', '"one"\r\nX: y', None, 3])
def test_a_part_with_wrong_bytes_costs_a_second_download_not_the_weights(
    place: Place, validator: Any
) -> None:
    place.folder.mkdir(parents=True)
    (place.folder / "sam.pth.part").write_bytes(b"x" * 10**6)
    (place.folder / "sam.pth.part.json").write_text(
        json.dumps({"address": place.model.address, "validator": validator})
    )
    assert place.get().path.read_bytes() == CONTENT


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "md5:000000"])
def test_a_wrong_checksum_is_said_and_nothing_kept(place: Place, digest: str) -> None:
    with pytest.raises(WeightsError, match=r"is not the file: its (MD5|SHA256) is") as caught:
        download(plain(place.server, digest=digest), schemes=("http",))
    assert (MD5 if digest.startswith("md5") else SHA256) in str(caught.value)
    assert place.names() == []


def test_the_beginning_of_a_checksum_will_do(place: Place) -> None:
    found = download(plain(place.server, digest=f"md5:{MD5[:6]}"), schemes=("http",))
    assert found.path.read_bytes() == CONTENT


def test_a_full_disk_is_said_before_and_while_it_fills(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(place.cache.parent)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
        with pytest.raises(WeightsError, match=r"not enough space: 1\.0 MB free .*3\.1 MB needed"):
            place.get()
    assert place.names() == []

    def full(file: Any, chunk: bytes) -> int:
        if os.fstat(file.fileno()).st_size > 10**6:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(file.write(chunk))

    monkeypatch.setattr(_download, "_write", full)
    with pytest.raises(WeightsError, match="no space left on device"):
        place.get()
    assert place.names() == [], "the space belongs to others"


def test_a_folder_that_cannot_be_written_to_is_said(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.cache.mkdir()
    place.folder.write_text("a file has the folder's name")
    with pytest.raises(WeightsError, match="VDE_NB_CACHE names another folder"):
        place.get()
    place.folder.unlink()

    def refuse(*_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(_partial.os, "open", refuse)
    with pytest.raises(WeightsError, match=r"weights cannot be written to \(permission denied\)"):
        place.get()


@links_needed
def test_links_are_followed_to_weights_but_not_to_a_part(place: Place, tmp_path: Path) -> None:
    place.folder.mkdir(parents=True)
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (place.folder / "sam.pth").symlink_to(tmp_path / "nowhere")
    assert find(place.model) is None, "a link to nowhere is not there"
    (place.folder / "sam.pth.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WeightsError, match="cannot be written to"):
        place.get()
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
    (place.folder / "sam.pth").unlink()
    (place.folder / "sam.pth").symlink_to(tmp_path / "elsewhere")
    assert find(place.model) == Weights(place.model, place.folder / "sam.pth", "cache")


@links_needed
def test_links_in_place_of_notes_are_replaced_and_not_followed(hub: Place, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    folder = hub.folder / "sam_x"
    folder.mkdir(parents=True)
    for name in ("config.json.part.json", "model.safetensors.part.json"):
        (folder / name).symlink_to(precious)
    (folder / "model.safetensors.sha256").symlink_to(precious)
    download(on_the_hub(), schemes=("http",))
    assert precious.read_bytes() == b"precious"
    said = folder / "model.safetensors.sha256"
    assert not said.is_symlink()
    assert said.read_text().endswith("  model.safetensors\n")


def test_a_blocked_network_says_address_file_and_folder_and_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:  # a port where nobody listens
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/sam.pth"
    waits: list[float] = []
    monkeypatch.setattr(_download, "_wait", lambda seconds, _: waits.append(seconds))
    with pytest.raises(WeightsError) as caught:
        download(plain(place.server, address=address), schemes=("http",))
    for part in (
        "the network does not lead there",
        f"Address: {address}",
        f"put sam.pth into {place.folder}",
    ):
        assert part in str(caught.value)
    assert "graphcut" not in str(caught.value), "what is used meanwhile, others say"
    assert place.names() == []
    assert waits == [], "nobody waits for what is blocked"


@pytest.mark.parametrize(
    ("status", "tries", "told"), [(404, 1, "404"), (503, 4, "503"), (429, 4, "429")]
)
def test_a_server_that_refuses_is_asked_again_only_if_it_may_change_its_mind(
    place: Place, status: int, tries: int, told: str
) -> None:
    place.server.answers = [status] * tries
    with pytest.raises(WeightsError, match=f"the server answers {told}"):
        place.get()
    assert len(place.server.seen) == tries
    assert place.names() == []


def test_the_page_of_a_network_that_wants_a_login_is_not_taken_for_weights(place: Place) -> None:
    place.server.kind = "text/html"
    with pytest.raises(WeightsError, match="answers with a web page"):
        place.get()


@pytest.mark.parametrize("variable", ["VDE_NB_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(WeightsError, match=f"{variable}=1 forbids it"):
        place.get()
    assert place.server.seen == []


def test_only_https_is_asked_and_followed(place: Place) -> None:
    with pytest.raises(WeightsError, match="is not an address that begins with https"):
        download(place.model)
    assert place.server.seen == []
    for elsewhere in ("ftp://127.0.0.1/x", "file:///etc/passwd", "https://127.0.0.1:1/x"):
        place.server.forward = {"/sam.pth": (elsewhere, {})}
        with pytest.raises(WeightsError, match=r"that begins with https|is not allowed"):
            place.get()
    assert all(model.address.startswith("https://") for model in MODELS.values())


def test_a_second_process_waits_and_finds_the_work_done(place: Place) -> None:
    go_on = threading.Event()
    place.server.half = lambda: go_on.wait(20)
    first = threading.Thread(target=place.get)
    first.start()
    code = f"""
import sys
from vde_nb._progress import listening
from vde_nb.segment.models import Model
from vde_nb.segment.weights import download
model = Model("sam_test", "SAM test", "SAM", "segment_anything", "vit_b", 1.0, 3, "MIT",
              file="sam.pth", address={place.model.address!r}, digest={place.model.digest!r})
with listening(lambda text, share: print(text, flush=True)):
    download(model, schemes=("http",))
print("done")
"""
    second = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert second.stdout
    assert "another process is downloading it" in second.stdout.readline()
    go_on.set()
    rest = second.stdout.read()
    second.stdout.close()
    assert second.wait(20) == 0
    first.join(20)
    assert rest.endswith("done\n")
    assert len(place.server.seen) == 1
    assert place.names() == ["sam.pth"]
    assert (place.folder / "sam.pth").read_bytes() == CONTENT


# --- the hub


@pytest.fixture
def hub(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The server plays the hub: it forwards to another host, and names the checksum."""
    monkeypatch.setenv("HF_ENDPOINT", place.server.url)
    content = safetensors(weight=1000)
    place.server.files = {
        "/org/sam-x/resolve/main/config.json": b'{"model_type": "sam2"}',
        "/store": content,
    }
    named = {"X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
    elsewhere = f"http://localhost:{place.server.port}/store"
    place.server.forward = {"/org/sam-x/resolve/main/model.safetensors": (elsewhere, named)}
    return place


def test_a_model_of_the_hub_is_a_folder_checked_by_what_the_hub_says(hub: Place) -> None:
    found = download(on_the_hub(), schemes=("http",))
    assert found == Weights(on_the_hub(), hub.folder / "sam_x", "cache") == find(on_the_hub())
    names = sorted(path.name for path in found.path.iterdir())
    assert names == ["config.json", "model.safetensors", "model.safetensors.sha256"]
    pytest.importorskip("safetensors")
    assert verify(found) == ""
    damaged = bytearray((found.path / "model.safetensors").read_bytes())
    damaged[-1] ^= 1
    (found.path / "model.safetensors").write_bytes(damaged)
    assert "is not the published file: its SHA-256 is" in verify(found)


def test_what_the_hub_says_and_sends_must_agree(hub: Place) -> None:
    hub.server.files["/store"] = safetensors(weight=999)
    with pytest.raises(WeightsError, match="is not the file: its SHA256 is"):
        download(on_the_hub(), schemes=("http",))
    assert find(on_the_hub()) is None


def test_weights_that_nobody_names_a_checksum_of_are_not_taken(hub: Place) -> None:
    """A mirror may answer itself, without the hub's word on what the file is."""
    path, content = "/org/sam-x/resolve/main/model.safetensors", hub.server.files["/store"]
    hub.server.forward.clear()
    hub.server.files[path] = content
    with pytest.raises(WeightsError, match=r"names no checksum, .*HF_ENDPOINT"):
        download(on_the_hub(), schemes=("http",))
    assert find(on_the_hub()) is None
    named = hashlib.sha256(content).hexdigest()
    known = on_the_hub(digest=f"sha256:{named}")
    assert find(download(known, schemes=("http",)).model), "we know it"
    shutil.rmtree(hub.folder)
    hub.server.linked[path] = f'"{named}"'
    found = download(on_the_hub(), schemes=("http",))
    assert (found.path / "model.safetensors.sha256").read_text().startswith(named)
    hub.server.files[path] = safetensors(weight=999)
    with pytest.raises(WeightsError, match="is not the file: its SHA256 is"):
        download(on_the_hub(), force=True, schemes=("http",))


def test_a_part_that_is_whole_is_not_taken_without_a_checksum_either(hub: Place) -> None:
    path, content = "/org/sam-x/resolve/main/model.safetensors", hub.server.files["/store"]
    hub.server.forward.clear()
    hub.server.files[path] = content
    folder = hub.folder / "sam_x"
    folder.mkdir(parents=True)
    (folder / "model.safetensors.part").write_bytes(content)
    (folder / "model.safetensors.part.json").write_text(
        json.dumps({"address": hub.server.url + path, "validator": '"one"'})
    )
    with pytest.raises(WeightsError, match="names no checksum"):
        download(on_the_hub(), schemes=("http",))


def test_a_revision_is_asked_for_by_its_name(hub: Place) -> None:
    with pytest.raises(WeightsError, match="404"):
        download(on_the_hub(revision="a" * 40), schemes=("http",))


def test_the_key_of_the_hub_goes_to_the_hub_only_and_only_where_it_is_needed(
    hub: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_token", lambda: "secret")
    download(on_the_hub(access="ask"), schemes=("http",))
    hosts = {headers["Host"].partition(":")[0]: headers for headers in hub.server.seen}
    assert hosts["127.0.0.1"]["Authorization"] == "Bearer secret"
    assert hosts["localhost"]["Authorization"] is None
    hub.server.seen.clear()
    download(on_the_hub(), force=True, schemes=("http",))
    assert not any("Authorization" in headers for headers in hub.server.seen)


def test_a_model_that_must_be_asked_for_says_how(hub: Place) -> None:
    hub.server.answers = [401]
    with pytest.raises(WeightsError, match=r"only to those who asked .*401.*: accept its licence"):
        download(on_the_hub(access="accept its licence"), schemes=("http",))
    assert "hf auth login" in MODELS["sam3_tracker"].access


def snapshot(hub: Path, commit: str, *, link: bool = True) -> Path:
    """A model as the hub's library keeps it."""
    folder = hub / "models--org--sam-x"
    made = model_folder(folder / "snapshots" / commit)
    if link:
        content = (made / "model.safetensors").read_bytes()
        blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(content)
        (made / "model.safetensors").unlink()
        (made / "model.safetensors").symlink_to(Path("../../blobs") / blob.name)
    return made


@links_needed
def test_the_cache_of_the_hub_is_looked_through(place: Place) -> None:
    a, b, c = (letter * 40 for letter in "abc")
    assert find(on_the_hub()) is None
    for commit in (a, b, c):
        snapshot(place.hub, commit)
        os.utime(place.hub / "models--org--sam-x/snapshots" / commit, (0, "abc".index(commit[0])))
    folder = place.hub / "models--org--sam-x"

    def found(**facts: Any) -> str:
        one = find(on_the_hub(**facts))
        assert one is not None
        assert one.where == "hub cache"
        return one.path.name

    assert found() == c, "the newest"
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(b)
    assert found() == b, "the main branch"
    assert found(revision=a) == a, "the one that was pinned"
    (folder / "refs/main").write_text("../../../elsewhere")
    model_folder(place.hub.parent / "elsewhere")
    assert found() == c
    (folder / "snapshots" / c / "config.json").unlink()
    assert found() == b, "one that is complete"


@links_needed
def test_in_the_cache_of_the_hub_a_blob_is_called_by_its_checksum(place: Place) -> None:
    pytest.importorskip("safetensors")
    made = snapshot(place.hub, "a" * 40)
    found = find(on_the_hub())
    assert found is not None
    assert verify(found) == ""
    blob = (made / "model.safetensors").resolve()
    blob.write_bytes(safetensors(weight=5))
    assert "is not the published file" in verify(found)
    blob.unlink()
    assert find(on_the_hub()) is None
    assert "only a part of them is there" in verify(found)
    with pytest.raises(WeightsError, match="only a part"):
        found.digest  # noqa: B018


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"HF_HOME": "{}/a"}, "a/hub"),
        ({"HF_HOME": "{}/a", "HF_HUB_CACHE": "{}/b"}, "b"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/c"}, "c"),
        ({"HF_HOME": "", "XDG_CACHE_HOME": "{}/d"}, "d/huggingface/hub"),
    ],
)
def test_the_cache_of_the_hub_is_where_its_own_library_looks(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    where: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert folders() == [place.folder, tmp_path / where]


# --- VDE_NB_WEIGHTS


def test_the_variable_may_name_a_file(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sam.pth"
    file.write_bytes(b"weights")
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(file))
    assert find(place.model) == Weights(place.model, file, "VDE_NB_WEIGHTS")
    assert find(plain(place.server, file="other.pth")) is None


@pytest.mark.parametrize("inside", ["sam.pth", "sam_test/sam.pth"])
def test_the_variable_may_name_folders(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    file = tmp_path / "mine" / inside
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    monkeypatch.setenv("VDE_NB_WEIGHTS", os.pathsep.join([str(tmp_path), str(tmp_path / "mine")]))
    assert find(place.model) == Weights(place.model, file, "VDE_NB_WEIGHTS")
    assert folders()[:2] == [tmp_path, tmp_path / "mine"]


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        ("sam_x", ""),
        ("sam-x", ""),
        ("org--sam-x", ""),
        ("org/sam-x", ""),
        ("sam_x", "sam_x"),
        ("sam-x", "sam-x/model.safetensors"),
        (f"models--org--sam-x/snapshots/{'a' * 40}", ""),
        (f"models--org--sam-x/snapshots/{'a' * 40}", f"models--org--sam-x/snapshots/{'a' * 40}"),
    ],
)
def test_the_variable_finds_models_of_the_hub_by_the_names_people_give_them(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, named: str
) -> None:
    made = model_folder(tmp_path / "mine" / folder)
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(tmp_path / "mine" / named))
    assert find(on_the_hub()) == Weights(on_the_hub(), made, "VDE_NB_WEIGHTS")


def test_a_folder_of_another_name_may_hold_another_model(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_folder(tmp_path / "sam-y")
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(tmp_path / "sam-y"))
    assert find(on_the_hub()) is None


def test_nonsense_in_the_variable_is_said_where_weights_are_missing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert note() == ""
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(tmp_path / "nowhere"))
    assert find(place.model) is None
    assert note() == f"VDE_NB_WEIGHTS names {tmp_path / 'nowhere'}, which is not there."
    monkeypatch.setenv("VDE_NB_OFFLINE", "yes")
    with pytest.raises(WeightsError, match="nowhere, which is not there"):
        obtain(place.model)
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(tmp_path))
    assert "holds no weights by the names they have" in note()
    (tmp_path / MODELS["sam_vit_b"].file).write_bytes(b"weights")
    assert note() == ""
    for nonsense in ("", " ", os.pathsep, "\x7f", "~nobody-here/x", "x" * 5000):
        monkeypatch.setenv("VDE_NB_WEIGHTS", nonsense)
        assert find(place.model) is None
        assert isinstance(note(), str)


def test_a_cache_folder_that_makes_no_sense_is_no_place_to_find_weights(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sam.pth"
    file.write_bytes(CONTENT)
    monkeypatch.setattr(_digests, "_LARGE", 1000)
    monkeypatch.setattr(_digests, "_known", {})
    monkeypatch.setenv("VDE_NB_CACHE", "~nobody-here/x")
    assert find(place.model) is None
    assert folders() == [place.hub]
    for offline in ("", "1"):
        monkeypatch.setenv("VDE_NB_OFFLINE", offline)
        with pytest.raises(WeightsError, match=r"cannot be downloaded: VDE_NB_CACHE='~nobody-here"):
            place.get()
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(file))
    found = find(place.model)
    assert found == Weights(place.model, file, "VDE_NB_WEIGHTS")
    assert found.digest == xxhash.xxh3_128(CONTENT).hexdigest()


# --- checking


def test_verify_says_what_is_wrong(place: Place) -> None:
    found = place.get()
    assert verify(found) == ""
    found.path.write_bytes(CONTENT[:-1] + b"x")
    assert verify(found).startswith(f"{found.path} is not the published file: its SHA-256 is")
    found.path.write_bytes(CONTENT[:1000])
    assert "is not the published file" in verify(found)
    unknown = Weights(plain(place.server, digest=""), found.path, "cache")
    assert verify(unknown) == f"{found.path} is cut off, or another file: 0 of 3 MB."
    found.path.unlink()
    assert "is not at" in verify(found)


def test_a_file_with_the_right_checksum_is_right_whatever_size_the_table_says(
    place: Place,
) -> None:
    found = place.get()
    assert verify(replace(found, model=replace(place.model, megabytes=300))) == ""


def test_verify_looks_into_the_configuration(place: Place, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    found = Weights(on_the_hub(), model_folder(tmp_path / "m", "sam_hq"), "cache")
    assert "holds a SamHQModel, and SAM X is a Sam2Model" in verify(found)
    (found.path / "config.json").write_text("{")
    assert "config.json cannot be read" in verify(found)


def test_a_wrong_file_with_the_right_name_is_not_used(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "mine" / "sam.pth"
    wrong.parent.mkdir()
    wrong.write_bytes(CONTENT[::-1])
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(wrong))
    other = hashlib.sha256(CONTENT[::-1]).hexdigest()
    for get in (obtain, download):
        with pytest.raises(WeightsError) as caught:
            get(place.model)
        assert str(caught.value) == (
            f"{wrong} is not the published file: its SHA-256 is {other}, not {SHA256}. Delete it, "
            "or unset VDE_NB_WEIGHTS; then run `vde-nb weights download sam_test`."
        )
    wrong.write_bytes(CONTENT)
    os.utime(wrong, (1, 1))
    assert obtain(place.model).path == wrong
    assert place.server.seen == []


def test_a_file_that_a_user_added_is_held_against_nothing(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "sam.pth"
    file.write_bytes(b"mine")
    assert obtain(plain(place.server, path=file)).path == file
    assert problem(Weights(plain(place.server, path=file), file, "given")) == ""


def test_weights_nobody_knows_a_checksum_of_must_have_their_size(place: Place) -> None:
    model_folder(place.folder / "sam_x")
    assert obtain(on_the_hub()).where == "cache"
    with pytest.raises(WeightsError, match="is cut off, or another file: 0 of 39 MB"):
        obtain(replace(on_the_hub(), megabytes=39))


def test_what_the_hub_said_when_it_was_downloaded_is_remembered_against_it(hub: Place) -> None:
    found = download(on_the_hub(), schemes=("http",))
    assert problem(found) == ""
    file = found.path / "model.safetensors"
    file.write_bytes(safetensors(weight=999))
    assert "is not the published file" in problem(found)


@links_needed
def test_in_the_cache_of_the_hub_a_later_version_is_right_too(place: Place) -> None:
    made = snapshot(place.hub, "a" * 40)
    model = on_the_hub(digest="sha256:" + "0" * 64)
    assert obtain(model).path == made
    (made / "model.safetensors").resolve().write_bytes(safetensors(weight=5))
    with pytest.raises(WeightsError, match="is not the published file"):
        obtain(model)


def test_a_large_file_is_checked_once_and_the_verdict_outlives_the_process(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_digests, "_LARGE", 1000)
    monkeypatch.setattr(_digests, "_known", {})
    read, reads = _digests._read, []

    def count(*how: Any) -> str:
        reads.append(how)
        return read(*how)

    monkeypatch.setattr(_digests, "_read", count)
    here = [Weights(place.model, tmp_path / name, "VDE_NB_WEIGHTS") for name in ("a", "b")]
    here[0].path.write_bytes(CONTENT)
    here[1].path.write_bytes(CONTENT[::-1])
    assert [problem(one, read=False) for one in here] == ["", ""], "nobody has looked yet"
    assert reads == []
    told: list[tuple[str, float | None]] = []
    with listening(lambda text, share: told.append((text, share))):
        verdicts = [problem(one) for one in here]
    assert verdicts[0] == "" and "is not the published file" in verdicts[1]
    assert told[-1] == ("SAM test: checking the weights", 1.0)
    for _ in range(2):
        assert [problem(one) for one in here] == verdicts
        assert [problem(one, read=False) for one in here] == verdicts
        monkeypatch.setattr(_digests, "_known", {})
    assert len(reads) == 2
    assert len(here[0].digest) == 32, "another checksum of the same file"
    assert problem(here[0]) == "" and len(reads) == 3


def test_a_download_is_not_read_again_to_be_checked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = place.get()
    monkeypatch.setattr(_digests, "_read", None)
    assert problem(found) == ""


def test_where_no_verdict_can_be_remembered_it_is_the_same(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_digests, "_LARGE", 1000)
    place.cache.write_text("a file has the folder's name")
    file = tmp_path / "sam.pth"
    file.write_bytes(CONTENT)
    assert problem(Weights(place.model, file, "VDE_NB_WEIGHTS")) == ""
    file.write_bytes(CONTENT[:-1])
    assert "published" in problem(Weights(place.model, file, "VDE_NB_WEIGHTS"))


@pytest.mark.parametrize("half", ["config.json", "model.safetensors"])
def test_half_a_folder_says_which_half_is_missing(
    place: Place, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    monkeypatch.setenv("VDE_NB_OFFLINE", "1")
    made = model_folder(place.folder / "sam_x")
    (made / half).unlink()
    with pytest.raises(WeightsError, match=f"in {made} {half} is missing"):
        obtain(on_the_hub())


# --- which content


def test_the_digest_is_of_the_content_wherever_it_lies(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "sam.pth"
    file.write_bytes(CONTENT)
    here = Weights(place.model, file, "given")
    assert here.digest == place.get().digest == xxhash.xxh3_128(CONTENT).hexdigest()
    file.write_bytes(CONTENT[::-1])
    os.utime(file, (1, 1))
    assert here.digest == xxhash.xxh3_128(CONTENT[::-1]).hexdigest()


def test_the_digest_of_a_folder_is_of_its_weights_and_its_configuration(
    place: Place, tmp_path: Path
) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    model_folder(a), model_folder(b), model_folder(c, "sam2_video")
    digests = [Weights(on_the_hub(), folder, "given").digest for folder in (a, b, c)]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 32


@pytest.mark.parametrize("name", ["preprocessor_config.json", "processor_config.json"])
def test_the_digest_of_a_folder_is_of_how_it_wants_its_input_too(
    place: Place, tmp_path: Path, name: str
) -> None:
    here = Weights(on_the_hub(), model_folder(tmp_path / "m"), "given")
    digests = {here.digest}
    for mean in (0.4, 0.5):
        (here.path / name).write_text(json.dumps({"image_mean": [mean] * 3}))
        os.utime(here.path / name, (mean, mean))
        digests.add(here.digest)
    assert len(digests) == 3


def test_a_later_process_remembers_the_digest_of_large_files(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_digests, "_LARGE", 1000)
    file = tmp_path / "sam.pth"
    file.write_bytes(CONTENT)
    digest = Weights(place.model, file, "given").digest
    reads: list[Path] = []
    monkeypatch.setattr(_digests, "_read", lambda file, *_: reads.append(file) or "0" * 32)
    monkeypatch.setattr(_digests, "_known", {})
    assert Weights(place.model, file, "given").digest == digest
    assert reads == []
    found = file.stat()
    wrong = json.dumps([[str(file), found.st_size, found.st_mtime_ns, "not hex"]])
    entry = [str(file), found.st_size, found.st_mtime_ns, "1" * 32]
    infinite = json.dumps([[*entry[:2], float("inf"), "1" * 32]])
    for damage in ("[", "[[1]]", wrong, "{}", "[3]", "3", infinite, "[" * 10**5, b"\xff\xfe".hex()):
        (place.folder / "digests.json").write_text(damage)
        monkeypatch.setattr(_digests, "_known", {})
        assert Weights(place.model, file, "given").digest == "0" * 32
    (place.folder / "digests.json").write_text(f"[[1], {json.dumps(entry)}, {infinite[1:]}")
    monkeypatch.setattr(_digests, "_known", {})
    assert Weights(place.model, file, "given").digest == "1" * 32, "the other entries hold"


def test_whoever_waits_for_weights_to_be_read_is_told_and_can_be_cancelled(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other, small = (tmp_path / name for name in ("slow.pth", "other.pth", "small.pth"))
    for file in (slow, other, small):
        file.write_bytes(CONTENT)
    known = Weights(place.model, small, "given").digest
    reading, go_on, read = threading.Event(), threading.Event(), _digests._read

    def stop(file: Path, *how: Any) -> str:
        reading.set()
        go_on.wait(20)
        return read(file, *how)

    monkeypatch.setattr(_digests, "_read", stop)
    first = threading.Thread(target=lambda: Weights(place.model, slow, "given").digest)
    first.start()
    assert reading.wait(20)
    told: list[str] = []

    def cancel(text: str, share: float | None) -> None:
        told.append(text)
        raise KeyboardInterrupt

    try:
        assert Weights(place.model, small, "given").digest == known, "what is known waits for none"
        with pytest.raises(KeyboardInterrupt), listening(cancel):
            Weights(place.model, other, "given").digest  # noqa: B018
        assert told == ["SAM test: waiting for weights to be read"]
    finally:
        go_on.set()
        first.join(20)
    assert Weights(place.model, other, "given").digest == known


def test_where_nothing_can_be_remembered_the_digest_is_the_same(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_digests, "_LARGE", 1000)
    place.cache.write_text("a file has the folder's name")
    file = tmp_path / "sam.pth"
    file.write_bytes(CONTENT)
    assert Weights(place.model, file, "given").digest == xxhash.xxh3_128(CONTENT).hexdigest()


# --- the command line


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    _cli_weights.add_options(parser)
    return _cli_weights.run(parser.parse_args(words))


@pytest.fixture
def one(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The only model there is comes from the local server."""

    def over_http(address: str, target: Path, **how: Any) -> str:
        return fetch(address, target, **{**how, "schemes": ("http",)})

    monkeypatch.setattr(weights, "fetch", over_http)
    before = dict(MODELS)
    MODELS.clear()
    MODELS["sam_test"] = place.model
    yield place
    MODELS.clear()
    MODELS.update(before)


def test_the_list_says_where_weights_are_or_how_to_get_them(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.folder.mkdir(parents=True)
    (place.folder / MODELS["sam_vit_b"].file).write_bytes(b"weights")
    assert command("list") == 0
    lines = capsys.readouterr().out.splitlines()
    table = {line.split()[0]: line for line in lines if line}
    assert table["name"].split() == ["name", "title", "for", "licence", "size", "weights"]
    told = " ".join(" ".join(lines).split())  # long sentences are folded
    assert f"damaged, cache: {place.folder}" in told
    assert "vde-nb weights download sam_vit_b --force" in told
    assert table["sam_vit_l"].split()[-5:] == ["Apache-2.0", "1250", "MB", "download", "them"]
    assert table["sam3_tracker"].endswith("download them")
    assert "hf auth login" in "".join(lines)
    assert set(MODELS) <= set(table)


def test_download_then_verify(one: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("verify") == 0
    assert capsys.readouterr().out == "No weights are here.\n"
    assert command("verify", "sam_test") == 1
    assert "not here: vde-nb weights download sam_test" in capsys.readouterr().out
    assert command("download", "sam_test", "sam_test") == 0
    assert f"SAM test: cache: {one.folder / 'sam.pth'}" in capsys.readouterr().out
    assert command("verify") == 0
    assert "sam_test: right" in capsys.readouterr().out
    (one.folder / "sam.pth").write_bytes(CONTENT[::-1])
    assert command("verify", "sam_test") == 1
    told = capsys.readouterr().out
    assert "is not the published file" in told
    assert told.endswith("run `vde-nb weights download sam_test --force`.\n")
    assert command("download", "--force", "sam_test") == command("verify") == 0


def test_a_misspelt_name_is_told_before_anything_is_downloaded(one: Place) -> None:
    with pytest.raises(SettingError, match="Did you mean 'sam_test'"):
        command("download", "sam_test", "sam_tst")
    assert one.server.seen == []


def test_what_cannot_be_downloaded_is_an_error(one: Place) -> None:
    one.server.files = {}
    with pytest.raises(WeightsError, match="404"):
        command("download", "sam_test")


def test_a_wrong_file_is_no_successful_download(
    one: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "sam.pth"
    wrong.write_bytes(b"damaged")
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(wrong))
    with pytest.raises(WeightsError, match="unset VDE_NB_WEIGHTS"):
        command("download", "sam_test")
    assert command("download", "sam_test", "--force") == 0
    assert f"{wrong} goes before it." in capsys.readouterr().out


def test_each_failed_download_has_its_line(
    one: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vde_nb.cli import main

    one.server.files = {}
    monkeypatch.setitem(MODELS, "second", replace(one.model, name="second", title="Second"))
    assert main(["weights", "download", "sam_test", "second"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" cannot")[0] for line in lines] == [
        "vde-nb: error: SAM test",
        "vde-nb: error: Second",
    ]


def test_offline_the_list_does_not_say_to_download(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VDE_NB_OFFLINE", "1")
    assert command("list") == 0
    told = capsys.readouterr().out
    assert "VDE_NB_OFFLINE=1: nothing is downloaded." in told
    assert "ownload them" not in told and "not here" in told
