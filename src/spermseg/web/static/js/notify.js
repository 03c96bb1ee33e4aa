/** Short messages to the user, which go by themselves. */

import { byId, el } from "./dom.js";

const SHOWN_MS = { info: 5000, error: 10000 };

/** Show a message; errors are read out at once and stay longer. */
export function notify(text, kind = "info") {
  const message = el("p", { class: `message ${kind}` }, text);
  const close = () => message.remove();
  message.addEventListener("click", close);
  byId(kind === "error" ? "alerts" : "messages").append(message);
  setTimeout(close, SHOWN_MS[kind]);
}

/** Say something to screen readers only. */
export function announce(text) {
  byId("announcer").textContent = text;
}
