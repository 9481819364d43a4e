/** Unpacking what Python packed: zlib streams and bits. */

/**
 * @param {Uint8Array|DataView|ArrayBuffer} packed a zlib stream
 * @param {number} [expected] how many bytes it must give @returns {Promise<Uint8Array>}
 */
export async function inflate(packed, expected) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser cannot unpack data (no DecompressionStream). Please update it.");
  }
  let bytes;
  try {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (problem) {
    throw new Error("Data from the kernel arrived damaged; run the cell again.", { cause: problem });
  }
  if (expected !== undefined && bytes.length !== expected) {
    throw new Error(
      `Data from the kernel arrived incomplete (${bytes.length} of ${expected} bytes); ` +
        "run the cell again.",
    );
  }
  return bytes;
}

/**
 * Bits as numpy's `packbits(..., bitorder="little")` writes them.
 * @param {Uint8Array} bytes @param {number} offset first byte @param {number} count bits
 * @returns {Uint8Array} `count` values 0 or 1
 */
export function unpackBits(bytes, offset, count) {
  if (offset < 0 || offset + Math.ceil(count / 8) > bytes.length) {
    throw new Error("A mask from the kernel arrived incomplete; run the cell again.");
  }
  const bits = new Uint8Array(count);
  for (let i = 0; i < count; i += 1) bits[i] = (bytes[offset + (i >> 3)] >> (i & 7)) & 1;
  return bits;
}
