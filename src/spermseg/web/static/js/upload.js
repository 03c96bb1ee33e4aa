/** Files on their way to the server: dropped or picked, sent two at a time, tried again when the
 * queue is full. */

import { ApiError } from "./api.js";
import { byId, el } from "./dom.js";
import { hasText, t } from "./i18n.js";
import { icon } from "./icons.js";
import { notify } from "./notify.js";

/** Extensions that count as pictures in a folder, as for `spermseg analyze`. */
export const PICTURE_EXTENSIONS = [".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"];

const AT_ONCE = 2;
const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 30;

export function initUpload({ store, api, onUploaded }) {
  const waiting = [];
  let sending = 0;
  let lastKey = 0;

  const change = (key, patch) =>
    store.set({ uploads: store.get().uploads.map((one) => (one.key === key ? { ...one, ...patch } : one)) });
  const forget = (key) => store.set({ uploads: store.get().uploads.filter((one) => one.key !== key) });

  /** Take [{file, name}] for the queue; `isFolder` leaves out what is no picture. A name may begin
   * with folders: the folder names the sample. */
  function add(found, isFolder = false) {
    const pictures = isFolder ? found.filter(({ file }) => isPicture(file)) : found;
    if (found.length > pictures.length) {
      notify(t("upload.left_out", { count: found.length - pictures.length }));
    }
    const entries = pictures.map(({ file, name }) => ({ key: ++lastKey, file, name }));
    waiting.push(...entries);
    const shown = entries.map(({ key, name }) => ({ key, name, status: "waiting", reason: "" }));
    store.set({ uploads: [...store.get().uploads, ...shown] });
    sendNext();
  }

  function sendNext() {
    while (sending < AT_ONCE && waiting.length) {
      sending += 1;
      send(waiting.shift()).finally(() => {
        sending -= 1;
        sendNext();
      });
    }
  }

  async function send({ key, file, name }) {
    const limit = store.get().workspace?.limits?.bytes;
    if (limit && file.size > limit) {
      change(key, { status: "refused", reason: t("upload.too_large", { limit: Math.round(limit / 2 ** 20) }) });
      return;
    }
    for (let wait = FIRST_WAIT_S; ; wait = Math.min(2 * wait, LONGEST_WAIT_S)) {
      change(key, { status: "sending", reason: "" });
      try {
        onUploaded(await api.upload(file, name));
        forget(key);
        return;
      } catch (error) {
        const isBusy = error instanceof ApiError && (error.status === 429 || error.status === 0);
        if (!isBusy) {
          change(key, { status: "refused", reason: refusal(error), detail: error.message });
          return;
        }
        change(key, { status: "waiting", reason: t(error.status ? "upload.queue_full" : "upload.no_server") });
        await sleep(error.retryAfter ?? wait);
      }
    }
  }

  buildDropZone(add);
  acceptDrops(add);
  store.subscribe(() => buildDropZone(add), "language");
  return { add, forget };
}

const refusal = ({ status, message }) =>
  hasText(`upload.error.${status}`) ? t(`upload.error.${status}`) : message;

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

const isPicture = ({ name }) =>
  !name.startsWith(".") && PICTURE_EXTENSIONS.some((ending) => name.toLowerCase().endsWith(ending));

function buildDropZone(add) {
  byId("drop").replaceChildren(...pickers(add), el("p", { class: "hint" }, t("drop.hint")));
}

/** The two buttons by which files and folders are picked. */
export function pickers(add) {
  const picker = (attributes, isFolder) =>
    el("input", {
      type: "file", multiple: true, hidden: true, ...attributes,
      onchange: (event) => {
        add([...event.target.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })), isFolder);
        event.target.value = "";
      },
    });
  const files = picker({ accept: PICTURE_EXTENSIONS.join(","), "data-pick": "files" }, false);
  const folder = picker({ webkitdirectory: true, "data-pick": "folder" }, true);
  return [
    el("div", { class: "pickers" },
      el("button", { type: "button", class: "primary", onclick: () => files.click() }, icon("upload"), t("drop.files")),
      el("button", { type: "button", onclick: () => folder.click() }, icon("folder"), t("drop.folder"))),
    files,
    folder,
  ];
}

/** Pictures and folders may be dropped anywhere in the window. */
function acceptDrops(add) {
  const shade = byId("drop-shade");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const leave = () => {
    depth = 0;
    shade.hidden = true;
  };
  window.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    shade.hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) leave();
  });
  window.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  window.addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    leave();
    // The entries have to be asked for before the first await: the browser forgets them after.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) {
      add([...event.dataTransfer.files].map((file) => ({ file, name: file.name })));
      return;
    }
    const single = entries.filter((entry) => entry.isFile);
    const folders = entries.filter((entry) => entry.isDirectory);
    try {
      if (single.length) add(await filesOf(single));
      if (folders.length) add(await filesOf(folders), true);
    } catch (error) {
      notify(t("upload.unreadable", { reason: error.message }), "error");
    }
  });
}

/** All files of entries, of folders those below them too, in the order of their names. */
async function filesOf(entries) {
  const files = [];
  for (const entry of entries) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      files.push({ file, name: entry.fullPath.replace(/^\//, "") });
    } else files.push(...(await filesOf(await children(entry))));
  }
  return files;
}

async function children(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    // A reader gives at most a hundred a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    found.push(...some);
  }
}
