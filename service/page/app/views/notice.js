// What went wrong, in the service's words, and what can be done about it.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { sentence } from "../format.js";

/** `whose` are the settings that it happened to, by index; they are named where there are others. */
export const notice = (session, problem, whose = []) => html`
  <div class="notice" role="alert">
    <p>
      <strong>${named(session, whose)}${title(problem)}</strong> ${sentence(problem.message)}
    </p>
    ${more(problem)} ${mend(session, problem, whose)}
  </div>
`;

const named = ({ state }, whose) =>
  whose.length < state.settings.length ? whose.map((i) => `${"AB"[i]}: `) : "";

function title({ status }) {
  if (status === 0) return "No connection.";
  if (status === 413 || status === 415) return "This picture cannot be used.";
  if (status === 422) return "This cannot be done.";
  if (status === 429 || status === 503) return "The service is busy.";
  return "Something went wrong.";
}

/** The least feasible budget, where that is what was missed; else another try. */
function mend(session, { body = {} }, whose) {
  const least = Object.entries(body.feasible ?? {}).find(([name]) => name.startsWith("min_"))?.[1];
  const use = () => whose.forEach((i) => session.setBudget(least, i));
  return least === undefined
    ? html`<button type="button" @click=${session.retry}>Try again</button>`
    : html`<button type="button" @click=${use}>Use the least</button>`;
}

function more({ status, body = {} }) {
  if (status === 0) return html`<p>The dials are kept; the page goes on when it is back.</p>`;
  if (body.retry_after_s) return html`<p>Try again in ${body.retry_after_s} s.</p>`;
  return nothing;
}
