// The tools' pictures: 24 x 24, drawn in lines of the text's colour.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  brush: "M14.5 4.5 19.5 9.5M20.5 3.5a2.1 2.1 0 0 1 0 3L11 16l-3-3 9.5-9.5a2.1 2.1 0 0 1 3 0ZM8 13c-2.6 0-3.2 2-3.4 3.6-.2 1.3-.8 2.2-2.1 2.9 3.4 1.6 8.5.4 8.5-3.5",
  eraser: "M8.5 20H20M4.2 14.2 14 4.4a1.7 1.7 0 0 1 2.4 0l4.2 4.2a1.7 1.7 0 0 1 0 2.4L11.6 20H8.2l-4-4a1.3 1.3 0 0 1 0-1.8ZM9 9.4l6.5 6.5",
  split: "M6.5 8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM6.5 20.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8.5 7.5 20 18M8.5 16.5 20 6",
  merge: "M7 3v4c0 4 5 4 5 8v6M17 3v4c0 4-5 4-5 8M8.5 17.5 12 21l3.5-3.5",
  tail: "M3.5 17c3 0 3.5-9 7-9s4 8 7 8M3.5 19.5a2.5 2.5 0 1 0 0-5M20 18.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM10.5 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  add: "M12 5v14M5 12h14",
  delete: "M4 6.5h16M9 6.5v-3h6v3M6 6.5 7 20.5h10l1-14M10 10.5v6M14 10.5v6",
  undo: "M8 4 3.5 8.5 8 13M4 8.5h9.5a6 6 0 0 1 0 12H9",
  redo: "M16 4l4.5 4.5L16 13M20 8.5h-9.5a6 6 0 0 0 0 12H15",
  versions: "M12 7v5.5l3.5 2M3.5 12a8.5 8.5 0 1 0 2.6-6.1L3.5 8.3M3.5 3.5v4.8h4.8",
  scale: "M3 16.5 16.5 3 21 7.5 7.5 21ZM7 12.5l2 2M10 9.5l3 3M13 6.5l2 2",
  download: "M12 3.5v12M7 10.5l5 5 5-5M4 20.5h16",
  help: "M9 9.2c0-1.8 1.3-3 3-3s3 1.2 3 2.8c0 2.3-3 2.4-3 5M12 17.3v.4M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19Z",
  close: "M6 6l12 12M18 6 6 18",
  warning: "M12 4 2.5 20.5h19ZM12 10v5M12 17.6v.4",
};

/** An icon that screen readers pass over. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "tool-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
