// Cut a sperm in two along a drawn line.

import { t } from "../i18n.js";
import { notify } from "../notify.js";
import { drawLine } from "./drawing.js";
import { distance, evenlySpaced, lengthOf, simplified, toPairs } from "./geometry.js";
import { crossedSperm } from "./picking.js";
import { newSperm } from "./add.js";

const DASH = [6, 5];

export const split = {
  name: "split",
  key: "s",
  options: [],
  make(app) {
    const { viewer, store, editor } = app;
    let points = null;

    function cut(line) {
      const dense = evenlySpaced(line, Math.max(3, Math.ceil(lengthOf(line))));
      const sperm = lengthOf(line) > 1 ? crossedSperm(store, dense) : null;
      if (!sperm) {
        notify(t("tool.split.nothing"));
        return;
      }
      const edit = { type: "split", sperm: sperm.id, line: toPairs(line) };
      editor.submit(edit, {
        preview: (context) => drawLine(context, viewer, line, { dash: DASH }),
        choose: (before, after) => {
          notify(t("tool.split.done", { sperm: sperm.id, other: newSperm(before, after) ?? "" }));
          return sperm.id;
        },
      });
    }

    return {
      cursor: "crosshair",
      down(point) {
        points = [point];
      },
      move(point) {
        if (points && distance(points[points.length - 1], point) >= 1) points.push(point);
        viewer.redraw();
      },
      up() {
        const line = points && simplified(points, 0.5);
        points = null;
        if (line?.length > 1) cut(line);
        viewer.redraw();
      },
      cancel() {
        points = null;
        viewer.redraw();
      },
      busy: () => points !== null,
      draw(context) {
        if (points) drawLine(context, viewer, points, { dash: DASH });
      },
    };
  },
};
