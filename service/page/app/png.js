// PNGs to exact numbers. A canvas would cut 16-bit depth to 8 bits; the service's PNGs are plain
// (grey or RGB, 8 or 16 bits, not interlaced), so reading them takes the platform's inflate and the
// five row filters of the PNG specification (W3C, Sec. 9.2).

const CHANNELS = { 0: 1, 2: 3 };

/** Reads a PNG in base64: { width, height, channels, data } with one number per sample. */
export async function decodePng(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const bits = bytes[24];
  const channels = CHANNELS[bytes[25]];
  const wide = bits / 8;
  const pixel = channels * wide;
  const raw = unfilter(await inflate(imageData(bytes, view)), width * pixel, height, pixel);
  if (wide === 1) return { width, height, channels, data: raw };
  const words = new DataView(raw.buffer);
  const data = Uint16Array.from({ length: width * height * channels }, (_, i) =>
    words.getUint16(2 * i),
  );
  return { width, height, channels, data };
}

function imageData(bytes, view) {
  const parts = [];
  for (let at = 8; at < bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return new Blob(parts);
}

async function inflate(compressed) {
  const stream = compressed.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function unfilter(filtered, stride, height, pixel) {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = filtered[y * (stride + 1)];
    const row = filtered.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    const at = y * stride;
    for (let x = 0; x < stride; x++) {
      const left = x < pixel ? 0 : out[at + x - pixel];
      const up = y === 0 ? 0 : out[at + x - stride];
      const corner = x < pixel || y === 0 ? 0 : out[at + x - stride - pixel];
      out[at + x] = row[x] + predictor(filter, left, up, corner);
    }
  }
  return out;
}

function predictor(filter, left, up, corner) {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4:
      return paeth(left, up, corner);
    default:
      return 0;
  }
}

function paeth(left, up, corner) {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
