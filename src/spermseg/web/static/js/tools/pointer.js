// The tools' pointer for those who use the keyboard: arrows move it, X puts the pen down and up.

import { drawLine } from "./drawing.js";

const STEP = 4; // screen pixels
const FAR = 24; // with Shift
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function makePointer({ viewer, store }, tool) {
  let place = null;
  let down = false;

  function start() {
    const { picture, selected } = store.get();
    const box = picture.sperm.find((one) => one.id === selected)?.bbox;
    return box
      ? { x: (box[1] + box[3]) / 2, y: (box[0] + box[2]) / 2 }
      : { x: picture.width / 2, y: picture.height / 2 };
  }

  function moveBy([dx, dy], far) {
    place ??= start();
    const step = (far ? FAR : STEP) / viewer.zoom;
    const { width, height } = store.get().picture;
    place = {
      x: Math.min(Math.max(place.x + dx * step, 0), width),
      y: Math.min(Math.max(place.y + dy * step, 0), height),
    };
    tool.move(place, {});
  }

  return {
    /** Whether the key was one of the pointer's. */
    key(event) {
      if (event.key in ARROWS) {
        moveBy(ARROWS[event.key], event.shiftKey);
      } else if (event.key.toLowerCase() === "x") {
        place ??= start();
        if (down) tool.up(place, {});
        else tool.down(place, {});
        down = !down;
      } else {
        return false;
      }
      viewer.redraw();
      return true;
    },
    /** The mouse took over. */
    hide() {
      place = null;
      down = false;
    },
    draw(context) {
      if (!place) return;
      const half = 9 / viewer.zoom;
      const { x, y } = place;
      drawLine(context, viewer, [{ x: x - half, y }, { x: x + half, y }]);
      drawLine(context, viewer, [{ x, y: y - half }, { x, y: y + half }]);
    },
  };
}
