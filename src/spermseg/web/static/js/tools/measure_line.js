// A line drawn along something whose length is known: the scale bar, or a head.

import { number, t } from "../i18n.js";
import { drawHandle, drawRule } from "./drawing.js";
import { distance, within } from "./geometry.js";

const COLOUR = "#56b4e9";
const GRAB = 11; // screen pixels around an end that take hold of it

/** A tool named `name`; `onLine(length)` is told the length in pixels at every change. */
export const measureLine = (name, onLine) => ({
  name,
  key: "",
  options: [],
  make: (app) => new LineTool(app, onLine),
});

class LineTool {
  cursor = "crosshair";
  #app;
  #onLine;
  #ends = [];
  #held = null;

  constructor(app, onLine) {
    this.#app = app;
    this.#onLine = onLine;
  }

  get #length() {
    return this.#ends.length === 2 ? distance(...this.#ends) : 0;
  }

  down(point) {
    const reach = GRAB / this.#app.viewer.zoom;
    const held = this.#ends.findIndex((end) => distance(end, point) <= reach);
    if (held < 0) this.#ends = [point, point];
    this.#held = held < 0 ? 1 : held;
    this.#app.viewer.redraw();
  }

  move(point, event) {
    if (this.#held === null) return;
    const { width, height } = this.#app.store.get().picture;
    const end = within(point, width, height);
    const other = this.#ends[1 - this.#held];
    this.#ends[this.#held] = event?.shiftKey ? straight(end, other) : end;
    this.#onLine(this.#length);
    this.#app.viewer.redraw();
  }

  up() {
    this.#held = null;
    this.#onLine(this.#length);
  }

  cancel() {
    this.#held = null;
  }

  busy() {
    return this.#held !== null;
  }

  pictureChanged() {
    this.#ends = [];
    this.#onLine(0);
  }

  draw(context, viewer) {
    if (this.#ends.length < 2) return;
    drawRule(context, viewer, this.#ends, COLOUR);
    this.#ends.forEach((end, i) => drawHandle(context, viewer, end,
      { active: i === this.#held, colour: COLOUR }));
    this.#label(context, viewer);
  }

  #label(context, { zoom }) {
    const [a, b] = this.#ends;
    const text = t("tool.pixels", { value: number(this.#length, 1) });
    context.font = `600 ${13 / zoom}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.lineJoin = "round";
    context.lineWidth = 4 / zoom;
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.fillStyle = "#ffffff";
    const x = (a.x + b.x) / 2;
    const y = Math.min(a.y, b.y) - 16 / zoom;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }
}

/** Level or upright, whichever is nearer. */
function straight(end, other) {
  const level = Math.abs(end.x - other.x) >= Math.abs(end.y - other.y);
  return level ? { x: end.x, y: other.y } : { x: other.x, y: end.y };
}
