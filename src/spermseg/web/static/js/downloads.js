// The menu of files to take along, each with what it is and what it loses.

import { byId, el } from "./dom.js";
import { hasText, t } from "./i18n.js";
import { makePopover } from "./tools/popover.js";

const GROUPS = {
  read: ["report"],
  tables: ["csv", "images", "summary", "parquet"],
  outlines: ["geojson", "imagej", "coco", "labelme", "label-tiff"],
  learn: ["training"],
};

export function initDownloads({ store, api }) {
  const popover = makePopover({ name: "downloads-menu", icon: "download", content });
  byId("downloads").replaceChildren(popover.element);

  function available() {
    const { formats } = store.get().workspace ?? {};
    return (formats ?? []).map((one) => (typeof one === "string" ? one : one.id ?? one.name));
  }

  function link(format, counts) {
    const text = (kind) => t(`download.${format}.${kind}`);
    const missing = format === "training" && !counts.corrected && t("download.training.none");
    const inside = [
      el("span", { class: "format" }, text("name"), el("span", { class: "file" }, text("file"))),
      el("span", { class: "is" }, text("is")), " ",
      hasText(`download.${format}.loses`) && el("span", { class: "loses" }, text("loses")),
      missing && el("span", { class: "loses" }, missing),
    ];
    return el("li", {}, missing || !counts.done
      ? el("span", { class: "download off", "aria-disabled": "true" }, inside)
      : el("a", { class: "download", href: api.downloadUrl(format), download: true }, inside));
  }

  function count() {
    const { pictures = [] } = store.get().workspace ?? {};
    return {
      done: pictures.filter((one) => one.status === "done").length,
      corrected: pictures.filter((one) => one.corrected > 0).length,
    };
  }

  function content() {
    const counts = count();
    const formats = available();
    const groups = Object.entries(GROUPS).map(([name, wanted]) => {
      const shown = wanted.filter((format) => formats.includes(format));
      return shown.length && el("section", { class: name }, el("h4", {}, t(`download.group.${name}`)),
        el("ul", {}, shown.map((format) => link(format, counts))));
    });
    return [
      el("h3", {}, t("download.title")),
      el("p", { class: "hint" }, counts.done
        ? t("download.of", { count: counts.done }) : t("download.nothing")),
      el("div", { class: "groups" }, groups.filter(Boolean)),
      el("p", { class: "hint" }, t("app.disclaimer")),
    ];
  }

  function refresh() {
    popover.label(t("download.title"), t("download.button"));
    popover.refresh();
  }

  let told = "";
  store.subscribe(refresh, "language");
  store.subscribe(() => {
    // Not at every change of the queue: that would take the menu from under the pointer.
    const now = JSON.stringify([available(), count()]);
    if (now !== told) refresh();
    told = now;
  }, "workspace");
  refresh();
}
