/** Keeps the page's state at the server's: what is new is fetched when the server says so. */

import { ApiError } from "./api.js";
import { byId } from "./dom.js";
import { t } from "./i18n.js";
import { notify } from "./notify.js";

const REFRESH_EVERY_MS = 300;

export function createSync({ store, api }) {
  let refreshing = null;
  let again = false;
  let opened = Promise.resolve();

  /** Fetch the workspace, and the current picture where it has changed. */
  function refresh() {
    again = true;
    refreshing ??= run().finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  async function run() {
    while (again) {
      again = false;
      try {
        const workspace = await api.workspace();
        connection(null);
        store.set({ workspace });
        await refreshPicture(workspace);
      } catch (error) {
        report(error);
      }
      await new Promise((resolve) => setTimeout(resolve, REFRESH_EVERY_MS));
    }
  }

  async function refreshPicture({ pictures }) {
    await opened;
    const { picture } = store.get();
    const summary = pictures.find(({ id }) => id === picture?.id);
    if (!summary) {
      const first = pictures.find(({ status }) => status === "done") ?? pictures[0];
      if (picture) store.set({ picture: null });
      if (first) await open(first.id);
    } else if (summary.revision !== picture.revision) {
      await open(summary.id);
    }
  }

  /** Show a picture; of several asked for, the last one. */
  function open(id) {
    opened = load(id);
    return opened;
  }

  async function load(id) {
    store.set({ opening: id });
    try {
      const picture = await api.picture(id);
      if (store.get().opening === id) store.set({ picture, opening: null });
    } catch (error) {
      if (store.get().opening === id) store.set({ opening: null });
      report(error);
    }
  }

  /** Put one summary in its place, as after an upload or a progress event. */
  function merge(summary) {
    const { workspace } = store.get();
    if (!workspace) return;
    const known = workspace.pictures.some(({ id }) => id === summary.id);
    const pictures = known
      ? workspace.pictures.map((one) => (one.id === summary.id ? { ...one, ...summary } : one))
      : summary.name
        ? [...workspace.pictures, summary]
        : workspace.pictures;
    store.set({ workspace: { ...workspace, pictures } });
  }

  function connection(message) {
    const banner = byId("connection");
    banner.hidden = message === null;
    banner.textContent = message ?? "";
  }

  function report(error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 || error.status === 403) connection(t("connection.token"));
    else if (error.status === 0) connection(t("connection.lost"));
    else notify(error.message, "error");
  }

  function listen() {
    api.events({
      open: refresh,
      workspace: ({ revision }) => {
        if (revision !== store.get().workspace?.revision) refresh();
      },
      progress: merge,
      // Why, this channel does not say: an ordinary request does.
      lost: refresh,
    });
  }

  return { refresh, open, merge, listen };
}
