// Outputs of /predict, and ground truth, which comes in the same form.

import { decodePng } from "./png.js";

/** Every output as numbers: classifications as they come, dense ones with their samples. */
export async function readOutputs(outputs) {
  const read = Object.entries(outputs).map(async ([task, output]) => {
    if (output.kind === "classification") return [task, output];
    const { data: base64, ...rest } = output;
    return [task, { ...rest, ...(await decodePng(base64)) }];
  });
  return Object.fromEntries(await Promise.all(read));
}

/** Classes by probability, highest first: [{ label, probability }]. */
export const ranked = ({ labels, probabilities }) =>
  probabilities
    .map((probability, i) => ({ label: labels[i], probability }))
    .sort((a, b) => b.probability - a.probability);

/** The share of the picture that each class takes, by class index. */
export function shares(output, classes) {
  const counts = new Array(classes).fill(0);
  for (const index of output.data) if (index < classes) counts[index]++;
  return counts.map((n) => n / output.data.length);
}

/** Depths in metres that 98 % of the pixels lie between; absent ones are left out. */
export function depthRange(output) {
  const step = Math.max(1, Math.floor(output.data.length / 8192));
  const seen = output.data.filter((v, i) => i % step === 0 && v > 0).sort((a, b) => a - b);
  const at = (share) => seen[Math.floor(share * (seen.length - 1))] * output.scale;
  return seen.length ? [at(0.01), at(0.99)] : [0, 1];
}

/** What a dense output says at a pixel, in words. */
export function valueAt(output, x, y, labels) {
  const at = (y * output.width + x) * output.channels;
  const value = output.data[at];
  switch (output.kind) {
    case "segmentation":
      return labels[value] ?? (value === 255 ? "no label" : `class ${value}`);
    case "depth":
      return value === 0 ? "no depth" : `${(value * output.scale).toFixed(2)} m`;
    case "normals":
      return [0, 1, 2]
        .map((i) => (output.data[at + i] * output.scale + output.offset).toFixed(2))
        .join(", ");
    default:
      return `${(value * output.scale * 100).toFixed(0)} %`;
  }
}
