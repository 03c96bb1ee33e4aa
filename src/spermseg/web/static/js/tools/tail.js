// Move the points of a tail's centre line, or draw one where there is none.

import { el } from "../dom.js";
import { t } from "../i18n.js";
import { notify } from "../notify.js";
import { drawHandle, drawLine } from "./drawing.js";
import { distance, fewHandles, nearestStretch, smoothCurve, toPairs, toPoints, within } from "./geometry.js";
import { colourOf, selectAt, selectedSperm } from "./picking.js";

const TAIL = 3;
const GRAB = 11; // screen pixels around a handle that take hold of it
const TOLERANCE = 1 / 30; // head lengths by which the handles' curve may leave the line found
const USUAL_HEAD = 90; // pixels, where the picture's is not known
const DOUBLE_MS = 400;

export const tail = {
  name: "tail",
  key: "t",
  options: [],
  make: (app) => new TailTool(app),
};

class TailTool {
  cursor = "default";
  #app;
  #sperm;
  #picture = null;
  #handles = [];
  #active = null;
  #held = false;
  #changed = false;
  #lastDown = { time: -Infinity, point: { x: 0, y: 0 } };

  constructor(app) {
    this.#app = app;
    this.#take(selectedSperm(app.store));
  }

  #take(sperm) {
    const line = toPoints(sperm?.centerline ?? []);
    this.#sperm = sperm?.id;
    this.#picture = this.#app.store.get().picture?.id ?? null;
    const head = this.#app.store.get().picture?.scale?.head_length_px ?? USUAL_HEAD;
    this.#handles = line.length > 1 ? fewHandles(line, TOLERANCE * head) : [];
    this.#active = null;
    this.#held = this.#changed = false;
    this.#app.showOptions();
    this.#app.viewer.redraw();
  }

  get #colour() {
    return colourOf(this.#app.store, TAIL);
  }

  /** Picture pixels around a point that mean it. */
  get #reach() {
    return GRAB / this.#app.viewer.zoom;
  }

  #handleAt(point) {
    const away = this.#handles.map((one) => distance(one, point));
    const nearest = Math.min(...away);
    return nearest <= this.#reach ? away.indexOf(nearest) : -1;
  }

  #change(handles) {
    const isNews = !this.#changed || handles.length !== this.#handles.length;
    this.#handles = handles;
    this.#changed = true;
    if (isNews) this.#app.showOptions();
    this.#app.viewer.redraw();
  }

  #insert(point, index) {
    this.#active = index;
    this.#change(this.#handles.toSpliced(index, 0, point));
  }

  down(point, event) {
    if (this.#sperm === undefined) {
      this.#take(selectAt(this.#app, point));
      return;
    }
    const { time, point: before } = this.#lastDown;
    const twice = performance.now() - time < DOUBLE_MS && distance(point, before) < this.#reach;
    this.#lastDown = { time: performance.now(), point };
    const handle = this.#handleAt(point);
    if (handle >= 0) {
      this.#active = handle;
      this.#held = true;
      this.#app.viewer.redraw();
    } else if (this.#handles.length < 2 || event?.shiftKey) {
      this.#insert(point, this.#handles.length);
      this.#held = true;
    } else if (twice) {
      this.#insertOnLine(point);
    } else {
      this.#pickAnother(point);
    }
  }

  #insertOnLine(point) {
    const curve = smoothCurve(this.#handles);
    const { distance: away, index } = nearestStretch(point, curve);
    if (away > this.#reach) return;
    const before = this.#handles.filter((one) => nearestStretch(one, curve).index < index);
    this.#insert(point, Math.max(before.length, 1));
  }

  #pickAnother(point) {
    this.#active = null;
    if (!this.#changed) selectAt(this.#app, point);
    this.#app.viewer.redraw();
  }

  move(point) {
    if (this.#held) {
      const { width, height } = this.#app.store.get().picture;
      this.#change(this.#handles.with(this.#active, within(point, width, height)));
    }
  }

  up() {
    this.#held = false;
  }

  busy() {
    return this.#held;
  }

  cancel() {
    this.#take(selectedSperm(this.#app.store));
  }

  key(event) {
    if (event.key === "Enter" && this.#changed) {
      this.apply();
      return true;
    }
    if (event.key === "Delete" || event.key === "Backspace") {
      this.#removeActive();
      return true;
    }
    return false;
  }

  /** Put changed points back; false where there are none. */
  escape() {
    const changed = this.#changed;
    if (changed) this.cancel();
    return changed;
  }

  #removeActive() {
    if (this.#active === null || this.#handles.length <= 2) {
      notify(t("tool.tail.choose_point"));
      return;
    }
    const index = this.#active;
    this.#active = null;
    this.#change(this.#handles.toSpliced(index, 1));
  }

  /** Another sperm or another version: a change of points that was not applied is applied first,
   * so that no work is lost; undo takes it back. */
  selectionChanged() {
    if (this.#changed) this.apply();
    this.#take(selectedSperm(this.#app.store));
  }

  pictureChanged() {
    const same = this.#app.store.get().picture?.id === this.#picture;
    if (!same || !this.#changed) this.#take(selectedSperm(this.#app.store));
  }

  leave() {
    if (this.#changed) this.apply();
  }

  apply() {
    if (this.#handles.length < 2) {
      notify(t("tool.tail.two_points"));
      return;
    }
    const { viewer, store, editor } = this.#app;
    if (store.get().picture?.id !== this.#picture) return;
    const curve = smoothCurve(this.#handles);
    const colour = this.#colour;
    this.#changed = false;
    this.#active = null;
    editor.submit(
      { type: "tail", sperm: this.#sperm, points: toPairs(curve) },
      { preview: (context) => drawLine(context, viewer, curve, { colour }) },
    );
    this.#app.showOptions();
  }

  hint() {
    const step = this.#handles.length < 2 ? "draw" : "move";
    return `tool.tail.${this.#sperm === undefined ? "choose" : step}`;
  }

  panel() {
    const points = this.#handles.length;
    return [
      points > 1 && el("span", { class: "count" }, t("tool.tail.points", { count: points })),
      el("button", { type: "button", class: "primary", disabled: !this.#changed || points < 2,
        onclick: () => this.apply() }, t("tool.apply")),
      el("button", { type: "button", disabled: !this.#changed, onclick: () => this.cancel() },
        t("tool.reset")),
    ];
  }

  draw(context, viewer = this.#app.viewer) {
    const colour = this.#colour;
    drawLine(context, viewer, smoothCurve(this.#handles), { colour });
    this.#handles.forEach((handle, i) => {
      drawHandle(context, viewer, handle, { active: i === this.#active, colour });
    });
  }
}
