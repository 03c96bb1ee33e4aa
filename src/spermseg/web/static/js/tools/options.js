// What can be set of the tool in hand, and how it is used, above the picture.

import { el } from "../dom.js";
import { t } from "../i18n.js";
import { icon } from "./icons.js";
import { colourOf, partsOf } from "./picking.js";
import { ALL_PARTS, LARGEST_RADIUS, SMALLEST_RADIUS } from "./settings.js";

const WITHOUT_SPERM = new Set(["add", "merge", "split", "scale"]);

export const nameOfPart = (part) => t(`part.${part.name}`);

export function makeOptions({ store, settings, choose }, container) {
  let current = null;

  function choicesOf(setting) {
    const parts = partsOf(store).map((part) => ({
      value: part.id, label: nameOfPart(part), colour: colourOf(store, part.id),
    }));
    if (setting === "part") return parts;
    return [
      { value: ALL_PARTS, label: t("tool.all_parts") },
      ...parts,
    ];
  }

  function swatch(colour) {
    const dot = el("span", { class: "swatch", "aria-hidden": "true" });
    if (colour) dot.style.backgroundColor = colour;
    return dot;
  }

  function parts(setting) {
    const chosen = settings.get()[setting];
    const choices = choicesOf(setting).map(({ value, label, colour }, index) => {
      const input = el("input", { type: "radio", name: "tool-part", value: String(value),
        class: "visually-hidden", onchange: () => settings.set({ [setting]: value }) });
      input.checked = value === chosen;
      return el("label", { class: "chip pick", title: `${label} (${index + 1})` }, input,
        colour && swatch(colour), label);
    });
    return el("span", { class: "chips", role: "radiogroup", "aria-label": t("tool.part") }, choices);
  }

  function radius() {
    const value = settings.get().radius;
    const slider = el("input", { type: "range", min: SMALLEST_RADIUS, max: LARGEST_RADIUS,
      value, "aria-label": t("tool.radius"), title: t("tool.radius_keys") });
    slider.addEventListener("input", () => settings.set({ radius: Number(slider.value) }));
    return el("label", { class: "radius" }, slider,
      el("output", {}, t("tool.pixels", { value })));
  }

  const makers = { part: () => parts("part"), erased: () => parts("erased"), radius };

  function focusKey() {
    const { activeElement } = document;
    if (!container.contains(activeElement)) return null;
    return activeElement.matches("input[type=range]") ? "input[type=range]" : "input:checked";
  }

  const hintOf = (kind, tool) => t(tool?.hint?.() ?? `tool.${kind.name}.hint`);

  function whoFor(kind) {
    const { selected } = store.get();
    if (WITHOUT_SPERM.has(kind.name)) return "";
    return selected === null ? t("tool.no_sperm") : t("tool.of_sperm", { sperm: selected });
  }

  return {
    show(kind, tool) {
      current = kind;
      container.hidden = !kind;
      if (!kind) {
        container.replaceChildren();
        return;
      }
      if (settings.get().part === null) settings.get().part = partsOf(store)[0]?.id ?? null;
      const focused = focusKey();
      const name = el("strong", { class: "tool-name" }, icon(kind.name), t(`tool.${kind.name}`),
        el("span", { class: "whom" }, whoFor(kind)));
      const panel = tool?.panel?.() ?? [];
      const controls = kind.options.map((option) => makers[option]());
      const close = el("button", { type: "button", class: "leave", "aria-label": t("tool.leave"),
        title: `${t("tool.leave")} (Esc)`, onclick: () => choose(null) }, icon("close"));
      container.setAttribute("aria-label", t("tool.options"));
      container.replaceChildren(
        el("div", { class: "tool-row" }, name, controls, panel.filter(Boolean), close),
        el("p", { class: "hint" }, hintOf(kind, tool)));
      if (focused) container.querySelector(focused)?.focus();
    },
    /** Choose the nth part; false where the tool has none. */
    choosePart(number) {
      const setting = current?.options.find((one) => one !== "radius");
      const choice = setting && choicesOf(setting)[number - 1];
      if (choice) settings.set({ [setting]: choice.value });
      return Boolean(choice);
    },
  };
}
