// What went wrong, in the service's words, and what can be done about it.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";

export const notice = (session, problem) => html`
  <div class="notice" role="alert">
    <p><strong>${title(problem)}</strong> ${problem.message}</p>
    ${more(problem)}
    <button type="button" @click=${session.retry}>Try again</button>
  </div>
`;

function title({ status }) {
  if (status === 0) return "No connection.";
  if (status === 413 || status === 415) return "This picture cannot be used.";
  if (status === 422) return "This cannot be done.";
  if (status === 429 || status === 503) return "The service is busy.";
  return "Something went wrong.";
}

function more({ status, body }) {
  if (status === 0) return html`<p>The dials are kept; the page goes on when it is back.</p>`;
  if (body?.retry_after_s) return html`<p>Try again in ${body.retry_after_s} s.</p>`;
  return nothing;
}
