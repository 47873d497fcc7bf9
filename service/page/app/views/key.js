// Asks for an API key where the service wants one. It is kept for this tab only.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { ref } from "../../vendor/lit-html/directives/ref.js";
import { sentence } from "../format.js";

// Once it is in the document; here it is not there yet.
const open = (dialog) =>
  queueMicrotask(() => dialog?.isConnected && !dialog.open && dialog.showModal());

export const keyDialog = ({ state, useKey, closeKey }) => {
  if (!state.keyAsked) return nothing;
  const use = (event) => {
    event.preventDefault();
    useKey(new FormData(event.target).get("key").trim());
  };
  return html`
    <dialog class="key" aria-labelledby="key-title" @close=${closeKey} ${ref(open)}>
      <form @submit=${use}>
        <h2 id="key-title">This service needs a key</h2>
        ${state.keyAsked.refused
          ? html`<p role="alert">That key was not taken. ${sentence(state.keyAsked.words)}</p>`
          : html`<p>Whoever runs it gives you one. It is kept until this tab is closed.</p>`}
        <label class="stack">API key
          <input name="key" type="password" autocomplete="off" required autofocus />
        </label>
        <button class="primary">Use this key</button>
      </form>
    </dialog>
  `;
};
