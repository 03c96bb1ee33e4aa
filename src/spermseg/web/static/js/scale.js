// How large a pixel is: typed, or by a line along the scale bar or along a head.

import { byId, el, isTyping } from "./dom.js";
import { number, t } from "./i18n.js";
import { notify } from "./notify.js";
import { measureLine } from "./tools/measure_line.js";
import { makePopover } from "./tools/popover.js";

const WAYS = ["typed", "bar", "head"];
const TOOL = "scale";
/** Heads of human sperm are about 4.4 um long: spermseg.data.scale.HEAD_LENGTH_UM. */
const USUAL_HEAD_UM = 4.4;
/** Further from the usual by this factor, something is wrong: spermseg.inference.scale. */
const CONTRADICTION = 1.6;

/** Read a number as people type it, with a point or a comma; NaN for anything else. */
export const readNumber = (text) => Number((text.trim() || "x").replace(",", "."));

export function initScale({ store, api, tools }) {
  const state = { way: "typed", typed: "", barLength: "10", line: 0, all: false, busy: false };
  const popover = makePopover({ name: "scale-menu", icon: "scale", content, stays: true, onToggle });
  byId("scale").replaceChildren(popover.element);
  tools.addTool(measureLine(TOOL, (length) => {
    state.line = length;
    showOutcome();
  }));

  function onToggle(open) {
    if (!open && store.get().tool === TOOL) tools.choose(null);
    Object.assign(state, { way: "typed", typed: "", line: 0 });
  }

  const scale = () => store.get().picture?.scale ?? {};

  /** Median head length of the picture in pixels, or null. */
  function headLength() {
    const lengths = (store.get().picture?.sperm ?? [])
      .filter((one) => one.is_sperm)
      .map((one) => one.measurements.head_length_px)
      .filter((value) => value != null)
      .sort((a, b) => a - b);
    return lengths.length ? lengths[Math.floor(lengths.length / 2)] : (scale().head_length_px ?? null);
  }

  /** What is asked for: the body of PUT .../scale, or null while it is incomplete. */
  function wanted() {
    if (state.way === "head") return state.line > 1 ? { head_length_px: rounded(state.line) } : null;
    const length = readNumber(state.barLength);
    const value = state.way === "typed" ? readNumber(state.typed) : length / state.line;
    return Number.isFinite(value) && value > 0 ? { um_per_px: Number(value.toPrecision(6)) } : null;
  }

  const rounded = (value) => Math.round(value * 100) / 100;

  /** What a pixel size says of the heads, and whether it can be true. */
  function judged(umPerPx) {
    const pixels = headLength();
    if (!pixels) return null;
    const um = pixels * umPerPx;
    const ratio = um / USUAL_HEAD_UM;
    return { um, strange: ratio > CONTRADICTION || ratio < 1 / CONTRADICTION };
  }

  function headSentence(umPerPx, key) {
    const found = judged(umPerPx);
    if (!found) return null;
    const words = t(key, { um: number(found.um, 1) });
    return el("p", { class: found.strange ? "warned" : "hint" },
      found.strange ? `${words} ${t("scale.strange")}` : words);
  }

  function now() {
    const { um_per_px: size, head_length_px: head } = scale();
    const source = scale().source ?? "unknown";
    const value = size
      ? t("scale.value", { um: number(size, 5), px: number(1 / size, 2) })
      : head ? t("scale.head_value", { px: number(head, 1) }) : t("scale.none");
    return el("section", { class: "scale-now" },
      el("p", { class: "scale-value" }, value),
      ...(state.way === "typed" ? nowIs(source, size) : []));
  }

  /** Where the scale comes from, and what speaks against it; not while a line is drawn, so that the
   * panel hides little of the picture. */
  const nowIs = (source, size) => [
    el("p", { class: "hint" }, t(`scale.source.${source.replaceAll(" ", "_")}`)),
    size && headSentence(size, "scale.heads_are"),
    ...(store.get().picture?.warnings ?? []).map((text) => el("p", { class: "warned" }, text)),
  ];

  function choose(way) {
    state.way = way;
    state.line = 0;
    popover.refresh();
    tools.choose(way === "typed" ? null : TOOL);
    popover.panel.querySelector("input[type=text]")?.focus();
  }

  function ways() {
    return el("fieldset", { class: "ways" }, el("legend", {}, t("scale.change")), WAYS.map((way) => {
      const input = el("input", { type: "radio", name: "scale-way", onchange: () => choose(way) });
      input.checked = way === state.way;
      return el("label", {}, input, t(`scale.way.${way}`));
    }));
  }

  function field(name, label, unit) {
    const input = el("input", { type: "text", inputmode: "decimal", autocomplete: "off",
      value: state[name], "aria-label": label });
    input.addEventListener("input", () => {
      state[name] = input.value;
      showOutcome();
    });
    return el("label", { class: "field" }, el("span", {}, label), input, el("span", {}, unit));
  }

  function entry() {
    if (state.way === "typed") return [field("typed", t("scale.pixel_size"), t("scale.um_per_px"))];
    return [
      el("p", { class: "hint" }, t(`scale.draw.${state.way}`)),
      el("p", { class: "field" }, el("span", {}, t("scale.line")), el("output", { id: "scale-line" })),
      state.way === "bar" && field("barLength", t("scale.its_length"), "µm"),
      state.way === "head" && el("p", { class: "hint" }, t("scale.head_means")),
    ];
  }

  function showOutcome() {
    const { panel } = popover;
    const outcome = panel.querySelector(".outcome");
    if (!outcome) return;
    const body = wanted();
    const line = panel.querySelector("#scale-line");
    if (line) line.textContent = state.line ? t("tool.pixels", { value: number(state.line, 1) }) : "–";
    outcome.replaceChildren(...outcomeOf(body).filter(Boolean));
    panel.querySelector(".apply").disabled = !body || state.busy;
  }

  function outcomeOf(body) {
    if (!body?.um_per_px) return [];
    const size = body.um_per_px;
    return [
      state.way === "bar" &&
        el("p", {}, t("scale.value", { um: number(size, 5), px: number(1 / size, 2) })),
      headSentence(size, "scale.heads_would_be"),
    ];
  }

  async function apply(body) {
    const { id } = store.get().picture;
    state.busy = true;
    showOutcome();
    try {
      await tools.editor.settled();
      const answer = await api.setScale(id, body, state.all);
      if (state.all) store.set({ workspace: answer });
      const picture = state.all ? await api.picture(id) : answer;
      if (store.get().picture?.id === id) store.set({ picture });
      notify(t(body.head_length_px ? "scale.again" : "scale.done"));
      tools.choose(null);
      popover.toggle(false);
    } catch (error) {
      notify(error.message, "error");
    } finally {
      state.busy = false;
      showOutcome();
    }
  }

  function content() {
    if (!store.get().picture) return [];
    const count = store.get().workspace?.pictures.length ?? 1;
    const all = el("input", { type: "checkbox", onchange: () => (state.all = all.checked) });
    all.checked = state.all;
    const form = el("form", { class: "scale-form" },
      now(), ways(), ...entry(),
      el("div", { class: "outcome", "aria-live": "polite" }),
      count > 1 && el("label", { class: "check" }, all, t("scale.all", { count })),
      state.way === "typed" && el("p", { class: "hint" }, t("scale.measured_again")),
      el("div", { class: "buttons" },
        el("button", { type: "submit", class: "primary apply" }, t("scale.apply")),
        scale().given && el("button", { type: "button", onclick: () => apply({ um_per_px: null }) },
          t("scale.forget"))));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (wanted()) apply(wanted());
    });
    queueMicrotask(showOutcome);
    return [el("h3", {}, t("scale.title")), form];
  }

  function refresh() {
    const { picture } = store.get();
    const { um_per_px: size, head_length_px: head } = scale();
    byId("scale").hidden = picture?.status !== "done";
    const shown = size
      ? `${number(size, 4)} µm/px`
      : head ? t("scale.head_short", { px: number(head, 0) }) : t("scale.none_short");
    popover.label(t("scale.title"), shown);
    popover.element.classList.toggle("doubtful", Boolean(size && judged(size)?.strange) || !size);
    popover.refresh();
  }

  document.addEventListener("keydown", (event) => {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.toLowerCase() !== "l" || byId("scale").hidden) return;
    event.preventDefault();
    popover.toggle(!popover.isOpen);
  });
  store.subscribe(({ tool }) => {
    // Another tool was taken: what was drawn is no more.
    if (tool !== TOOL && state.way !== "typed" && popover.isOpen && !state.busy) {
      state.way = "typed";
      popover.refresh();
    }
  }, "tool");
  store.subscribe(refresh, "picture", "language");
  refresh();
}
