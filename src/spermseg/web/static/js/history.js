// Undo, redo, and the list of a picture's versions.

import { byId, el, isTyping } from "./dom.js";
import { t } from "./i18n.js";
import { notify } from "./notify.js";
import { icon } from "./tools/icons.js";
import { makePopover } from "./tools/popover.js";

/** The time of day, with the day where that is not today. */
function timeText(time) {
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString(document.documentElement.lang,
    { dateStyle: today ? undefined : "short", timeStyle: today ? "medium" : "short" });
}

export function initHistory({ store, api, editor }) {
  const box = byId("history");
  // Where undo came from, so that redo goes back there rather than to a younger branch.
  const forward = new Map();
  let of = null; // id of the picture whose versions these are
  let versions = [];

  const current = () => store.get().picture?.version ?? 0;
  const entry = (version) => versions.find((one) => one.version === version);
  const undoTarget = () => entry(current())?.parent ?? null;

  function redoTarget() {
    const children = versions.filter((one) => one.parent === current()).map((one) => one.version);
    const remembered = forward.get(`${of} ${current()}`);
    return children.includes(remembered) ? remembered : children.length ? Math.max(...children) : null;
  }

  async function load() {
    const { picture } = store.get();
    if (!picture || !picture.versions) {
      [of, versions] = [picture?.id ?? null, []];
    } else {
      const found = await api.versions(picture.id);
      if (store.get().picture?.id !== picture.id) return;
      [of, versions] = [picture.id, found.versions];
    }
    refresh();
  }

  async function go(target, told) {
    if (target === null) {
      notify(t(told === "undo" ? "history.nothing_undone" : "history.nothing_redone"));
      return;
    }
    await editor.goTo(target);
  }

  // Corrections on their way are part of what is undone: wait for them.
  async function undo() {
    await editor.settled();
    await load();
    if (undoTarget() !== null) forward.set(`${of} ${undoTarget()}`, current());
    await go(undoTarget(), "undo");
  }

  async function redo() {
    await editor.settled();
    await load();
    await go(redoTarget(), "redo");
  }

  const told = (work) => () => work().catch((error) => notify(error.message, "error"));

  function button(name, work) {
    return el("button", { type: "button", class: "icon", onclick: told(work) }, icon(name));
  }

  const undoButton = button("undo", undo);
  const redoButton = button("redo", redo);
  const popover = makePopover({ name: "versions", icon: "versions", content });
  box.replaceChildren(undoButton, redoButton, popover.element);

  /** The versions that the current one rests on, itself among them. */
  function lineage() {
    const line = new Set([0]);
    for (let at = current(); at; at = entry(at)?.parent ?? 0) line.add(at);
    return line;
  }

  function row(version, label, time, corrected, inLine) {
    const isCurrent = version === current();
    const facts = [time && timeText(new Date(time)),
      corrected > 0 && t("history.corrected", { count: corrected })].filter(Boolean);
    return el("li", { class: inLine ? "" : "undone" },
      el("button", { type: "button", "aria-current": isCurrent ? "true" : null,
        onclick: told(() => go(version)) },
      el("span", { class: "what" }, label),
      el("span", { class: "facts" }, facts.join(" · ")),
      isCurrent && el("span", { class: "badge" }, t("history.shown")),
      !inLine && el("span", { class: "facts" }, t("history.undone"))));
  }

  function said({ type, sperm }) {
    const names = [sperm ?? []].flat().join(", ");
    return t(`history.edit.${type}`, { sperm: names });
  }

  function content() {
    const line = lineage();
    const rows = [...versions].reverse().map((one) => {
      const corrected = Array.isArray(one.corrected) ? one.corrected.length : one.corrected;
      return row(one.version, said(one.edit), one.time, corrected, line.has(one.version));
    });
    return [
      el("h3", {}, t("history.versions")),
      el("p", { class: "hint" }, t("history.explained")),
      el("ol", { class: "version-list" }, rows, row(0, t("history.original"), null, null, true)),
      el("button", { type: "button", disabled: current() === 0, onclick: told(() => go(0)) },
        t("history.back")),
    ];
  }

  function refresh() {
    const { picture } = store.get();
    box.hidden = picture?.status !== "done";
    undoButton.disabled = undoTarget() === null;
    redoButton.disabled = redoTarget() === null;
    for (const [one, name, keys] of [[undoButton, "undo", "Ctrl+Z"], [redoButton, "redo", "Ctrl+Y"]]) {
      one.setAttribute("aria-label", t(`history.${name}`));
      one.title = `${t(`history.${name}`)} (${keys})`;
    }
    const corrected = picture?.corrected ?? 0;
    popover.label(t("history.versions"), corrected ? t("history.corrected", { count: corrected }) : "");
    popover.refresh();
  }

  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    if (store.get().page !== "pictures" || !store.get().picture) return;
    const key = event.key.toLowerCase();
    const back = key === "z" && !event.shiftKey;
    if (!back && key !== "y" && key !== "z") return;
    event.preventDefault();
    told(back ? undo : redo)();
  });
  store.subscribe(refresh, "language");
  store.subscribe(({ picture }) => {
    if (picture?.id !== of) versions = [];
    refresh();
    load().catch((error) => notify(error.message, "error"));
  }, "picture");
  refresh();
}
