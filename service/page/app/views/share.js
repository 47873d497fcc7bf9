// What a visitor takes away: the ONNX file, and the same request as curl and as Python.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { curl, python } from "../snippets.js";

export const takeAway = (session) => {
  const { state } = session;
  const i = state.active;
  const ready = state.runs[i].subnet;
  const whose = state.runs.length > 1 ? html` <b class=${`mark ${"AB"[i]}`}>${"AB"[i]}</b>` : nothing;
  return html`
    <section class="panel" aria-labelledby="share-title">
      <h2 id="share-title">Take it with you${whose}</h2>
      <button type="button" class="primary" ?disabled=${!ready} @click=${() => session.download(i)}>
        Download ONNX
      </button>
      ${snippet(session, "curl", curl(state, state.settings[i]))}
      ${snippet(session, "Python", python(state, state.settings[i]))}
    </section>
  `;
};

const snippet = ({ say }, name, text) => html`
  <div class="snippet">
    <div class="row">
      <h3>${name}</h3>
      <button type="button" class="quiet" aria-label=${`Copy ${name}`} @click=${(e) => copy(e, text, () => say(`${name} copied`))}>
        Copy
      </button>
    </div>
    <pre tabindex="0" aria-label=${name}><code>${text}</code></pre>
  </div>
`;

async function copy({ currentTarget: button }, text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure connection there is no clipboard; the text can still be selected.
    getSelection().selectAllChildren(button.closest(".snippet").querySelector("code"));
    return;
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
  done();
}
