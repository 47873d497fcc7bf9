// Which picture: the model's examples, or one of the visitor's own, by button or dropped.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";

export const pictures = (session) => {
  const { state, openFile } = session;
  const dropped = (event) => {
    event.preventDefault();
    event.currentTarget.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
  };
  const over = (event) => {
    event.preventDefault();
    event.currentTarget.classList.add("over");
  };
  const away = (event) => event.currentTarget.classList.remove("over");
  return html`
    <section
      class="panel pictures"
      aria-labelledby="pictures-title"
      @dragover=${over}
      @dragleave=${away}
      @drop=${dropped}
    >
      <h2 id="pictures-title">Picture</h2>
      ${state.examples.map((example) => thumbnail(session, example))}
      ${state.picture?.example === null && state.picture.url
        ? html`<span class="thumbnail own"><img src=${state.picture.url} alt=${state.picture.label} width="56" height="56" /></span>`
        : nothing}
      <label class="open">
        <input
          type="file"
          accept="image/jpeg,image/png,image/webp"
          @change=${({ target }) => {
            if (target.files.length) openFile(target.files[0]);
            target.value = "";
          }}
        />
        <span><strong>Open a picture</strong> or drop one here</span>
      </label>
      ${hint(state)}
    </section>
  `;
};

const thumbnail = ({ state, chooseExample }, { name, number, url }) => html`
  <button
    type="button"
    class="thumbnail"
    aria-pressed=${state.picture?.example === name}
    @click=${() => chooseExample(name)}
  >
    <img src=${url} alt=${`Example ${number}`} width="56" height="56" />
  </button>
`;

function hint({ examples }) {
  if (examples.some((e) => e.source === "calibration")) {
    return html`<p class="hint">
      This model comes without test pictures. These are synthetic ones, which it is calibrated with:
      there is no ground truth for them.
    </p>`;
  }
  if (!examples.length) return html`<p class="hint">This model comes without pictures.</p>`;
  return nothing;
}
