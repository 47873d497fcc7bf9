// Every task's predicted loss and metric, and what was measured, as a table.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import * as format from "../format.js";

export const qualityPanel = ({ state }) => {
  const shown = state.runs.map((run, i) => ({ ...run, letter: "AB"[i] })).filter((r) => r.subnet);
  if (!shown.length) return nothing;
  const comparing = state.runs.length > 1;
  const measured = shown.some((r) => Object.keys(r.measured).length);
  return html`
    <section class="panel" aria-labelledby="quality-title">
      <h2 id="quality-title">Quality by task</h2>
      <p class="hint">
        Predicted over the test split by the accuracy
        predictor.${measured ? " Measured on this picture alone." : ""}
      </p>
      <div class="scroll" tabindex="0" role="group" aria-label="Table of quality by task">
        <table class="quality">
          <thead>
            <tr>
              <th scope="col">Task</th>
              <th scope="col">Metric</th>
              ${shown.map(({ letter }) => html`
                <th scope="col">Preference${mark(comparing, letter)}</th>
                <th scope="col">Predicted loss${mark(comparing, letter)}</th>
                <th scope="col">Predicted${mark(comparing, letter)}</th>
                ${measured ? html`<th scope="col">Measured${mark(comparing, letter)}</th>` : nothing}`)}
            </tr>
          </thead>
          <tbody>
            ${state.model.tasks.map((task) => row(state, task, shown, measured))}
          </tbody>
        </table>
      </div>
    </section>
  `;
};

const mark = (comparing, letter) =>
  comparing ? html` <b class=${`mark ${letter}`}>${letter}</b>` : nothing;

const row = (state, task, shown, measured) => html`
  <tr>
    <th scope="row">${task.name}</th>
    <td class="words">
      ${format.metricName(task.metric.name)} ${task.metric.higher_is_better ? "↑" : "↓"}
    </td>
    ${shown.map((run) => {
      const predicted = run.subnet.predicted[task.name];
      const found = run.measured[task.name];
      const i = "AB".indexOf(run.letter);
      return html`
        <td>${state.settings[i].preference[task.name].toFixed(2)}</td>
        <td>${format.loss(predicted.loss)}</td>
        <td>${format.metricValue(predicted.metric, predicted.value)}</td>
        ${measured ? html`<td>${found ? format.metricValue(found.metric, found.value) : "–"}</td>` : nothing}
      `;
    })}
  </tr>
`;
