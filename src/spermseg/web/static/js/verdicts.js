/** How the verdicts look: each has a shape of its own beside its colour. */

/** Colours on dark and on light ground. */
const COLOURS = {
  normal: ["#5fe0a8", "#0b7a55"],
  abnormal: ["#ffa366", "#b8440b"],
  "not assessable": ["#d5dbe6", "#5b6270"],
  "not counted": ["#aab2c0", "#6b7280"],
};

// In a square of 10 by 10 around its middle.
const SHAPES = {
  normal: "M4.2 0A4.2 4.2 0 1 1-4.2 0A4.2 4.2 0 1 1 4.2 0Z",
  abnormal: "M0-4.6L4.8 3.8L-4.8 3.8Z",
  "not assessable": "M0-4.2L4.2 0L0 4.2L-4.2 0Z",
  "not counted": "M-3.6 0L3.6 0",
};
const FILLED = new Set(["normal", "abnormal"]);

/** Draw the shape of a verdict on a canvas. */
export function drawVerdict(context, verdict, x, y, onLight = false) {
  context.save();
  context.translate(x, y);
  const path = new Path2D(SHAPES[verdict]);
  context.fillStyle = context.strokeStyle = COLOURS[verdict][onLight ? 1 : 0];
  context.lineWidth = 1.6;
  if (FILLED.has(verdict)) context.fill(path);
  else context.stroke(path);
  context.restore();
}

/** The shape of a verdict as an SVG element; its colour comes from CSS. */
export function verdictMark(verdict) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "-6 -6 12 12");
  svg.setAttribute("class", `verdict-mark ${verdictClass(verdict)}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", SHAPES[verdict]);
  path.setAttribute("class", FILLED.has(verdict) ? "filled" : "hollow");
  svg.append(path);
  return svg;
}

/** Key of a verdict in class names and texts. */
export const verdictClass = (verdict) => verdict.replaceAll(" ", "-");
