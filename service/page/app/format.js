// Numbers, and the service's words, as a person reads them.

const SHARES = new Set(["miou", "top1", "f1", "iou", "accuracy"]);
const NAMES = {
  miou: "mIoU",
  top1: "top-1",
  abs_rel: "abs. rel. error",
  mean_angle: "mean angle",
  f1: "F1",
  iou: "IoU",
};

const significant = (value, digits) => {
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) >= 1e-4 || rounded === 0 ? String(rounded) : rounded.toExponential();
};

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

export const metricName = (name) => NAMES[name] ?? name;

export const metricValue = (name, value) => {
  // A predictor may go beyond what a share can be.
  if (SHARES.has(name)) return percent(Math.min(Math.max(value, 0), 1));
  return name === "mean_angle" ? `${value.toFixed(1)}°` : value.toFixed(3);
};

export const gmacs = (value) => significant(value, 3);
export const milliseconds = (value) => `${significant(value, 3)} ms`;
export const loss = (value) => significant(value, 3);

export const bytes = (value) =>
  value < 1e6 ? `${(value / 1e3).toFixed(0)} kB` : `${(value / 1e6).toFixed(2)} MB`;

export const count = (value) =>
  value < 1e6 ? `${(value / 1e3).toFixed(0)} k` : `${(value / 1e6).toFixed(2)} M`;

/** The service's words as a sentence: they come in lower case, without a full stop. */
export const sentence = (words) =>
  words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");

/** The kinds of budget that the page offers, and how each is written. */
export const BUDGETS = {
  gmacs: { label: "GMACs", unit: "GMACs", text: (v) => `${gmacs(v)} GMACs` },
  fraction: { label: "Fraction", unit: "of the full network", text: (v) => percent(v, 0) },
  latency_ms: { label: "Latency", unit: "ms", text: milliseconds },
};
