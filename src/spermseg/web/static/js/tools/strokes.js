// What brush, eraser and new sperm have in common: a stroke under the pointer, as wide as the brush.

import { drawBrush, drawStroke } from "./drawing.js";
import { atMost, distance, within } from "./geometry.js";
import { selectAt, selectedSperm } from "./picking.js";

const TOLERANCE = 0.25; // picture pixels by which a stroke may be straightened
const MOST_POINTS = 2000; // as the server takes them

/** The selected sperm and the part of a setting. Without one, the first click selects and no more,
 * so that nothing is painted by mistake. */
export function targetOf(app, point, setting) {
  const sperm = selectedSperm(app.store);
  if (!sperm) selectAt(app, point);
  return sperm ? { sperm: sperm.id, part: app.settings.get()[setting] } : null;
}

/**
 * Make a tool that draws strokes.
 *
 * @param {object} app
 * @param {function} begin gives what the stroke is of, from the point where it starts; null: none
 * @param {function} colour gives the colour of that; null: it erases
 * @param {function} finish takes that, the points, the radius and the preview
 */
export function makeStrokes(app, { begin, colour, finish }) {
  const { viewer, store, settings } = app;
  let stroke = null;
  let pointer = null;

  const kept = (point) => {
    const { width, height } = store.get().picture;
    return within(point, width, height);
  };

  return {
    cursor: "none",
    down(point) {
      const target = begin(point);
      if (target === null) return;
      stroke = { target, points: [kept(point)], radius: settings.get().radius };
      viewer.redraw();
    },
    move(point) {
      pointer = point;
      if (stroke) {
        const last = stroke.points[stroke.points.length - 1];
        if (distance(last, point) >= Math.max(0.5, stroke.radius / 8)) {
          stroke.points.push(kept(point));
        }
      }
      viewer.redraw();
    },
    up() {
      if (!stroke) return;
      const { target, radius } = stroke;
      const points = atMost(stroke.points, MOST_POINTS, TOLERANCE);
      const shade = colour(target);
      const preview = (context) => drawStroke(context, viewer, points, radius, shade);
      stroke = null;
      finish(target, points, radius, preview);
    },
    cancel() {
      stroke = null;
      viewer.redraw();
    },
    /** The pointer is not over the picture. */
    hide() {
      pointer = null;
      viewer.redraw();
    },
    busy: () => stroke !== null,
    draw(context) {
      if (stroke) {
        drawStroke(context, viewer, stroke.points, stroke.radius, colour(stroke.target));
      }
      if (pointer) {
        const shade = colour(stroke?.target ?? null);
        drawBrush(context, viewer, pointer, settings.get().radius, shade);
      }
    },
  };
}
