// The sub-network: what it costs, and its widths layer by layer.

import { html, nothing, svg } from "../../vendor/lit-html/lit-html.js";
import * as format from "../format.js";

const BAR = 20;
const GAP = 7;
const APART = 28;
const TALL = 96;

export const networkPanel = ({ state }) => html`
  <section class="panel network" aria-labelledby="network-title">
    <h2 id="network-title">Sub-network</h2>
    <p class="hint">Bars are layers: filled what is kept, outlined the full network.</p>
    ${state.runs.map((run, i) => (run.subnet ? one(state, run, i) : nothing))}
  </section>
`;

const one = (state, { subnet, outputs }, i) => html`
  <div class="subnet" data-setting=${"AB"[i]} ?data-shown=${outputs !== null}>
    ${state.runs.length > 1 ? html`<h3><b class=${`mark ${"AB"[i]}`}>${"AB"[i]}</b></h3>` : nothing}
    <dl class="facts">
      ${fact("GMACs", format.gmacs(subnet.gmacs), format.percent(subnet.gmacs / state.model.budgets.gmacs.max, 0) + " of full")}
      ${fact("Size", format.bytes(subnet.size_bytes), `${format.count(subnet.parameters)} parameters`)}
      ${latency(state.latencies[subnet.subnet_id])}
      ${fact("Cache", subnet.cache, subnet.cache === "miss" ? built(subnet.timings_ms) : "was there")}
    </dl>
    ${silhouette(state.model, subnet)}
  </div>
`;

const fact = (name, value, note) => html`
  <div><dt>${name}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>
`;

const latency = (found) =>
  found
    ? fact("Latency", format.milliseconds(found.median_ms), `median of ${found.runs} runs, fastest ${format.milliseconds(found.fastest_ms)}`)
    : fact("Latency", "…", "is measured");

const built = (timings) =>
  `built in ${(Object.values(timings).reduce((a, b) => a + b, 0) / 1e3).toFixed(1)} s`;

/** Channels of every layer group, within those of the full network, in the order of the network. */
function layers(model, { channels }) {
  const found = model.groups
    .filter(({ name }) => name in channels)
    .map(({ name, task, channels: choices }) => {
      const full = choices.at(-1);
      return { name: task ?? name, task, count: channels[name], full, ratio: channels[name] / full };
    });
  return {
    encoder: found.filter(({ task }) => task === null),
    decoders: found.filter(({ task }) => task !== null),
  };
}

function silhouette(model, subnet) {
  const { encoder, decoders } = layers(model, subnet);
  const every = [...encoder, ...decoders];
  const most = Math.max(...every.map((l) => l.full));
  const tall = (count) => Math.max(3, TALL * Math.sqrt(count / most));
  const at = (i) => i * (BAR + GAP) + (i >= encoder.length ? APART : 0);
  const width = at(every.length) - GAP;
  return html`
    <div class="scroll" tabindex="0" role="group" aria-label="Widths, layer by layer">
      <svg class="widths" width=${width} height=${TALL + 34} viewBox=${`0 0 ${width} ${TALL + 34}`} role="img" aria-label=${spoken(encoder, decoders)}>
        ${every.map((layer, i) => bar(layer, at(i), tall))}
        ${stages(encoder).map(({ name, from, to }) => label(name, at(from), at(to) + BAR))}
        ${label("decoders", at(encoder.length), width)}
      </svg>
    </div>
    <details>
      <summary>Widths as a table</summary>
      <div class="scroll" tabindex="0" role="group" aria-label="Table of widths">
        <table>
          <thead><tr><th scope="col">Layer group</th><th scope="col">Channels</th><th scope="col">Of full</th></tr></thead>
          <tbody>
            ${every.map(({ name, count, full, ratio }) => html`<tr><th scope="row">${name}</th><td>${count} of ${full}</td><td>${format.percent(ratio, 0)}</td></tr>`)}
          </tbody>
        </table>
      </div>
    </details>
  `;
}

const bar = ({ name, count, full, ratio }, x, tall) => svg`
  <g>
    <title>${name}: ${count} of ${full} channels, ${format.percent(ratio, 0)}</title>
    <rect class="full" x=${x + 0.5} y=${(TALL - tall(full)) / 2 + 0.5} width=${BAR - 1} height=${tall(full)} rx="2"></rect>
    <rect class="kept" x=${x} y=${(TALL - tall(count)) / 2 + 0.5} width=${BAR} height=${tall(count)} rx="2"></rect>
  </g>
`;

/** Runs of layers whose names begin alike. */
function stages(encoder) {
  const found = [];
  encoder.forEach(({ name }, i) => {
    const stage = name.split(".")[0];
    if (found.at(-1)?.name === stage) found.at(-1).to = i;
    else found.push({ name: stage, from: i, to: i });
  });
  return found;
}

const label = (text, from, to) => svg`
  <path class="brace" d=${`M${from} ${TALL + 8}H${to}`}></path>
  ${to - from < 6.2 * text.length ? nothing : svg`<text x=${(from + to) / 2} y=${TALL + 24} text-anchor="middle">${text}</text>`}
`;

const spoken = (encoder, decoders) => {
  const mean = (layers) => format.percent(layers.reduce((a, l) => a + l.ratio, 0) / layers.length, 0);
  return `Widths: the encoder's ${encoder.length} groups keep ${mean(encoder)} of their channels on average, the ${decoders.length} decoders ${mean(decoders)}`;
};
