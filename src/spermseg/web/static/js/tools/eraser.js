// Take pixels away from a part of the selected sperm, or from all its parts.

import { toPairs } from "./geometry.js";
import { makeStrokes, targetOf } from "./strokes.js";

export const eraser = {
  name: "eraser",
  key: "e",
  options: ["erased", "radius"],
  make(app) {
    return makeStrokes(app, {
      begin: (point) => targetOf(app, point, "erased"),
      colour: () => null,
      finish({ sperm, part }, points, radius, preview) {
        const edit = { type: "paint", sperm, part, points: toPairs(points), radius, erase: true };
        app.editor.submit(edit, { preview });
      },
    });
  },
};
