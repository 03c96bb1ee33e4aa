// All keys of the page, in a dialog.

import { el } from "../dom.js";
import { hasText, t } from "../i18n.js";
import { icon } from "./icons.js";

/** Keys by what they do; those of `TOGETHER` are pressed at once. */
const GROUPS = {
  tools: {
    brush: ["B"], eraser: ["E"], split: ["S"], merge: ["M"], tail: ["T"], add: ["N"],
    delete: ["Delete"], radius: [",", "."], part: ["1", "…", "7"], apply: ["Enter"], leave: ["Esc"],
    pointer: ["←", "→", "↑", "↓"], pen: ["X"], scale: ["L"],
  },
  picture: {
    arrows: ["←", "→", "↑", "↓"], pan: ["Space", "drag"], zoom: ["+", "−"], fit: ["0"],
    next: ["[", "]"], close_up: ["Z"], outlines: ["H"],
  },
  history: { undo: ["Ctrl", "Z"], redo: ["Ctrl", "Y"], keys: ["?"] },
};
const TOGETHER = new Set(["pan", "undo", "redo"]);

const nameOfKey = (name) => (hasText(`key.${name}`) ? t(`key.${name}`) : name);

function keys(action, names) {
  const pressed = names.map((name) => el("kbd", {}, nameOfKey(name)));
  return TOGETHER.has(action) ? [pressed[0], el("span", {}, "+"), pressed[1]] : pressed;
}

function group(name) {
  const rows = Object.entries(GROUPS[name]).map(([action, names]) =>
    el("div", { class: "help-row" },
      el("dt", {}, t(`help.${action}`)), el("dd", {}, keys(action, names))));
  return el("section", { class: name }, el("h3", {}, t(`help.group.${name}`)), el("dl", {}, rows));
}

export function openHelp() {
  if (document.querySelector("dialog.help")) return;
  const close = el("button", { type: "button", class: "leave", "aria-label": t("close"),
    onclick: () => dialog.close() }, icon("close"));
  const dialog = el("dialog", { class: "help", "aria-labelledby": "help-title" },
    el("header", {}, el("h2", { id: "help-title" }, t("help.title")), close),
    el("div", { class: "help-groups" }, Object.keys(GROUPS).map(group)),
    el("p", { class: "hint" }, t("help.note")));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
