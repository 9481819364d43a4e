import { test } from "node:test";
import assert from "node:assert/strict";
import {
  UPLOAD_MOST_BYTES,
  UPLOAD_PART_BYTES,
  sendFile,
  uploadParts,
  uploadRefusal,
} from "../../vde_nb/viewer/static/upload.js";
import { droppedSides } from "../../vde_nb/viewer/static/drop.js";

const MB = 1 << 20;
const PART = UPLOAD_PART_BYTES;

function fileOf(size, name = "photo.png", type = "image/png") {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i += 997) bytes[i] = i % 251;
  const blob = new Blob([bytes]);
  return { name, size, type, bytes, slice: (a, b) => blob.slice(a, b) };
}

/** A kernel: `answers` says whether it answers pings, `whole` what it says to the last part. */
function kernel({ answers = true, whole = { ok: true, message: "" } } = {}) {
  const listeners = new Set();
  const links = new Set();
  const heard = { parts: [], cancelled: [], pings: 0, mostAhead: 0, ponged: 0 };
  const say = (content) => listeners.forEach((fn) => fn(content, []));
  return {
    heard,
    say,
    cut: () => links.forEach((fn) => fn("gone")),
    listening: () => listeners.size + links.size,
    host: {
      static: false,
      onMessage(fn) {
        listeners.add(fn);
        return () => listeners.delete(fn);
      },
      onLink(fn) {
        links.add(fn);
        return () => links.delete(fn);
      },
      send(content, buffers = []) {
        if (content.kind === "upload_cancel") heard.cancelled.push(content.id);
        if (content.kind === "upload") {
          heard.parts.push({ ...content, bytes: new Uint8Array(buffers[0]) });
          heard.mostAhead = Math.max(heard.mostAhead, heard.parts.length - heard.ponged);
          if (whole && content.index === content.parts - 1) {
            setTimeout(() => say({ kind: "uploaded", id: content.id, ...whole }), 5);
          }
        }
        if (content.kind === "ping") {
          heard.pings += 1;
          if (!answers) return;
          setTimeout(() => {
            heard.ponged += 1;
            say({ kind: "pong", id: content.id });
          }, 1);
        }
      },
    },
  };
}

test("a file arrives whole, in order, in small parts", async () => {
  const there = kernel();
  const file = fileOf(5 * PART + 17);
  const progress = [];
  const onProgress = (part) => progress.push(part);
  const answer = await sendFile(there.host, "reference", file, { onProgress });
  assert.deepEqual(answer, { ok: true, message: "" });
  const { parts } = there.heard;
  assert.deepEqual(parts.map(({ index }) => index), [0, 1, 2, 3, 4, 5]);
  assert.ok(parts.every(({ bytes }) => bytes.length <= UPLOAD_PART_BYTES));
  assert.ok(parts.every((part) => part.parts === 6 && part.size === file.size));
  assert.equal(new Set(parts.map(({ id }) => id)).size, 1);
  assert.equal(parts[0].side, "reference");
  assert.deepEqual(Buffer.concat(parts.map(({ bytes }) => bytes)), Buffer.from(file.bytes));
  assert.deepEqual(progress, [...progress].sort((a, b) => a - b));
  assert.equal(there.listening(), 0, "nothing is left listening");
});

test("only a few parts are sent ahead of what was taken", async () => {
  const there = kernel();
  await sendFile(there.host, "current", fileOf(20 * PART));
  assert.equal(there.heard.parts.length, 20);
  assert.ok(there.heard.mostAhead <= 5, `${there.heard.mostAhead} ahead`);
});

test("who does not answer pings gets the file all the same", async () => {
  const there = kernel({ answers: false });
  const answer = await sendFile(there.host, "current", fileOf(8 * PART), { patience: 5 });
  assert.equal(answer.ok, true);
  assert.equal(there.heard.parts.length, 8);
});

test("what Python says against a file is handed on", async () => {
  const there = kernel({ whole: { ok: false, message: "photo.png is cut off." } });
  const answer = await sendFile(there.host, "current", fileOf(10));
  assert.deepEqual(answer, { ok: false, message: "photo.png is cut off." });
});

