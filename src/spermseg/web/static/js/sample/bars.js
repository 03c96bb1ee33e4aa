// A share with its 95 % interval, drawn: the band is the interval, the mark the share.

import { number, t } from "../i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 14;

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Draw a share of `axis` percent (100: the whole). */
export function intervalBar({ percent, low, high }, axis = 100) {
  const place = (value) => `${(100 * Math.min(value, axis)) / axis}%`;
  const svg = shape("svg", { class: "interval-bar", height: HEIGHT, role: "img" });
  svg.setAttribute("aria-label", intervalText({ low, high }));
  svg.append(shape("rect", { class: "track", x: 0, y: 5, width: "100%", height: 4, rx: 2 }));
  if (percent == null) return svg;
  const width = `${(100 * (Math.min(high, axis) - low)) / axis}%`;
  svg.append(
    shape("rect", { class: "band", x: place(low), y: 2, width, height: 10, rx: 3 }),
    shape("line", { class: "mark", x1: place(percent), x2: place(percent), y1: 0, y2: HEIGHT }),
  );
  return svg;
}

export function intervalText({ low, high }) {
  if (low == null) return "";
  return t("sample.interval", { low: number(low, 1), high: number(high, 1) });
}
