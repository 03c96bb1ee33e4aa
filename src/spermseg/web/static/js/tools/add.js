// A new sperm, begun with a stroke; the brush goes on with it.

import { toPairs } from "./geometry.js";
import { colourOf } from "./picking.js";
import { makeStrokes } from "./strokes.js";

/** The sperm that the picture did not have before. */
export function newSperm(before, after) {
  const known = new Set(before?.sperm.map((one) => one.id));
  return after.sperm.find((one) => !known.has(one.id))?.id;
}

export const add = {
  name: "add",
  key: "n",
  options: ["part", "radius"],
  make(app) {
    const { store, editor, settings } = app;
    return makeStrokes(app, {
      begin: () => ({ part: settings.get().part }),
      colour: (target) => colourOf(store, target?.part ?? settings.get().part),
      async finish({ part }, points, radius, preview) {
        const edit = { type: "add", part, points: toPairs(points), radius };
        const done = await editor.submit(edit, { preview, choose: newSperm });
        if (done && store.get().tool === "add") app.choose("brush");
      },
    });
  },
};
