/** The two pages, the address of what is shown, and the texts about the picture around it. */

import { byId, el } from "./dom.js";
import { number, t } from "./i18n.js";
import { pickers } from "./upload.js";

export function initPages(store) {
  const buttons = [...document.querySelectorAll("[data-page]")];
  for (const button of buttons) {
    button.addEventListener("click", () => store.set({ page: button.dataset.page }));
  }
  const update = ({ page }) => {
    byId("pictures-page").hidden = page !== "pictures";
    byId("sample-page").hidden = page !== "sample";
    for (const one of buttons) {
      if (one.dataset.page === page) one.setAttribute("aria-current", "page");
      else one.removeAttribute("aria-current");
    }
  };
  store.subscribe(update, "page");
  update(store.get());
}

/** Keep page, picture and sperm in the address, so that a reload comes back to them. */
export function initAddress(store) {
  const write = ({ page, picture, selected }) => {
    const parts = page === "sample" ? ["sample"] : picture ? ["picture", picture.id, ...(selected === null ? [] : [selected])] : [];
    const hash = parts.length ? `#${parts.join("/")}` : " ";
    if (hash !== location.hash) history.replaceState(null, "", hash === " " ? location.pathname : hash);
  };
  store.subscribe(write, "page", "picture", "selected");
}

/** What the address asks for: {page, id, selected}. */
export function readAddress() {
  const [what, id, sperm] = location.hash.slice(1).split("/");
  return {
    page: what === "sample" ? "sample" : "pictures",
    id: what === "picture" ? id : undefined,
    selected: sperm ? Number(sperm) : null,
  };
}

/** Name, size, scale and warnings of the picture; what to do where there is none. */
export function initPictureHeader(store, add) {
  const update = ({ picture, workspace }) => {
    byId("viewer-title").textContent = picture?.name ?? t("viewer.no_picture");
    byId("picture-facts").textContent = picture ? facts(picture) : "";
    byId("viewer").setAttribute("aria-label", t("viewer.label", { name: picture?.name ?? "" }));
    byId("viewer").hidden = !picture;
    const warnings = byId("warnings");
    const lines = [...(picture?.status === "failed" ? [picture.reason] : []), ...(picture?.warnings ?? [])];
    warnings.hidden = !lines.length;
    warnings.replaceChildren(...lines.map((line) => el("p", {}, line)));
    welcome(workspace, picture, add);
    document.title = picture ? `${picture.name} – spermseg` : "spermseg";
    byId("about").textContent = workspace ? `spermseg ${workspace.version} · ${workspace.model.id}` : "";
  };
  store.subscribe(({ opening }) => {
    document.querySelector(".viewer-region").setAttribute("aria-busy", opening !== null);
  }, "opening");
  store.subscribe(update, "picture", "language", "workspace");
  update(store.get());
}

function facts({ width, height, scale, status, seconds }) {
  const size = width ? `${number(width, 0)} × ${number(height, 0)} px` : "";
  const pixel = scale?.um_per_px
    ? t("picture.pixel_size", { value: number(scale.um_per_px, 4) })
    : status === "done" ? t("picture.no_pixel_size") : "";
  const time = seconds ? t("picture.seconds", { seconds: number(seconds, 1) }) : "";
  return [size, pixel, time].filter(Boolean).join(" · ");
}

function welcome(workspace, picture, add) {
  const area = byId("welcome");
  area.hidden = Boolean(picture) || !workspace || workspace.pictures.length > 0;
  if (area.hidden || area.dataset.language === document.documentElement.lang) return;
  area.dataset.language = document.documentElement.lang;
  area.replaceChildren(
    el("div", { class: "welcome-card" },
      el("h2", {}, t("welcome.title")),
      el("p", {}, t("welcome.text")),
      ...pickers(add),
      el("ol", {}, ["drop", "look", "correct", "download"].map((step) =>
        el("li", {}, el("strong", {}, t(`welcome.${step}`)), ` ${t(`welcome.${step}.text`)}`))),
      el("p", { class: "quiet" }, t("welcome.private"))),
  );
}
