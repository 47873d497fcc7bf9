// The page: a session, drawn again whenever it changes.

import { render } from "../vendor/lit-html/lit-html.js";
import { createSession } from "./session.js";
import { page } from "./views/page.js";

const TICK_MS = 100;

const root = document.getElementById("app");
root.replaceChildren();

let awaited = 0;
let timer = 0;

function draw() {
  awaited = 0;
  clearTimeout(timer);
  render(page(session), root);
  // A progress bar moves while a sub-network is awaited.
  if (session.state.runs.some((r) => r.stage === "dialling")) timer = setTimeout(draw, TICK_MS);
}

const session = createSession(() => {
  awaited ||= requestAnimationFrame(draw);
});

session.start();
