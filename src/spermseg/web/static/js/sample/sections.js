// The parts of the sample page, each made of one summary as in summary.json.

import { el } from "../dom.js";
import { number, t } from "../i18n.js";
import { criterionName, reasonText } from "../sentences.js";
import { intervalBar, intervalText } from "./bars.js";
import { notesOf, percent } from "./notes.js";

export function section(key, ...content) {
  const title = t(`sample.${key}`);
  const card = el("section", { class: `card card-${key}` }, el("h3", {}, title), ...content.filter(Boolean));
  for (const one of card.querySelectorAll("table")) one.setAttribute("aria-label", title);
  return card;
}

const heading = (key, number = false) =>
  el("th", { scope: "col", class: number ? "number" : null }, t(`sample.column.${key}`));

const table = (headings, rows) =>
  el("table", {}, el("thead", {}, el("tr", {}, headings)), el("tbody", {}, rows));

/** The answer of the sample: normal forms, and what they rest on. */
export function hero(summary, { corrected, changed }) {
  const { counted, assessable, normal, more_needed: more } = summary;
  const share = normal?.percent == null ? { percent: null } : normal;
  const axis = Math.min(100, Math.max(20, 10 * Math.ceil((share.high ?? 100) / 10)));
  const tile = (value, key, extra) => el("div", { class: "tile" },
    el("span", { class: "value" }, value), el("span", { class: "name" }, t(key)),
    extra && el("span", { class: "hint" }, extra));
  return el("div", { class: "hero" },
    el("div", { class: "tile normal" },
      el("span", { class: "value" }, percent(share)),
      el("span", { class: "name" }, t("sample.normal")),
      el("span", { class: "hint" }, share.percent == null ? t("sample.none_assessable")
        : t("sample.share_of", { count: normal.count, total: normal.total })),
      share.percent != null && el("span", { class: "interval" }, intervalText(share)),
      share.percent != null && intervalBar(share, axis),
      share.percent != null && el("span", { class: "axis" }, el("span", {}, "0"),
        el("span", {}, t("sample.percent", { value: axis })))),
    tile(number(counted), "sample.counted"),
    tile(number(assessable), "sample.assessable",
      more > 0 && t("sample.more_needed", { count: more })),
    tile(number(assessable - (normal?.count ?? 0)), "sample.abnormal"),
    tile(number(corrected), "sample.corrected", t("sample.corrected_hint", { count: changed })));
}

export function warnings(summary) {
  const notes = notesOf(summary);
  return notes.length ? el("div", { class: "notes", role: "note" },
    el("h3", {}, t("sample.to_know")), el("ul", {}, notes.map((note) => el("li", {}, note)))) : null;
}

function shareRow(name, share) {
  return el("tr", {}, el("th", { scope: "row" }, name),
    el("td", { class: "number" }, t("sample.of", { count: share.count, total: share.total })),
    el("td", { class: "number" }, percent(share)),
    el("td", { class: "number quiet" }, t("sample.range", { low: number(share.low, 1), high: number(share.high, 1) })),
    el("td", { class: "bars" }, intervalBar(share)));
}

const shareHeadings = (key) =>
  [heading(key), heading("sperm", true), heading("percent", true), heading("interval", true), heading("bar")];

export function defects({ defects: found, assessable }) {
  if (!assessable) return null;
  return section("defects",
    table(shareHeadings("region"), Object.entries(found).map(([region, share]) =>
      shareRow(t(`sample.region.${region}`), share))),
    el("p", { class: "hint" }, t("sample.defects_explained")));
}

export function indices(summary) {
  if (!summary.assessable) return null;
  return section("indices",
    el("table", {}, el("tbody", {}, ["tzi", "sdi", "mai"].map((index) => el("tr", {},
      el("th", { scope: "row" }, index.toUpperCase(),
        el("span", { class: "interval" }, t(`sample.${index}`))),
      el("td", { class: "number large" }, summary[index] == null ? "–" : summary[index].toLocaleString(
        document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 })),
      el("td", { class: "hint" }, t(`sample.${index}.means`)))))));
}

export function failures({ failed, assessable }) {
  const rows = Object.entries(failed).filter(([, share]) => share.count)
    .sort((a, b) => b[1].percent - a[1].percent);
  if (!assessable || !rows.length) return null;
  return section("failures", table(shareHeadings("criterion"),
    rows.map(([name, share]) => shareRow(criterionName(name), share))));
}

export function leftOut(summary) {
  const { counted, not_assessable: reasons, loose_heads: loose, headless_tails: tails } = summary;
  const reasonRow = (name, count, of) => el("tr", {}, el("th", { scope: "row" }, name),
    el("td", { class: "number" }, number(count)),
    el("td", { class: "number" }, of ? t("sample.percent", { value: number((100 * count) / of, 1) }) : ""));
  const assessed = Object.entries(reasons).map(([why, count]) => reasonRow(reasonText(why), count, counted));
  const apart = [
    [t("sample.loose_heads"), loose], [t("sample.headless_tails"), tails],
    ...Object.entries(summary.not_sperm).map(([why, count]) => [reasonText(why), count]),
  ].filter(([, count]) => count).map(([name, count]) => reasonRow(name, count));
  if (!assessed.length && !apart.length) return null;
  const head = (key) => [heading(key), heading("number", true), heading("of_counted", true)];
  return section("left_out",
    assessed.length && table(head("not_assessed"), assessed),
    apart.length && table([heading("not_counted"), heading("number", true), el("td")], apart),
    el("p", { class: "hint" }, t("sample.left_out_explained")));
}

export function skipped(summary) {
  const rows = Object.entries(summary.skipped).flatMap(([name, reasons]) =>
    Object.entries(reasons).map(([why, count]) => el("tr", {},
      el("th", { scope: "row" }, criterionName(name)), el("td", {}, reasonText(why)),
      el("td", { class: "number" }, number(count)))));
  if (!rows.length) return null;
  return section("skipped",
    table([heading("criterion"), heading("reason"), heading("sperm", true)], rows),
    el("p", { class: "hint" }, t("sample.skipped_explained")));
}
