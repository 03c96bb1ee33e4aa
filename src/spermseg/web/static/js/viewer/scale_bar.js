/** The scale bar and the zoom in the picture's corners. */

import { byId, el } from "../dom.js";
import { number, t } from "../i18n.js";

const LONGEST = 140; // CSS pixels
const STEPS = [5, 2, 1];

export function initScaleBar(viewer, store) {
  const label = el("span", { class: "scale-label" });
  const bar = el("div", { class: "scale-bar", hidden: true }, label);
  const zoom = el("div", { class: "zoom-readout", hidden: true });
  byId("viewer").append(bar, zoom);
  const update = () => {
    const { picture } = store.get();
    const umPerPx = picture?.scale?.um_per_px;
    bar.hidden = !umPerPx;
    zoom.hidden = !picture;
    if (!picture) return;
    zoom.textContent = `${number(100 * viewer.zoom, viewer.zoom < 0.1 ? 1 : 0)} %`;
    if (!umPerPx) return;
    const length = roundLength((LONGEST * umPerPx) / viewer.zoom);
    label.textContent = t("unit.um", { value: number(length) });
    bar.style.setProperty("width", `${(length / umPerPx) * viewer.zoom}px`);
  };
  viewer.onMove(update);
  store.subscribe(update, "picture", "language");
}

/** The largest of 1, 2, 5, 10, 20, 50, ... that is not larger. */
export function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest));
  return power * STEPS.find((step) => step * power <= longest * (1 + 1e-9));
}
