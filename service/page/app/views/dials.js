// The dials: one for the budget and one per task.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { BUDGETS } from "../format.js";
import { STEPS, kindsOf, stepOf } from "../settings.js";

const PARTS = 20;
const MANY = 8;

export const dials = (session) => {
  const { state } = session;
  const comparing = state.settings.length > 1;
  const setting = state.settings[state.active];
  return html`
    <div class="panel dials" data-setting=${comparing ? "AB"[state.active] : "A"}>
      <div class="row">
        <h2>Dials</h2>
        <button type="button" aria-pressed=${comparing} @click=${() => session.compare(!comparing)}>
          Compare
        </button>
      </div>
      ${comparing ? which(session) : nothing} ${budget(session, setting)}
      ${preferences(session, setting)}
    </div>
  `;
};

const choice = (name, value, checked, text, chosen, disabled = false) => html`
  <label class="choice">
    <input
      type="radio"
      name=${name}
      value=${value}
      .checked=${live(checked)}
      ?disabled=${disabled}
      @change=${chosen}
    />
    <span>${text}</span>
  </label>
`;

const which = ({ state, select }) => html`
  <fieldset class="choices which">
    <legend class="hidden">The setting that the dials move</legend>
    ${["A", "B"].map((letter, i) =>
      choice("which", letter, state.active === i, `Setting ${letter}`, () => select(i)),
    )}
  </fieldset>
`;

function budget(session, setting) {
  const { model } = session.state;
  const { kind, budget: value } = setting;
  const { unit, text } = BUDGETS[kind];
  const { min, max } = model.budgets[kind];
  const step = stepOf(model, kind, value);
  const typed = (event) => {
    const found = Number(event.target.value);
    if (found > 0) session.setBudget(found);
    else event.target.value = value;
  };
  return html`
    <fieldset class="group">
      <legend>Budget</legend>
      <div class="choices" role="group" aria-label="What the budget is said in">
        ${Object.entries(BUDGETS).map(([k, { label }]) =>
          choice("kind", k, k === kind, label, () => session.setKind(k), !kindsOf(model).includes(k)),
        )}
      </div>
      <div class="budget">
        <input
          type="range"
          class="dial"
          min="0"
          max=${STEPS}
          step="1"
          aria-label="Budget"
          aria-valuetext=${text(value)}
          .value=${live(String(step))}
          .style=${`--at: ${step / STEPS}`}
          @input=${(e) => session.setStep(Number(e.target.value))}
        />
        <label class="exact">
          <input
            type="number"
            inputmode="decimal"
            step="any"
            aria-label="Budget, exactly"
            .value=${String(Number(value.toPrecision(4)))}
            @change=${typed}
          />
          <span>${unit}</span>
        </label>
      </div>
      <p class="ends"><span>${text(min)}</span><span>${text(max)}</span></p>
      ${kindsOf(model).includes("latency_ms")
        ? nothing
        : html`<p class="hint">
            Latency needs a profile of the machine that serves:
            <code>slimdial profile ${model.name}</code>
          </p>`}
    </fieldset>
  `;
}

function preferences(session, setting) {
  const { tasks } = session.state.model;
  const all = (value) =>
    session.setPreferences(Object.fromEntries(tasks.map((t) => [t.name, value])));
  const only = (name) =>
    session.setPreferences(Object.fromEntries(tasks.map((t) => [t.name, Number(t.name === name)])));
  return html`
    <fieldset class="group">
      <legend>Preference</legend>
      <button type="button" class="quiet reset" @click=${() => all(0.5)}>All alike</button>
      <ul class=${tasks.length > MANY ? "tasks many" : "tasks"}>
        ${tasks.map((t) => preference(session, t, setting.preference[t.name], only))}
      </ul>
    </fieldset>
  `;
}

const preference = (session, task, value, only) => html`
  <li class="task">
    <label for=${`task-${task.name}`} title=${task.name}>${task.name}</label>
    <button type="button" class="quiet only" aria-label=${`Only ${task.name}`} @click=${() => only(task.name)}>
      only
    </button>
    <input
      type="range"
      class="dial"
      id=${`task-${task.name}`}
      min="0"
      max=${PARTS}
      step="1"
      aria-valuetext=${value.toFixed(2)}
      .value=${live(String(Math.round(value * PARTS)))}
      .style=${`--at: ${value}`}
      @input=${(e) => session.setPreferences({ [task.name]: Number(e.target.value) / PARTS })}
    />
    <span class="value" aria-hidden="true">${value.toFixed(2)}</span>
  </li>
`;
