/** The list of pictures with the queue's progress. */

import { byId, el } from "./dom.js";
import { number, t } from "./i18n.js";
import { icon } from "./icons.js";
import { announce, notify } from "./notify.js";
import { VERDICTS } from "./store.js";
import { verdictClass } from "./verdicts.js";
import { verdictText } from "./sentences.js";

const COUNT_OF = { "not assessable": "not_assessable", "not counted": "not_counted" };

/** @param actions open(id), remove(id), forgetUpload(key) */
export function initPictures({ store, api, actions }) {
  const list = byId("picture-list");
  const rows = new Map(); // key: {element, look}: rows stay, so that focus does

  function update() {
    const { workspace, uploads, picture, opening, language } = store.get();
    const current = opening ?? picture?.id;
    const entries = [
      ...(workspace?.pictures ?? []).map((one) => ({ key: one.id, one, isUpload: false })),
      ...uploads.map((one) => ({ key: `upload ${one.key}`, one, isUpload: true })),
    ];
    const keys = new Set(entries.map(({ key }) => key));
    for (const [key, row] of rows) {
      if (keys.has(key)) continue;
      row.element.remove();
      rows.delete(key);
    }
    entries.forEach(({ key, one, isUpload }, index) => {
      let row = rows.get(key);
      // Every answer of the server is a new object; only what differs is built again.
      const look = `${language} ${JSON.stringify(one)}`;
      if (row?.look !== look) {
        const element = isUpload ? uploadRow(one, actions) : pictureRow(one, api, actions);
        const hadFocus = row?.element.contains(document.activeElement);
        row?.element.replaceWith(element);
        row = { element, look };
        rows.set(key, row);
        if (hadFocus) element.querySelector("button").focus();
      }
      if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
      if (!isUpload) row.element.querySelector(".open").setAttribute("aria-current", one.id === current);
    });
    byId("pictures-count").textContent = workspace?.pictures.length ? number(workspace.pictures.length) : "";
    queue(workspace?.pictures ?? [], uploads);
  }

  store.subscribe(update, "workspace", "uploads", "picture", "opening", "language");
  update();
}

function pictureRow(one, api, actions) {
  const open = el(
    "button",
    { type: "button", class: `open ${one.status}`, "data-id": one.id, onclick: () => actions.open(one.id) },
    el("img", { src: api.thumbnailUrl(one.id), alt: "", loading: "lazy", width: 56, height: 44 }),
    el("span", { class: "picture-text" },
      el("span", { class: "picture-name", title: one.name }, one.name),
      state(one)),
  );
  return el("li", { class: "picture-row" }, open, removeButton(one, () => actions.remove(one)));
}

function state(one) {
  if (one.status === "failed") return el("span", { class: "picture-state problem" }, one.reason || t("picture.failed"));
  if (one.status === "queued") return el("span", { class: "picture-state" }, t("picture.queued"));
  if (one.status === "running" || !one.counts) {
    const bar = el("progress", { max: 1, "aria-label": t("picture.running") });
    if (one.progress != null) bar.value = one.progress;
    return el("span", { class: "picture-state" }, t("picture.running"), bar);
  }
  const corrected = one.corrected ? ` · ${t("picture.corrected", { count: one.corrected })}` : "";
  const sum = t("picture.sperm", { count: one.counts.sperm }) + corrected;
  return el("span", { class: "picture-state" }, el("span", { class: "sum", title: sum }, sum), tally(one.counts));
}

/** A bar of the verdicts' shares, said in words to screen readers. */
function tally(counts) {
  const shares = VERDICTS.map((verdict) => [verdict, counts[COUNT_OF[verdict] ?? verdict] ?? 0]).filter(([, n]) => n);
  const label = shares.map(([verdict, n]) => `${number(n)} ${verdictText(verdict)}`).join(", ");
  return el("span", { class: "tally", role: "img", "aria-label": label, title: label },
    shares.map(([verdict, n]) => {
      const share = el("span", { class: verdictClass(verdict) });
      share.style.setProperty("flex-grow", n);
      return share;
    }));
}

function uploadRow(one, actions) {
  const text = one.reason || t(`upload.${one.status}`);
  return el("li", { class: "picture-row" },
    el("div", { class: "open upload" },
      el("span", { class: "no-thumbnail" }, icon("picture")),
      el("span", { class: "picture-text" },
        el("span", { class: "picture-name", title: one.name }, one.name),
        el("span", { class: `picture-state ${one.status === "refused" ? "problem" : ""}`, title: one.detail }, text))),
    one.status === "refused" && removeButton(one, () => actions.forgetUpload(one.key), "close", "picture.dismiss"));
}

function removeButton(one, onclick, name = "bin", key = "picture.delete") {
  const label = t(key, { name: one.name });
  return el("button", { type: "button", class: "icon remove", "aria-label": label, title: label, onclick }, icon(name));
}

let lastSaid = "";

/** How far all pictures are; said aloud when one more is done. */
function queue(pictures, uploads) {
  const area = byId("queue");
  const onTheirWay = uploads.filter(({ status }) => status !== "refused").length;
  const open = pictures.filter(({ status }) => status === "queued" || status === "running");
  area.hidden = !open.length && !onTheirWay;
  const done = pictures.length - open.length;
  const total = pictures.length + onTheirWay;
  const text = t("queue.progress", { done, total });
  if (!area.hidden) {
    const part = open.reduce((sum, { progress }) => sum + (progress ?? 0), 0);
    const bar = area.querySelector("progress") ?? el("progress", { max: 1 });
    bar.setAttribute("aria-label", t("queue.label"));
    bar.value = (done + part) / total;
    area.replaceChildren(el("span", {}, text), bar);
  }
  const said = area.hidden && lastSaid ? t("queue.done", { count: total }) : area.hidden ? "" : text;
  if (said !== lastSaid && said) announce(said);
  lastSaid = area.hidden ? "" : said;
}

/** Ask before a picture goes for good. */
export function confirmRemoval(one) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { class: "ask", "aria-labelledby": "ask-title" },
      el("h2", { id: "ask-title" }, t("delete.title")),
      el("p", {}, t("delete.text", { name: one.name })),
      el("div", { class: "buttons" },
        el("button", { type: "button", onclick: () => dialog.close("no"), autofocus: true }, t("delete.keep")),
        el("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, t("delete.delete"))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export async function removePicture(one, { api, refresh }) {
  if (!(await confirmRemoval(one))) return;
  try {
    await api.remove(one.id);
  } catch (error) {
    notify(error.message, "error");
  }
  await refresh();
}
