// What every task says about the picture.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { ref } from "../../vendor/lit-html/directives/ref.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import * as format from "../format.js";
import { depthRange, ranked, shares, valueAt } from "../outputs.js";
import { colours, paint } from "../paint.js";
import { notice } from "./notice.js";
import { progress } from "./progress.js";

const LEGEND_SHARE = 0.005;
const LIKELIEST = 3;

export const outputsPanel = (session) => {
  const { state } = session;
  const busy = state.runs.some((r) => r.stage === "dialling" || r.stage === "predicting");
  // Two settings may fail alike.
  const problems = Map.groupBy(
    [...state.runs.keys()].filter((i) => state.runs[i].problem),
    (i) => state.runs[i].problem.message,
  );
  return html`
    <section class="outputs" aria-labelledby="outputs-title" aria-busy=${busy}>
      <h2 id="outputs-title" class="hidden">Outputs</h2>
      ${state.runs.map((run, i) => progress(session, run, i))}
      ${[...problems.values()].map((whose) => notice(session, state.runs[whose[0]].problem, whose))}
      <div
        class=${state.model.tasks.length > 8 ? "tiles small" : "tiles"}
        tabindex="0"
        role="group"
        aria-label="Outputs by task"
      >
        ${state.picture?.url ? input(state.picture) : nothing}
        ${repeat(
          state.model.tasks,
          (task) => task.name,
          (task) => tile(state, task),
        )}
      </div>
    </section>
  `;
};

const input = ({ url, label, note }) => html`
  <figure class="tile input">
    <figcaption><h3>picture</h3></figcaption>
    <div class="views">
      <div class="view"><img src=${url} alt="" /></div>
      <p class="hint"><strong>${label}</strong>${note}</p>
    </div>
  </figure>
`;

/** The predictions of a task, one for each setting, and its ground truth. */
function columns(state, task) {
  const comparing = state.runs.length > 1;
  const found = state.runs.map((run, i) => ({
    name: comparing ? "AB"[i] : "predicted",
    output: run.outputs?.[task.name],
    measured: run.measured[task.name],
  }));
  const truth = state.truth[task.name];
  if (truth) found.push({ name: "truth", output: truth });
  return found.filter((c) => c.output);
}

function tile(state, task) {
  const found = columns(state, task);
  if (!found.length) return html`<figure class="tile empty"><figcaption><h3>${task.name}</h3></figcaption></figure>`;
  const metric = found.find((c) => c.measured)?.measured.metric;
  return html`
    <figure class="tile" data-task=${task.name}>
      <figcaption>
        <h3>${task.name}</h3>
        ${metric ? html`<span class="metric">${format.metricName(metric)}</span>` : nothing}
      </figcaption>
      ${task.kind === "classification" ? classes(found) : dense(task, found)}
    </figure>
  `;
}

/** Whose an output is, and how good it was measured to be. */
const who = ({ name, measured }) => html`
  <b class=${`mark ${name}`}>${name}</b>
  <span class="probe"></span>
  ${measured
    ? html`<span class="measure">${format.metricValue(measured.metric, measured.value)}</span>`
    : nothing}
`;

const classes = (found) => html`
  <div class="rankings">
    ${found.map(
      (column) => html`
        <ol class="ranking">
          ${found.length > 1 ? html`<li class="who">${who(column)}</li>` : nothing}
          ${ranked(column.output)
            .slice(0, LIKELIEST)
            .map(
              ({ label, probability }) => html`
                <li .style=${`--share: ${probability}`}>
                  <span>${label}</span><b>${format.percent(probability, 0)}</b>
                </li>
              `,
            )}
        </ol>
      `,
    )}
  </div>
`;

function dense(task, found) {
  const palette = colours(task.classes, task.palette);
  const range = task.kind === "depth" ? depthRange(found.at(-1).output) : [0, 1];
  return html`
    <div class="views">
      ${found.map(
        ({ name, output, ...column }) => html`
          <div class="view">
            <canvas
              role="img"
              aria-label=${`${task.name}, ${name}${inWords(task, output)}`}
              @pointermove=${(e) => probe(e, output, task.labels)}
              @pointerleave=${clearProbe}
              ${ref((canvas) => canvas && paint(canvas, output, { palette, range }))}
            ></canvas>
            <p class="who">${who({ name, ...column })}</p>
          </div>
        `,
      )}
    </div>
    ${key(task, found, palette, range)}
  `;
}

/** What a picture of an output shows, for those who do not see it. */
function inWords(task, output) {
  if (task.kind === "segmentation") {
    const found = shares(output, task.classes)
      .map((share, i) => ({ share, label: task.labels[i] ?? `class ${i}` }))
      .filter(({ share }) => share >= LEGEND_SHARE)
      .sort((a, b) => b.share - a.share);
    return `: ${found.map((f) => `${f.label} ${format.percent(f.share, 0)}`).join(", ")}`;
  }
  if (task.kind !== "depth") return "";
  const [low, high] = depthRange(output);
  return `: ${low.toFixed(1)} to ${high.toFixed(1)} metres`;
}

function key(task, found, palette, range) {
  switch (task.kind) {
    case "segmentation":
      return legend(task, found, palette);
    case "depth":
      return bar("viridis", `${range[0].toFixed(1)} m`, `${range[1].toFixed(1)} m`);
    case "normals":
      return html`<p class="scale"><span>right</span><i class="swatch right"></i><span>up</span><i class="swatch up"></i><span>towards the camera</span><i class="swatch towards"></i></p>`;
    default:
      return bar("grey", "0 %", "100 %");
  }
}

const bar = (name, low, high) =>
  html`<p class="scale"><span>${low}</span><i class=${`ramp ${name}`}></i><span>${high}</span></p>`;

function legend(task, found, palette) {
  const every = found.map(({ output }) => shares(output, task.classes));
  const kept = palette
    .map((colour, i) => ({ colour, label: task.labels[i] ?? `class ${i}`, most: Math.max(...every.map((s) => s[i])), share: every[0][i] }))
    .filter(({ most }) => most >= LEGEND_SHARE)
    .sort((a, b) => b.share - a.share);
  return html`
    <ul class="legend">
      ${kept.map(
        ({ colour, label, share }) => html`
          <li>
            <i class="swatch" .style=${`background: rgb(${colour.join(" ")})`}></i>${label}
            <span>${format.percent(share, 0)}</span>
          </li>
        `,
      )}
    </ul>
  `;
}

function probe({ currentTarget: canvas, offsetX, offsetY }, output, labels) {
  const x = Math.min(Math.floor((offsetX / canvas.clientWidth) * output.width), output.width - 1);
  const y = Math.min(Math.floor((offsetY / canvas.clientHeight) * output.height), output.height - 1);
  const text = valueAt(output, Math.max(x, 0), Math.max(y, 0), labels);
  canvas.parentElement.querySelector(".probe").textContent = text;
}

const clearProbe = ({ currentTarget: canvas }) => {
  canvas.parentElement.querySelector(".probe").textContent = "";
};
