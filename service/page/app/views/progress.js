// How far a sub-network that is not there yet has come, by how long the last one took.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";

const PATIENCE_MS = 200;

export function progress({ state }, run, i) {
  const waited = performance.now() - run.since;
  if (run.stage !== "dialling" || waited < PATIENCE_MS) return nothing;
  // Four fifths after the usual time; it goes on however long it takes.
  const share = waited / (waited + state.usualBuildMs / 4);
  const whose = state.runs.length > 1 ? ` for ${"AB"[i]}` : "";
  return html`
    <div class="progress">
      <label for=${`progress-${i}`}>
        Cutting a new sub-network${whose}: search, extract, calibrate
        <span>${(waited / 1000).toFixed(1)} s</span>
      </label>
      <progress id=${`progress-${i}`} max="1" value=${share.toFixed(3)}></progress>
    </div>
  `;
}
