// The service's own REST API, as any other client uses it.

import { forTab } from "./kept.js";

const KEY = "slimdial-key";
const BASE = new URL("./", document.baseURI);

/** An answer that is not a success: problem+json, or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.error ?? `The service answered with status ${status}.`);
    this.status = status;
    this.body = body;
  }
}

export const address = () => BASE.href.replace(/\/$/, "");

/** The API key of this tab. Only what a header can hold is one: fetch refuses to send the rest. */
export const key = {
  fits: (value) => /^[\x21-\x7e]+$/.test(value),
  get() {
    const kept = forTab[KEY] ?? "";
    return key.fits(kept) ? kept : null;
  },
  set: (value) => (forTab[KEY] = value),
};

/** Sends, and reads the answer `as` "json" or "blob". */
async function send(path, as, { headers = {}, ...rest } = {}) {
  const bearer = key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
  let status = 0;
  try {
    const response = await fetch(new URL(path, BASE), { headers: { ...bearer, ...headers }, ...rest });
    ({ status } = response);
    if (response.ok) return await response[as]();
    throw new Problem(status, await response.json().catch(() => ({})));
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    if (error instanceof SyntaxError) {
      throw new Problem(status, { detail: "The answer is not this service's." });
    }
    throw new Problem(0, { detail: "The service cannot be reached." });
  }
}

/** GET as JSON. */
export const get = (path, signal) => send(path, "json", { signal });

/** GET as a Blob: with a key, an <img> or a link could not send it. */
export const blob = (path, signal) => send(path, "blob", { signal });

/** POST of JSON, answered with JSON. */
export const post = (path, body, signal) =>
  send(path, "json", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

/** POST of a picture as it is, answered with JSON. */
export const postPicture = (path, picture, signal) =>
  send(path, "json", {
    method: "POST",
    headers: { "Content-Type": picture.type || "image/*", Accept: "application/json" },
    body: picture,
    signal,
  });
