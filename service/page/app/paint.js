// Dense outputs as pictures, coloured as `Accept: image/png` colours them.

// Matplotlib's viridis at nine points; the map is linear between them.
const VIRIDIS = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 144, 140],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];
const GREY = [128, 128, 128];
const GOLDEN = 0.618033988749895;
const painted = new WeakMap();

/** Draws an output on a canvas of its size, unless that very drawing is there already. */
export function paint(canvas, output, { palette = [], range = [0, 1] } = {}) {
  const before = painted.get(canvas);
  if (before && before.output === output && String(before.range) === String(range)) return;
  painted.set(canvas, { output, range });
  canvas.width = output.width;
  canvas.height = output.height;
  const image = new ImageData(output.width, output.height);
  const colour = colouring(output, palette, range);
  for (let i = 0, at = 0; i < output.width * output.height; i++, at += 4) {
    image.data.set(colour(i), at);
    image.data[at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** As many distinct colours: hues a golden section apart, two levels of brightness. */
export function colours(classes, palette) {
  if (palette.length) return palette;
  return Array.from({ length: classes }, (_, i) =>
    fromHsv((i * GOLDEN) % 1, 0.65, [0.95, 0.65][i % 2]),
  );
}

function colouring(output, palette, [low, high]) {
  const { data, scale, offset } = output;
  switch (output.kind) {
    case "segmentation":
      return (i) => palette[data[i]] ?? GREY;
    case "depth":
      // Near is bright, absent is grey.
      return (i) =>
        data[i] === 0 ? GREY : viridis(1 - (data[i] * scale - low) / Math.max(high - low, 1e-6));
    case "normals":
      // The usual colours face the camera: x right, y up, z towards the viewer.
      return (i) => {
        const [x, y, z] = [0, 1, 2].map((c) => data[3 * i + c] * scale + offset);
        return [x, -y, -z].map((v) => Math.round(((v + 1) / 2) * 255));
      };
    default:
      return (i) => [data[i], data[i], data[i]];
  }
}

function viridis(unit) {
  const at = Math.min(Math.max(unit, 0), 1) * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[i].map((from, c) => from + (at - i) * (VIRIDIS[i + 1][c] - from));
}

function fromHsv(hue, saturation, value) {
  const channel = (n) => {
    const k = (n + hue * 6) % 6;
    return Math.round(255 * (value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}
