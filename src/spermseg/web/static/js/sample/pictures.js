// One row a picture: what was found, by which scale, and what to look at.

import { el } from "../dom.js";
import { number, t } from "../i18n.js";

const COLUMNS = {
  name: (one) => one.name,
  sperm: (one) => one.counts?.sperm,
  normal: (one) => one.counts?.normal,
  abnormal: (one) => one.counts?.abnormal,
  not_assessable: (one) => one.counts?.not_assessable,
  corrected: (one) => one.corrected,
  scale: (one) => one.scale?.um_per_px,
};
const NUMBERS = new Set(["sperm", "normal", "abnormal", "not_assessable", "corrected"]);

function compared(a, b) {
  if (a == null || b == null) return (a == null) - (b == null);
  return typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
}

function scaleText({ scale }) {
  if (scale?.um_per_px) return `${number(scale.um_per_px, 4)} µm/px`;
  if (scale?.head_length_px) return t("scale.head_short", { px: number(scale.head_length_px, 0) });
  return t("scale.none_short");
}

/** The table of pictures; `order` ({by, down}) is kept by the caller, `changed` draws again. */
export function pictureTable(pictures, order, { changed, open }) {
  const heading = (name) => {
    const sorted = order.by === name;
    const sort = () => changed({ by: name, down: sorted && !order.down });
    return el("th", { scope: "col", class: NUMBERS.has(name) ? "number" : null,
      "aria-sort": sorted ? (order.down ? "descending" : "ascending") : null },
    el("button", { type: "button", class: "sort", onclick: sort }, t(`sample.column.${name}`)));
  };
  const value = COLUMNS[order.by];
  const rows = [...pictures].sort((a, b) => (order.down ? -1 : 1) * compared(value(a), value(b)));
  const cell = (one, name) => {
    const content = COLUMNS[name](one);
    return el("td", { class: "number" }, content == null ? "–" : number(content));
  };
  const row = (one) => el("tr", {},
    el("th", { scope: "row" },
      el("button", { type: "button", class: "link", onclick: () => open(one.id) }, one.name)),
    [...NUMBERS].map((name) => cell(one, name)),
    el("td", {}, scaleText(one), el("span", { class: "interval" },
      one.scale?.source ? t(`scale.source.${one.scale.source.replaceAll(" ", "_")}.short`) : "")),
    el("td", {}, one.status === "done" ? (one.warnings ?? []).map((text) => el("span", { class: "warned" }, text))
      : el("span", { class: "warned" }, one.reason || t(`picture.${one.status}`))));
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, Object.keys(COLUMNS).map(heading),
      el("th", { scope: "col" }, t("sample.column.warnings")))),
    el("tbody", {}, rows.map(row))));
}
