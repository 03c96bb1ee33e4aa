// Histograms of the server as pictures, in the colours of the theme.

import { el } from "../dom.js";
import { number, t } from "../i18n.js";
import { quantityName } from "./quantities.js";

const VARIABLES = { ink: "--ink", quiet: "--quiet", accent: "--accent" };
const VERDICT_COLOURS = { normal: "#009e73", abnormal: "#d55e00", not: "#8a8f98" };

/** A picture cannot see the page's styles: the colours are written into it. */
function coloured(svg) {
  const page = getComputedStyle(document.documentElement);
  const colour = Object.fromEntries(Object.entries(VARIABLES)
    .map(([name, variable]) => [name, page.getPropertyValue(variable).trim() || "#808080"]));
  const style = `<style>
    text{font:11px system-ui,sans-serif;fill:${colour.quiet};text-anchor:middle}
    .band{fill:${colour.accent};opacity:.22} .axis{stroke:${colour.quiet}}
    .mark{stroke:${colour.ink};stroke-dasharray:4 3;stroke-width:1.3}
  </style>`;
  return svg.replace(/<svg\b[^>]*>/, (tag) => tag + style);
}

const titleOf = ({ title, quantity, unit }) => (quantity ? quantityName(quantity, unit) : title);

export function plot(one) {
  const title = titleOf(one);
  const facts = [
    one.median != null && t("sample.median_of", { value: number(one.median, 2), count: one.n }),
    one.band && t("sample.reference_range", { low: number(one.band[0]), high: number(one.band[1]) }),
  ].filter(Boolean).join(" ");
  return el("figure", { class: "plot" },
    el("figcaption", { class: "title" }, title),
    el("img", { src: `data:image/svg+xml,${encodeURIComponent(coloured(one.svg))}`,
      alt: facts ? `${title}. ${facts}` : title }),
    facts && el("figcaption", { class: "hint" }, facts));
}

export function legend() {
  const entry = (name, key) => {
    const dot = el("span", { class: "swatch", "aria-hidden": "true" });
    dot.style.backgroundColor = VERDICT_COLOURS[name];
    return el("span", {}, dot, t(key));
  };
  return el("p", { class: "legend" }, entry("normal", "verdict.normal"),
    entry("abnormal", "verdict.abnormal"), entry("not", "verdict.not-assessable"),
    el("span", { class: "quiet" }, t("sample.legend_reference")));
}
