// The service's own REST API, as any other client uses it.

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

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
};

async function send(path, { headers = {}, ...rest } = {}) {
  const bearer = key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
  let response;
  try {
    response = await fetch(new URL(path, BASE), { headers: { ...bearer, ...headers }, ...rest });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The service cannot be reached." });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Problem(response.status, body);
}

/** GET as JSON. */
export const get = async (path, signal) => (await send(path, { signal })).json();

/** GET as a Blob: with a key, an <img> or a link could not send it. */
export const blob = async (path, signal) => (await send(path, { signal })).blob();

/** POST of JSON, answered with JSON. */
export const post = async (path, body, signal) =>
  (
    await send(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    })
  ).json();

/** POST of a picture as it is, answered with JSON. */
export const postPicture = async (path, picture, signal) =>
  (
    await send(path, {
      method: "POST",
      headers: { "Content-Type": picture.type || "image/*", Accept: "application/json" },
      body: picture,
      signal,
    })
  ).json();
