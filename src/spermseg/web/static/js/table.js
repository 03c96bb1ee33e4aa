/** The table of sperm, linked both ways with the picture. */

import { byId, el } from "./dom.js";
import { number, t } from "./i18n.js";
import { capital, criterionName, measured, reasonInShort, reasonText, verdictText } from "./sentences.js";
import { VERDICTS, filteredSperm } from "./store.js";
import { verdictClass, verdictMark } from "./verdicts.js";

const LENGTHS = ["head_length", "head_width", "tail_length"];

/** What a column sorts by; what was not measured comes last. */
const SORT_KEYS = {
  id: (one) => one.id,
  verdict: (one) => VERDICTS.indexOf(one.verdict),
  finding: (one) => finding(one) || null,
  ...Object.fromEntries(LENGTHS.map((name) => [name, (one) => measured(one, name)?.value ?? null])),
};

const finding = (one) =>
  one.failed.length ? capital(criterionName(one.failed[0].criterion)) : one.reason ? reasonInShort(one.reason) : "";

/** All findings, for who points at the first one. */
const all = (one) =>
  one.failed.map(({ criterion }) => capital(criterionName(criterion))).join("\n") || (one.reason ? reasonText(one.reason) : null);

export function initTable({ viewer, store }) {
  const panel = byId("table-panel");
  const order = { column: "id", descending: false };
  let rows = new Map();
  let body = null;

  function build() {
    const state = store.get();
    const { picture } = state;
    const scroll = panel.querySelector(".table-scroll")?.scrollTop ?? 0;
    body = el("tbody", { onkeydown: onKey, onmouseleave: () => store.set({ hovered: null }) });
    rows = new Map();
    const listed = sorted(filteredSperm(state), order);
    for (const one of listed) {
      const row = rowOf(one);
      rows.set(one.id, row);
      body.append(row);
    }
    const table = el("table", { role: "grid", "aria-labelledby": "table-title", "aria-rowcount": listed.length + 1 },
      el("thead", {}, el("tr", {}, header("id"), header("verdict"), header("finding"), LENGTHS.map(header))),
      body);
    const scrolled = el("div", { class: "table-scroll" }, table, emptyNote(picture, listed.length));
    panel.replaceChildren(titleRow(picture, listed.length), picture?.sperm.length ? chips(state) : "", scrolled);
    table.hidden = !listed.length;
    scrolled.scrollTop = scroll;
    mark();
  }

  function header(name) {
    const direction = order.column === name ? (order.descending ? "descending" : "ascending") : "none";
    const sort = () => {
      order.descending = order.column === name && !order.descending;
      order.column = name;
      build();
      panel.querySelector(`th[data-column=${name}] button`).focus();
    };
    return el("th", { scope: "col", "data-column": name, "aria-sort": direction, class: LENGTHS.includes(name) ? "number" : null },
      el("button", { type: "button", title: t(`table.${name}.title`), onclick: sort }, t(`table.${name}`)));
  }

  function rowOf(one) {
    const select = () => {
      store.set({ selected: one.id });
      viewer.reveal(one.id);
    };
    return el(
      "tr",
      {
        "data-id": one.id, tabindex: -1, "aria-selected": false, onclick: select,
        ondblclick: () => viewer.closeUp(one.id),
        onmouseenter: () => store.set({ hovered: one.id }),
      },
      el("th", { scope: "row" }, String(one.id), one.corrected && el("span", { class: "corrected", title: t("sperm.corrected") }, " ✎", el("span", { class: "visually-hidden" }, t("sperm.corrected")))),
      el("td", { class: "verdict", title: verdictText(one.verdict) }, verdictMark(one.verdict), el("span", { class: "word" }, verdictText(one.verdict))),
      el("td", { class: "finding", title: all(one) }, finding(one) || verdictText(one.verdict), one.failed.length > 1 && el("span", { class: "more" }, ` +${one.failed.length - 1}`)),
      LENGTHS.map((name) => el("td", { class: "number" }, cell(measured(one, name)))),
    );
  }

  function onKey(event) {
    const ids = [...rows.keys()];
    const at = ids.indexOf(Number(event.target.closest("tr")?.dataset.id));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: ids.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (to === undefined) {
      if (event.key === "Enter") viewer.closeUp(ids[at]);
      return;
    }
    event.preventDefault();
    const id = ids[Math.min(Math.max(to, 0), ids.length - 1)];
    store.set({ selected: id });
    viewer.reveal(id);
    rows.get(id).focus();
  }

  let marked = { selected: null, hovered: null };

  /** Show which row is selected and which hovered; only these rows are touched. */
  function mark() {
    const { selected, hovered } = store.get();
    rows.get(marked.selected)?.setAttribute("aria-selected", false);
    rows.get(marked.selected)?.setAttribute("tabindex", -1);
    rows.get(marked.hovered)?.classList.remove("hovered");
    const row = rows.get(selected);
    row?.setAttribute("aria-selected", true);
    (row ?? body.firstElementChild)?.setAttribute("tabindex", 0);
    rows.get(hovered)?.classList.add("hovered");
    if (selected !== marked.selected) row?.scrollIntoView({ block: "nearest" });
    marked = { selected, hovered };
  }

  function chips({ picture, filter }) {
    const all = picture?.sperm ?? [];
    const chip = (label, count, pressed, onclick, markOf = null) =>
      el("button", { type: "button", class: "chip", "aria-pressed": pressed, disabled: !count && !pressed, onclick },
        markOf && verdictMark(markOf), label, el("span", { class: "count" }, number(count)));
    const setFilter = (patch) => store.set({ filter: { ...filter, ...patch } });
    const corrected = all.filter((one) => one.corrected).length;
    return el("div", { class: "chips", role: "group", "aria-label": t("table.filter") },
      chip(t("table.all"), all.length, filter.verdict === null, () => setFilter({ verdict: null })),
      VERDICTS.map((verdict) =>
        chip(verdictText(verdict), all.filter((one) => one.verdict === verdict).length, filter.verdict === verdict,
          () => setFilter({ verdict: filter.verdict === verdict ? null : verdict }), verdict)),
      (corrected > 0 || filter.corrected) && chip(t("table.corrected"), corrected, filter.corrected, () => setFilter({ corrected: !filter.corrected })));
  }

  store.subscribe(build, "picture", "filter", "language");
  store.subscribe(mark, "selected", "hovered");
  build();
}

function titleRow(picture, listed) {
  return el("header", { class: "panel-header" },
    el("h2", { id: "table-title" }, t("table.title")),
    picture && el("span", { class: "count" }, listed === picture.sperm.length ? number(listed) : t("table.of", { listed, all: picture.sperm.length })),
    picture?.sperm.length ? el("span", { class: "quiet unit" }, t(picture.scale?.um_per_px ? "table.in_um" : "table.in_px")) : null);
}

function emptyNote(picture, listed) {
  if (listed) return null;
  const key = !picture ? "table.no_picture" : picture.sperm.length ? "table.none_match" : `table.none.${picture.status}`;
  return el("p", { class: "empty" }, t(key));
}

function cell(found) {
  if (!found) return el("span", { class: "unknown", title: t("table.unknown") }, "–");
  return number(found.value, found.unit === "um" ? 2 : 1, true);
}

function sorted(sperm, { column, descending }) {
  const key = SORT_KEYS[column];
  const sign = descending ? -1 : 1;
  const compare = (a, b) =>
    typeof a === "string" ? a.localeCompare(b, document.documentElement.lang) : a - b;
  return [...sperm].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null) || one.id - other.id;
    return sign * compare(a, b) || one.id - other.id;
  });
}
