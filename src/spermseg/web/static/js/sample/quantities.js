// Names of what was measured, and the table of medians.

import { el } from "../dom.js";
import { hasText, t } from "../i18n.js";
import { unitText, withUnit } from "../sentences.js";

const MAIN = [
  "head_length", "head_width", "head_ellipticity", "head_area", "head_perimeter",
  "acrosome_fraction", "midpiece_length", "midpiece_width", "tail_length",
];
const PARTS = ["head", "midpiece", "tail"];

/** The name of a quantity by itself: "Head: length", where tables of one sperm say "Length". */
export function quantityName(quantity, unit = "") {
  const key = `quantity.${quantity}`;
  const name = hasText(key) ? t(key) : quantity.replaceAll("_", " ");
  const part = PARTS.find((one) => quantity.startsWith(`${one}_`));
  const lower = name.charAt(0).toLocaleLowerCase(document.documentElement.lang) + name.slice(1);
  const full = part ? `${t(`part.${part}`)}: ${lower}` : name;
  return unit ? `${full}, ${unitText(unit)}` : full;
}

const shown = (value, unit) => (value == null ? "–" : withUnit(value, unit));

function quantityRow({ quantity, unit, counted, normal, references = [] }, sources) {
  const cell = (group) => el("td", { class: "number" }, shown(group?.median, unit),
    group?.n > 0 && el("span", { class: "interval" },
      `${shown(group.first_quartile, "")} – ${shown(group.third_quartile, "")}`));
  const reference = (source) => {
    const one = references.find((entry) => entry.source === source);
    return el("td", { class: "number" }, one ? shown(one.median, unit) : "",
      one?.low != null && el("span", { class: "interval" },
        `${shown(one.low, "")} – ${shown(one.high, "")}`));
  };
  return el("tr", {}, el("th", { scope: "row" }, quantityName(quantity)),
    el("td", { class: "number" }, String(counted?.n ?? "")), cell(counted), cell(normal),
    sources.map(reference));
}

/** Medians with the middle half, beside what was published. */
export function quantityTable(morphometry) {
  const rows = Object.values(morphometry)
    .filter((one) => MAIN.includes(one.quantity))
    .sort((a, b) => MAIN.indexOf(a.quantity) - MAIN.indexOf(b.quantity));
  if (!rows.length) return null;
  const sources = [...new Set(rows.flatMap((one) => (one.references ?? []).map((ref) => ref.source)))];
  const head = (text) => el("th", { scope: "col", class: "number" }, text);
  return el("div", { class: "scroll" },
    el("table", {},
      el("thead", {}, el("tr", {}, el("td"), head(t("sample.column.sperm")),
        head(t("sample.column.median")), head(t("sample.column.normal_median")),
        sources.map((_, i) => head(t("sample.column.reference", { count: String(i + 1) }))))),
      el("tbody", {}, rows.map((one) => quantityRow(one, sources)))),
    el("p", { class: "hint" }, t("sample.medians_explained"),
      sources.map((source, i) => ` ${t("sample.column.reference", { count: String(i + 1) })}: ${source}.`)));
}
