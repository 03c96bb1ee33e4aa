/** The outlines of parts over the picture. */

const LINES = [0.5, 1.4]; // CSS pixels; thin, so that the cell's own edge stays visible.
const HEAD_BY_LINE = 25; // A head is at least so many times as long as a line is wide.
const MARKED_LINE = 2;
const CASING = 4;
const DIMMED = 0.22;
const FALLBACK_COLOUR = "#8a8f98";

/** The opacity control from nothing (0) over full outlines (1/2) to half filled parts (1). */
export const strength = (opacity) => ({
  line: Math.min(1, 2 * opacity),
  fill: 0.1 * Math.min(1, 2 * opacity) + 0.7 * Math.max(0, opacity - 0.5),
});

/** Draw shapes in picture pixels: `context` is transformed accordingly.
 *
 * @param options colours: {part: "#rrggbb"}, hiddenParts, opacity, dimmed(id): whether it is paler,
 * headLength: of the picture, in its pixels
 */
export function drawShapes(context, zoom, shapes, { colours, hiddenParts, opacity, dimmed, headLength }) {
  const { line, fill } = strength(opacity);
  const width = Math.min(Math.max((headLength * zoom) / HEAD_BY_LINE, LINES[0]), LINES[1]);
  context.lineWidth = width / zoom;
  context.lineJoin = "round";
  for (const shape of shapes) {
    const pale = dimmed(shape.id);
    for (const { part, path } of shape.parts(zoom)) {
      if (hiddenParts[part]) continue;
      context.fillStyle = context.strokeStyle = colours[part] ?? FALLBACK_COLOUR;
      if (!pale && fill > 0) {
        context.globalAlpha = fill;
        context.fill(path, "evenodd");
      }
      context.globalAlpha = pale ? DIMMED * line : line;
      context.stroke(path);
    }
  }
  context.globalAlpha = 1;
}

/** Draw one shape so that it stands out: a light casing beside its lines. */
export function drawMarked(context, zoom, shape, { colours, hiddenParts }) {
  const parts = shape.parts(zoom).filter(({ part }) => !hiddenParts[part]);
  context.lineJoin = "round";
  context.lineWidth = CASING / zoom;
  context.strokeStyle = "rgba(255, 255, 255, 0.85)";
  for (const { path } of parts) context.stroke(path);
  context.lineWidth = MARKED_LINE / zoom;
  for (const { part, path } of parts) {
    context.strokeStyle = colours[part] ?? FALLBACK_COLOUR;
    context.stroke(path);
  }
}
