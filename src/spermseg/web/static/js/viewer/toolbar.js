/** The controls of the picture: zoom, parts, opacity, light, one sperm at a time. */

import { byId, el } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "../icons.js";
import { DEFAULT_SHOW, setShow } from "../store.js";
import { step } from "./keys.js";

const ZOOM = 1.5;
const SLIDERS = {
  opacity: [0, 1, 0.05],
  brightness: [0.4, 2, 0.05],
  contrast: [0.4, 3, 0.05],
};

export function initToolbar(viewer, store) {
  const bar = byId("viewer-toolbar");
  const build = () => {
    bar.setAttribute("aria-label", t("viewer.toolbar"));
    bar.replaceChildren(
      zoomGroup(viewer, store),
      spermGroup(viewer, store),
      partsGroup(store),
    );
    update();
  };
  const update = () => reflect(bar, store.get());
  let model = store.get().workspace?.model.id;
  store.subscribe(build, "language");
  store.subscribe(({ workspace }) => {
    // Not at every change of the queue: that would take the controls from under the pointer.
    if (workspace?.model.id === model) return;
    model = workspace?.model.id;
    build();
  }, "workspace");
  store.subscribe(update, "show", "picture", "selected");
  build();
}

function iconButton(name, key, shortcut, onclick, attributes = {}) {
  const label = t(key);
  const title = shortcut ? `${label} (${shortcut})` : label;
  return el("button", { type: "button", class: "icon", "aria-label": label, title, onclick, ...attributes }, icon(name));
}

function zoomGroup(viewer, store) {
  return el(
    "div",
    { class: "group" },
    iconButton("minus", "viewer.zoom_out", "−", () => viewer.zoomBy(1 / ZOOM)),
    iconButton("plus", "viewer.zoom_in", "+", () => viewer.zoomBy(ZOOM)),
    iconButton("fit", "viewer.fit", "0", () => viewer.fit()),
    ...display(store),
  );
}

function partsGroup(store) {
  const { workspace } = store.get();
  const parts = (workspace?.model?.parts ?? []).filter(({ id }) => id !== 0);
  const toggle = (id) => {
    const { hiddenParts } = store.get().show;
    setShow({ hiddenParts: Object.freeze({ ...hiddenParts, [id]: !hiddenParts[id] }) });
  };
  return el(
    "div",
    { class: "group parts", role: "group", "aria-label": t("viewer.parts") },
    iconButton("eye", "viewer.overlay", "H", () => setShow({ overlay: !store.get().show.overlay }), { "data-pressed": "overlay" }),
    parts.map(({ id, name }) => {
      const swatch = el("span", { class: "swatch" });
      swatch.style.setProperty("background-color", workspace.colours[id]);
      return el("button", { type: "button", class: "part", "data-part": id, onclick: () => toggle(id) }, swatch, t(`part.${name}`));
    }),
  );
}

function spermGroup(viewer, store) {
  const choose = (value) => {
    setShow({ only: value });
    if (value !== "all" && store.get().selected === null) step(viewer, store, 1);
  };
  const only = el(
    "select",
    { "aria-label": t("viewer.others"), title: t("viewer.others"), "data-show": "only", onchange: (event) => choose(event.target.value) },
    ["all", "dim", "hide"].map((value) => el("option", { value }, t(`viewer.others.${value}`))),
  );
  return el(
    "div",
    { class: "group" },
    iconButton("numbers", "viewer.numbers", "", () => setShow({ numbers: !store.get().show.numbers }), { "data-pressed": "numbers" }),
    iconButton("previous", "viewer.previous", "[", () => step(viewer, store, -1)),
    iconButton("next", "viewer.next", "]", () => step(viewer, store, 1)),
    iconButton("target", "viewer.close_up", "Z", () => viewer.closeUp(store.get().selected), { "data-needs": "selected" }),
    only,
  );
}

function display(store) {
  const sliders = Object.entries(SLIDERS).map(([name, [min, max, step]]) =>
    el(
      "label",
      { class: "slider" },
      el("span", {}, t(`viewer.${name}`)),
      el("input", { type: "range", min, max, step, "data-show": name, oninput: (event) => setShow({ [name]: event.target.valueAsNumber }) }),
    ),
  );
  const { opacity, brightness, contrast } = DEFAULT_SHOW;
  const reset = el("button", { type: "button", onclick: () => setShow({ opacity, brightness, contrast }) }, t("viewer.reset"));
  const panel = el("div", { class: "popover-panel", id: "display-panel", popover: "auto" }, sliders, reset);
  const open = iconButton("light", "viewer.display", "", () => {
    // Placed below its button, within the window.
    const { left, bottom } = open.getBoundingClientRect();
    panel.style.setProperty("left", `${left}px`);
    panel.style.setProperty("top", `${bottom + 6}px`);
  }, { popovertarget: "display-panel" });
  return [open, panel];
}

function reflect(bar, { show, picture, selected }) {
  for (const one of bar.querySelectorAll("button, select")) one.disabled = !picture;
  for (const one of bar.querySelectorAll("[data-needs=selected]")) one.disabled = selected === null;
  for (const one of bar.querySelectorAll("[data-pressed]")) one.setAttribute("aria-pressed", show[one.dataset.pressed]);
  for (const one of bar.querySelectorAll("[data-part]")) one.setAttribute("aria-pressed", !show.hiddenParts[one.dataset.part]);
  for (const one of bar.querySelectorAll("[data-show]")) one.value = show[one.dataset.show];
}
