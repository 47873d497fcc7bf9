// The bar at the top: which model, and which theme.

import { html } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { forGood } from "../kept.js";

const THEMES = { auto: "Auto", light: "Light", dark: "Dark" };

export const header = ({ state, selectModel, say }) => html`
  <header class="top">
    <h1 class="brand"><img src="page/icon.svg" alt="" width="22" height="22" />slimdial</h1>
    <label class="field model">
      <span>Model</span>
      <select @change=${(e) => selectModel(e.target.value)} ?disabled=${!state.models.length}>
        ${state.models.map(
          (m) => html`<option value=${m.name} .selected=${live(m.name === state.wanted)}>
            ${m.name}
          </option>`,
        )}
      </select>
    </label>
    <p class="about">${state.model ? about(state.model) : ""}</p>
    <nav aria-label="More"><a href="docs">API</a></nav>
    <label class="field theme">
      <span>Theme</span>
      <select @change=${(e) => setTheme(e.target.value, say)}>
        ${Object.entries(THEMES).map(
          ([value, text]) => html`<option value=${value} .selected=${live(value === theme())}>
            ${text}
          </option>`,
        )}
      </select>
    </label>
  </header>
`;

const about = ({ version, input, provenance, tasks }) =>
  `version ${version} · ${tasks.length} tasks · ${input.width} × ${input.height} · ${provenance.license}`;

const theme = () => document.documentElement.dataset.theme ?? "auto";

function setTheme(value, say) {
  const { dataset } = document.documentElement;
  if (value === "auto") {
    delete dataset.theme;
    delete forGood["slimdial-theme"];
  } else {
    dataset.theme = value;
    forGood["slimdial-theme"] = value;
  }
  say(`Theme: ${THEMES[value]}`);
}
