/** Icons, drawn as lines in a square of 20 by 20. */

const PATHS = {
  sperm: "M14.5 2.6a3.4 3.4 0 0 1 .9 5.3c-1.2 1.3-3.2 1.4-4.5.3s-1.3-3.1-.1-4.5a3.4 3.4 0 0 1 3.7-1.1ZM10.6 8.6c-2 2-1 3.6-3 5.2s-3 .8-4.6 3.6",
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  fit: "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4",
  eye: "M1.8 10S4.8 4.5 10 4.5 18.2 10 18.2 10 15.2 15.5 10 15.5 1.8 10 1.8 10ZM10 12.4a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8Z",
  numbers: "M7.5 3 6 17M14 3l-1.5 14M3.5 7.5H17M3 12.5h13.5",
  light: "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4",
  previous: "M12.5 4 6.5 10l6 6",
  next: "M7.5 4l6 6-6 6",
  target: "M10 16a6 6 0 1 0 0-12 6 6 0 0 0 0 12ZM10 1.5v4M10 14.5v4M1.5 10h4M14.5 10h4",
  bin: "M3.5 5.5h13M8 5.5V3.5h4v2M5.5 5.5l.7 11h7.6l.7-11M8.5 8.5v5M11.5 8.5v5",
  picture: "M3 4h14v12H3ZM3 13.5l4-4 3.5 3.5 2.5-2.5 4 3.5M13 7.5h.01",
  folder: "M2.5 5h5l1.5 2h8.5v9h-15Z",
  upload: "M10 13V3.5M6 7l4-4 4 4M3.5 13v3.5h13V13",
  close: "M5 5l10 10M15 5 5 15",
};

const SPACE = "http://www.w3.org/2000/svg";

/** Make an icon; it says nothing to screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SPACE, "svg");
  const path = document.createElementNS(SPACE, "path");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Put icons where the page names them. */
export function placeIcons(root) {
  for (const place of root.querySelectorAll("[data-icon]")) place.replaceChildren(icon(place.dataset.icon));
}
