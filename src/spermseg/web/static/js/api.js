/** The server's answers; see spermseg.web for what each holds. */

export class ApiError extends Error {
  /** @param status HTTP status, 0 where the server was not reached.
   * @param retryAfter seconds to wait, where the server says so. */
  constructor(message, status, retryAfter = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("the server does not answer", 0);
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function errorOf(response) {
  const answer = await response.json().catch(() => ({}));
  const retryAfter = Number.parseFloat(response.headers.get("Retry-After"));
  return new ApiError(
    answer.error ?? `${response.status} ${response.statusText}`,
    response.status,
    Number.isFinite(retryAfter) ? retryAfter : null,
  );
}

async function json(path, method = "GET", body = undefined) {
  const options = { method };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const response = await request(path, options);
  return response.status === 204 ? null : response.json();
}

const pictureUrl = (id) => `/api/pictures/${encodeURIComponent(id)}`;

export const api = {
  workspace: () => json("/api/workspace"),
  picture: (id) => json(pictureUrl(id)),
  upload: async (file, name) => {
    const path = `/api/pictures?name=${encodeURIComponent(name)}`;
    const headers = { "Content-Type": "application/octet-stream" };
    return (await request(path, { method: "POST", body: file, headers })).json();
  },
  remove: (id) => json(pictureUrl(id), "DELETE"),
  setScale: (id, body, all = false) =>
    json(`${pictureUrl(id)}/scale${all ? "?all=true" : ""}`, "PUT", body),
  edit: (id, baseVersion, edit) =>
    json(`${pictureUrl(id)}/edits`, "POST", { base_version: baseVersion, edit }),
  versions: (id) => json(`${pictureUrl(id)}/versions`),
  setVersion: (id, version) => json(`${pictureUrl(id)}/version`, "PUT", { version }),
  sample: () => json("/api/sample"),
  downloadUrl: (format) => `/api/downloads/${encodeURIComponent(format)}`,
  thumbnailUrl: (id) => `${pictureUrl(id)}/thumbnail.jpg`,
  tile: async (id, level, x, y, signal) => {
    const path = `${pictureUrl(id)}/tiles/${level}/${x}/${y}.jpg`;
    return (await request(path, { signal })).blob();
  },
  /** Listen to the server: `on.workspace(data)`, `on.progress(data)`, `on.open()`, `on.lost()`.
   * The browser connects again by itself unless the server refuses. */
  events(on) {
    let source = null;
    let timer = null;
    const connect = () => {
      source = new EventSource("/api/events");
      source.addEventListener("open", () => on.open());
      source.addEventListener("workspace", (event) => on.workspace(JSON.parse(event.data)));
      source.addEventListener("progress", (event) => on.progress(JSON.parse(event.data)));
      source.addEventListener("error", () => {
        on.lost();
        if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, RECONNECT_MS);
      });
    };
    connect();
    return () => {
      clearTimeout(timer);
      source.close();
    };
  },
};

const RECONNECT_MS = 3000;
