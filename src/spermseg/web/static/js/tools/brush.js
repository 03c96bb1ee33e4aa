// Paint a part of the selected sperm.

import { toPairs } from "./geometry.js";
import { colourOf } from "./picking.js";
import { makeStrokes, targetOf } from "./strokes.js";

export const brush = {
  name: "brush",
  key: "b",
  options: ["part", "radius"],
  make(app) {
    const { store, editor, settings } = app;
    return makeStrokes(app, {
      begin: (point) => targetOf(app, point, "part"),
      colour: (target) => colourOf(store, target?.part ?? settings.get().part),
      finish({ sperm, part }, points, radius, preview) {
        const edit = { type: "paint", sperm, part, points: toPairs(points), radius, erase: false };
        editor.submit(edit, { preview });
      },
    });
  },
};
