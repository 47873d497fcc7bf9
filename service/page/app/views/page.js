// The whole page.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { curvePanel } from "./curve.js";
import { dials } from "./dials.js";
import { header } from "./header.js";
import { keyDialog } from "./key.js";
import { networkPanel } from "./network.js";
import { notice } from "./notice.js";
import { outputsPanel } from "./outputs.js";
import { pictures } from "./pictures.js";
import { qualityPanel } from "./quality.js";
import { takeAway } from "./share.js";

export const page = (session) => {
  const { state } = session;
  return html`
    <a class="skip" href="#dials">Skip to the dials</a>
    ${header(session)}
    ${state.problem ? html`<main class="alone">${notice(session, state.problem)}</main>` : nothing}
    ${state.model && state.settings.length && !state.problem ? body(session) : nothing}
    ${keyDialog(session)}
    <p class="hidden" role="status" aria-live="polite">${state.said}</p>
  `;
};

const body = (session) => html`
  <main class="page">
    ${pictures(session)} ${outputsPanel(session)}
    <aside class="side" id="dials" tabindex="-1" aria-label="Dials">${dials(session)}</aside>
    <div class="rest">
      ${networkPanel(session)}
      <div class="pair">${curvePanel(session)} ${takeAway(session)}</div>
      ${qualityPanel(session)}
    </div>
  </main>
`;
