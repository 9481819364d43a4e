import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { inflate, unpackBits } from "../../vde_nb/viewer/static/inflate.js";

test("a zlib stream comes back as it was, also as part of a larger buffer", async () => {
  const bytes = Uint8Array.from({ length: 70000 }, (_, i) => (i * i) % 251);
  const packed = deflateSync(bytes);
  assert.deepEqual(await inflate(packed, bytes.length), bytes);
  const large = new Uint8Array(packed.length + 9);
  large.set(packed, 5);
  assert.deepEqual(await inflate(new DataView(large.buffer, 5, packed.length)), bytes);
});

test("a damaged or cut stream is refused in words", async () => {
  const packed = deflateSync(new Uint8Array(5000).fill(7));
  await assert.rejects(inflate(Uint8Array.of(1, 2, 3, 4)), /damaged/);
  await assert.rejects(inflate(packed.subarray(0, packed.length - 6)), /damaged/);
  await assert.rejects(inflate(packed, 6000), /5000 of 6000 bytes/);
});

test("bits are taken lowest first, as numpy packs them", () => {
  assert.deepEqual([...unpackBits(Uint8Array.of(0xff, 0b00000110, 1), 1, 10)], [0, 1, 1, 0, 0, 0, 0, 0, 1, 0]);
});

test("a mask that ends too early is refused", () => {
  assert.throws(() => unpackBits(Uint8Array.of(1), 0, 9), /incomplete/);
  assert.throws(() => unpackBits(Uint8Array.of(1), -1, 1), /incomplete/);
});