test("a refusal on the way ends the sending", async () => {
  const there = kernel({ whole: null });
  const sending = sendFile(there.host, "current", fileOf(40 * PART));
  setTimeout(() => there.say({ kind: "uploaded", id: there.heard.parts[0].id, ok: false, message: "no" }), 8);
  assert.deepEqual(await sending, { ok: false, message: "no" });
  assert.ok(there.heard.parts.length < 40);
});

test("cancelling tells Python to forget what it has", async () => {
  const there = kernel({ whole: null });
  const abort = new AbortController();
  const sending = sendFile(there.host, "current", fileOf(3 * MB), { signal: abort.signal });
  setTimeout(() => abort.abort(), 10);
  assert.deepEqual(await sending, { ok: false, message: "Cancelled." });
  assert.deepEqual(there.heard.cancelled, [there.heard.parts[0].id]);
  assert.equal(there.listening(), 0);
});

test("a kernel that is gone is said", async () => {
  const there = kernel({ whole: null });
  const sending = sendFile(there.host, "current", fileOf(10));
  setTimeout(there.cut, 5);
  const { ok, message } = await sending;
  assert.equal(ok, false);
  assert.match(message, /kernel is gone/);
});

test("a file that vanishes while it is read is said", async () => {
  const there = kernel();
  const file = { ...fileOf(10), slice: () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) }) };
  const { ok, message } = await sendFile(there.host, "current", file);
  assert.equal(ok, false);
  assert.match(message, /photo\.png could not be read \(gone\)/);
});

test("nothing is sent of a file that cannot be taken", async () => {
  const there = kernel();
  const odd = { name: "notes.txt", size: 10, type: "text/plain" };
  assert.match((await sendFile(there.host, "current", odd)).message, /not a picture/);
  assert.deepEqual(there.heard.parts, []);
});

test("too large, empty and not a picture are refused in words", () => {
  const picture = { name: "a.tif", type: "", size: 10 };
  assert.equal(uploadRefusal(picture), "");
  assert.equal(uploadRefusal({ name: "scan", type: "image/x-odd", size: 10 }), "");
  assert.equal(uploadRefusal({ ...picture, size: UPLOAD_MOST_BYTES }), "");
  assert.match(uploadRefusal({ ...picture, size: UPLOAD_MOST_BYTES + 1 }), /301 MB.*300 MB/);
  assert.match(uploadRefusal({ ...picture, size: 0 }), /empty/);
  assert.match(uploadRefusal({ name: "folder", type: "", size: 4096 }), /not a picture/);
});

test("an odd name is sent and shown as one plain line", async () => {
  const there = kernel();
  await sendFile(there.host, "current", fileOf(10, `a\n<script>"x"</script>${"😀".repeat(400)}.png`));
  const { name } = there.heard.parts[0];
  assert.ok(!name.includes("\n") && name.includes("<script>") && name.endsWith(".png"));
  assert.ok(Array.from(name).length <= 200);
});

test("parts cover a file without gap or overlap", () => {
  assert.ok(UPLOAD_PART_BYTES * 4 / 3 < 1_000_000, "as base64, below what Colab takes");
  for (const size of [1, MB - 1, MB, MB + 1, 3 * MB]) {
    const parts = uploadParts(size);
    assert.equal(parts[0][0], 0);
    assert.equal(parts.at(-1)[1], size);
    for (let i = 1; i < parts.length; i += 1) assert.equal(parts[i][0], parts[i - 1][1]);
    assert.ok(parts.every(([a, b]) => b > a && b - a <= MB));
  }
});

test("one dropped picture goes where it was dropped, two go to both sides in order", () => {
  const [a, b] = [fileOf(1, "a.png"), fileOf(1, "b.png")];
  assert.deepEqual(droppedSides([a], "current"), [{ side: "current", file: a }]);
  assert.deepEqual(droppedSides([a, b], "current"), [
    { side: "reference", file: a },
    { side: "current", file: b },
  ]);
  assert.equal(droppedSides([a, b, a], "current"), null);
  assert.equal(droppedSides([], "current"), null);
});
