// Predicted quality over the budget, with the current point on it.

import { html, nothing, svg } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { ref } from "../../vendor/lit-html/directives/ref.js";
import * as format from "../format.js";
import { curveKey } from "../session.js";
import { favourite, stepOf } from "../settings.js";

const HIGH = 340;
const LEFT = 56;
const RIGHT = 14;
const TOP = 14;
const BOTTOM = 34;

export const curvePanel = (session) => {
  const { state } = session;
  const task = state.curveTask ?? favourite(state.model, state.settings[0]);
  const keys = state.settings.map(curveKey);
  const lines = state.settings
    .map((_, i) => ({ points: state.curves[keys[i]], i }))
    // Settings that differ in their budget alone lie on one curve.
    .filter(({ points, i }) => points && keys.indexOf(keys[i]) === i);
  return html`
    <section class="panel curve" aria-labelledby="curve-title">
      <div class="row">
        <h2 id="curve-title">Quality over budget</h2>
        <label class="field">
          <span class="hidden">Task of the curve</span>
          <select @change=${(e) => session.setCurveTask(e.target.value)}>
            ${state.model.tasks.map((t) => html`<option .selected=${live(t.name === task)}>${t.name}</option>`)}
          </select>
        </label>
      </div>
      <div class="chart" ${ref((element) => element && fit(element, session))}>
        ${lines.length ? chart(session, task, lines) : html`<p class="hint waiting">The curve is being searched …</p>`}
      </div>
    </section>
  `;
};

const watched = new WeakSet();

/** The chart is drawn at the size that there is, so that its text keeps its own. */
function fit(element, { fitChart }) {
  if (watched.has(element)) return;
  watched.add(element);
  new ResizeObserver(([{ contentRect }]) => fitChart(contentRect.width)).observe(element);
}

function chart(session, task, lines) {
  const { state } = session;
  const wide = state.chartWidth;
  const { kind } = state.settings[0];
  const { metric } = state.model.tasks.find((t) => t.name === task);
  const { min, max } = state.model.budgets[kind];
  const values = lines.flatMap(({ points }) => points.map((p) => p.predicted[task].value));
  const here = state.runs
    .map((run, i) => ({ run, i }))
    .filter(({ run }) => run.subnet?.budget[kind] !== undefined)
    .map(({ run, i }) => ({
      i,
      x: Math.min(run.subnet.budget[kind], max),
      y: run.subnet.predicted[task].value,
    }));
  const [low, high] = padded([...values, ...here.map((h) => h.y)]);
  const x = (v) => LEFT + ((v - min) / (max - min || 1)) * (wide - LEFT - RIGHT);
  const y = (v) => HIGH - BOTTOM - ((v - low) / (high - low)) * (HIGH - TOP - BOTTOM);
  const choose = ({ offsetX }) => {
    const budget = min + ((offsetX - LEFT) / (wide - LEFT - RIGHT)) * (max - min);
    session.setStep(stepOf(state.model, kind, budget));
  };
  const better = metric.higher_is_better ? "higher is better" : "lower is better";
  return html`
    <svg width=${wide} height=${HIGH} viewBox=${`0 0 ${wide} ${HIGH}`} role="img" aria-label=${spoken(task, metric, lines, here)} @click=${choose}>
      ${ticks(low, high, 6).map((v) => svg`
        <path class="grid" d=${`M${LEFT} ${y(v)}H${wide - RIGHT}`}></path>
        <text class="tick" x=${LEFT - 8} y=${y(v) + 4} text-anchor="end">${format.metricValue(metric.name, v)}</text>`)}
      ${ticks(min, max, wide > 420 ? 8 : 4).map((v) => svg`
        <text class="tick" x=${x(v)} y=${HIGH - 14} text-anchor="middle">${kind === "fraction" ? format.percent(v, 0) : format.gmacs(v)}</text>`)}
      ${lines.map(({ points, i }) => svg`
        <path class=${`line ${"AB"[i]}`} d=${`M${points.map((p) => `${x(p.budget)} ${y(p.predicted[task].value)}`).join("L")}`}></path>
        ${points.map((p) => svg`<circle class=${`dot ${"AB"[i]}`} cx=${x(p.budget)} cy=${y(p.predicted[task].value)} r="2.5"></circle>`)}`)}
      ${here.map((h) => point(x(h.x), y(h.y), h.i))}
    </svg>
    <p class="hint axis">
      <span>${format.metricName(metric.name)}, predicted, ${better}</span>
      <span>${{ gmacs: "GMACs", fraction: "of the full network's GMACs", latency_ms: "milliseconds" }[kind]}</span>
    </p>
  `;
}

/** A is round, B is square. */
const point = (x, y, i) =>
  i === 0
    ? svg`<circle class="here A" cx=${x} cy=${y} r="6"></circle>`
    : svg`<rect class="here B" x=${x - 5.5} y=${y - 5.5} width="11" height="11" rx="1.5"></rect>`;

function padded(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = 0.08 * (high - low) || 0.02 * Math.abs(high) || 1;
  return [low - pad, high + pad];
}

/** Round numbers within a range, about as many as asked. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function spoken(task, metric, lines, here) {
  const [{ points }] = lines;
  const say = (v) => format.metricValue(metric.name, v);
  const at = (p) => say(p.predicted[task].value);
  const now = here.map((h) => `${here.length > 1 ? `${"AB"[h.i]} is` : "Now"} at ${say(h.y)}`);
  return `${format.metricName(metric.name)} of ${task} from ${at(points[0])} at the least budget to ${at(points.at(-1))} at the most. ${now.join(", ")}`;
}
