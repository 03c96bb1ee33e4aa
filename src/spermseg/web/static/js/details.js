/** All that is known of the selected sperm. */

import { byId, el } from "./dom.js";
import { hasText, t } from "./i18n.js";
import { failureText, flagText, quantityOf, reasonText, verdictText, withUnit } from "./sentences.js";
import { spermById } from "./store.js";
import { verdictClass, verdictMark } from "./verdicts.js";

/** Quantities by the part they tell of, in the order they are read. */
const GROUPS = [
  ["head", /^head_/],
  ["acrosome", /^(acrosome|vacuole)_/],
  ["midpiece", /^(midpiece|droplet)_/],
  ["tail", /^tail_/],
];
const SCALED = { um: "px", um2: "px2", per_um: "per_px" };

export function initDetails({ store }) {
  const panel = byId("details");
  const update = () => {
    const state = store.get();
    const sperm = spermById(state, state.selected);
    panel.replaceChildren(...(sperm ? detailsOf(sperm) : nothing(state)));
    panel.scrollTop = 0;
  };
  store.subscribe(update, "selected", "picture", "language");
  update();
}

function nothing({ picture }) {
  return [
    el("header", { class: "panel-header" }, el("h2", { id: "details-title" }, t("details.title"))),
    el("p", { class: "empty" }, t(picture?.sperm.length ? "details.choose" : "details.none")),
  ];
}

function detailsOf(sperm) {
  return [
    el("header", { class: "panel-header" },
      el("h2", { id: "details-title" }, t("details.sperm", { id: String(sperm.id) })),
      el("span", { class: `badge ${verdictClass(sperm.verdict)}` }, verdictMark(sperm.verdict), verdictText(sperm.verdict)),
      sperm.corrected && el("span", { class: "badge corrected" }, `✎ ${t("sperm.corrected")}`)),
    ...why(sperm),
    ...flags(sperm),
    ...measurements(sperm),
    el("p", { class: "quiet" }, t("details.score", { score: sperm.score })),
  ];
}

function why({ verdict, failed, reason }) {
  if (failed.length) {
    return [
      el("h3", {}, t("details.failed", { count: failed.length })),
      el("ul", { class: "failures" }, failed.map((one) => el("li", {}, failureText(one)))),
    ];
  }
  if (reason) return [el("p", { class: "reason" }, reasonText(reason))];
  return verdict === "normal" ? [el("p", { class: "reason" }, t("details.normal"))] : [];
}

function flags(sperm) {
  // That it was corrected, the heading says.
  const told = sperm.flags.filter((flag) => flag !== "corrected");
  if (!told.length) return [];
  return [el("h3", {}, t("details.flags")), el("ul", { class: "flags" }, told.map((flag) => el("li", {}, flagText(flag))))];
}

function measurements({ measurements: values }) {
  const known = Object.entries(values)
    .filter(([, value]) => typeof value === "number")
    .map(([column, value]) => ({ value, column, ...quantityOf(column) }));
  const columns = new Set(known.map(({ column }) => column));
  const hasScaled = ({ name, unit }) =>
    Object.entries(SCALED).some(([scaled, plain]) => plain === unit && columns.has(`${name}_${scaled}`));
  const shown = known.filter((one) => !hasScaled(one));
  return GROUPS.flatMap(([group, pattern]) => {
    const rows = shown.filter(({ name }) => pattern.test(name));
    if (!rows.length) return [];
    return [
      el("h3", {}, t(`details.${group}`)),
      el("dl", { class: "measurements" }, rows.flatMap(({ name, value, unit }) => [
        el("dt", { title: hasText(`quantity.${name}.title`) ? t(`quantity.${name}.title`) : null }, quantityName(name)),
        el("dd", {}, quantityValue(name, value, unit)),
      ])),
    ];
  });
}

const quantityName = (name) => (hasText(`quantity.${name}`) ? t(`quantity.${name}`) : name.replaceAll("_", " "));

function quantityValue(name, value, unit) {
  if (name === "vacuole_behind_acrosome") return t(value ? "details.yes" : "details.no");
  if (name.endsWith("_fraction")) return `${withUnit(100 * value, "")} %`;
  return withUnit(value, unit);
}
