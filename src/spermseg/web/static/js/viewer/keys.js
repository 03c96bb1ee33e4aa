/** The viewer's keys. */

import { isTyping } from "../dom.js";
import { announce } from "../notify.js";
import { filteredSperm, setShow } from "../store.js";
import { describe } from "../sentences.js";

const PAN = 80; // CSS pixels a press
const ZOOM = 1.25;
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export function initKeys(viewer, store) {
  const anywhere = {
    "+": () => viewer.zoomBy(ZOOM),
    "=": () => viewer.zoomBy(ZOOM),
    "-": () => viewer.zoomBy(1 / ZOOM),
    0: () => viewer.fit(),
    "[": () => step(viewer, store, -1),
    "]": () => step(viewer, store, 1),
    h: () => setShow({ overlay: !store.get().show.overlay }),
    z: () => viewer.closeUp(store.get().selected),
  };
  document.addEventListener("keydown", (event) => {
    const { page, picture } = store.get();
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    if (page !== "pictures" || !picture || event.defaultPrevented) return;
    const act = anywhere[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  viewer.element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key in ARROWS) {
      event.preventDefault();
      viewer.camera.panBy(...ARROWS[event.key].map((way) => way * PAN));
      viewer.moved();
    } else if (event.key === "Escape" && !viewer.tool) {
      store.set({ selected: null });
    }
  });
}

/** Select the next or previous of the sperm that are listed, and bring it into view. */
export function step(viewer, store, by) {
  const ids = filteredSperm(store.get()).map(({ id }) => id);
  if (!ids.length) return;
  const at = ids.indexOf(store.get().selected);
  const next = at < 0 ? (by > 0 ? 0 : ids.length - 1) : (at + by + ids.length) % ids.length;
  store.set({ selected: ids[next] });
  viewer.reveal(ids[next], store.get().show.only === "hide");
  announce(describe(viewer.scene.byId.get(ids[next]).sperm));
}
