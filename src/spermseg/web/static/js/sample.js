// The sample page: the figures of all pictures together, and what they rest on.

import { byId, el } from "./dom.js";
import { t } from "./i18n.js";
import { pictureTable } from "./sample/pictures.js";
import { legend, plot } from "./sample/plots.js";
import { quantityTable } from "./sample/quantities.js";
import * as sections from "./sample/sections.js";

export function initSample({ store, api, openPicture }) {
  const page = byId("sample-page");
  let answer = null; // as GET /api/sample gives it
  let failure = null;
  let revision = null; // of the workspace that it was made of
  let loading = false;
  let chosen = 0; // which of several samples
  let order = { by: "name", down: false };

  const isShown = () => store.get().page === "sample";

  async function load() {
    const wanted = store.get().workspace?.revision;
    if (loading || wanted === undefined || wanted === revision) return;
    loading = true;
    draw();
    try {
      answer = await api.sample();
      failure = null;
    } catch (error) {
      failure = error.message;
    }
    revision = wanted;
    loading = false;
    draw();
    if (isShown()) load(); // it may have changed meanwhile
  }

  function tabs() {
    if (answer.samples.length < 2) return null;
    return el("div", { class: "tabs", role: "group", "aria-label": t("sample.samples") },
      answer.samples.map(({ sample, counted }, i) => el("button", { type: "button",
        "aria-pressed": String(i === chosen), onclick: () => choose(i) },
      sample || t("sample.title"), el("span", { class: "count" }, String(counted)))));
  }

  function choose(index) {
    chosen = index;
    draw();
    page.querySelector(".tabs [aria-pressed=true]")?.focus();
  }

  function plots(summary) {
    const mine = answer.plots.filter((one) => one.sample == null || one.sample === summary.sample);
    return mine.length ? sections.section("plots", legend(),
      el("div", { class: "plots" }, mine.map(plot)),
      el("p", { class: "hint" }, t("sample.plots_explained"))) : null;
  }

  function pictures() {
    const all = store.get().workspace.pictures;
    const changed = (next) => {
      order = next;
      draw();
      page.querySelector("th[aria-sort] button")?.focus();
    };
    return sections.section("pictures",
      pictureTable(all, order, { changed, open: openPicture }));
  }

  function results() {
    const summary = answer.samples[Math.min(chosen, answer.samples.length - 1)];
    if (!summary?.counted && !summary?.loose_heads && !summary?.headless_tails) {
      return [el("p", { class: "empty" }, t("sample.no_sperm")), pictures()];
    }
    const { defects, failures, hero, indices, leftOut, skipped, warnings } = sections;
    const measured = quantityTable(summary.morphometry);
    const { corrected } = answer;
    const changed = store.get().workspace.pictures.filter(({ version }) => version > 0).length;
    return [
      tabs(), hero(summary, { corrected, changed }), warnings(summary),
      el("div", { class: "pair" }, defects(summary), indices(summary)),
      el("div", { class: "pair" }, failures(summary), leftOut(summary)),
      plots(summary),
      measured && sections.section("measurements", measured),
      skipped(summary), pictures(),
      el("p", { class: "hint" }, t("sample.criteria", { title: summary.criteria.title })),
    ];
  }

  function draw() {
    if (!isShown()) return;
    const done = (store.get().workspace?.pictures ?? []).some((one) => one.status === "done");
    const content = failure ? [el("p", { class: "warned" }, failure)]
      : !done ? [el("p", { class: "empty" }, t("sample.no_pictures"))]
        : answer ? results() : [el("p", { class: "empty" }, t("sample.loading"))];
    page.setAttribute("aria-busy", String(loading));
    page.replaceChildren(el("div", { class: "sample-body" },
      el("header", { class: "sample-header" }, el("h2", {}, t("sample.title")),
        el("p", { class: "disclaimer" }, t("app.disclaimer")),
        loading && answer && el("span", { class: "hint" }, t("sample.updating"))),
      ...content.filter(Boolean)));
  }

  store.subscribe(() => {
    draw();
    if (isShown()) load();
  }, "page", "workspace", "language", "theme");
  if (isShown()) load();
}
