/** Puts the page together. */

import { api } from "./api.js";
import { byId } from "./dom.js";
import { initDetails } from "./details.js";
import { initDownloads } from "./downloads.js";
import { preferredLanguage, setLanguage, t } from "./i18n.js";
import { placeIcons } from "./icons.js";
import { initAddress, initPages, initPictureHeader, readAddress } from "./pages.js";
import { initPictures, removePicture } from "./pictures.js";
import { initSample } from "./sample.js";
import { initSettings } from "./settings.js";
import { store } from "./store.js";
import { createSync } from "./sync.js";
import { initTable } from "./table.js";
import { initCorrections } from "./tools/index.js";
import { initUpload } from "./upload.js";
import { initKeys } from "./viewer/keys.js";
import { initScaleBar } from "./viewer/scale_bar.js";
import { initToolbar } from "./viewer/toolbar.js";
import { Viewer } from "./viewer/viewer.js";

async function start() {
  placeIcons(document);
  await setLanguage(preferredLanguage());
  initSettings(store);

  const asked = readAddress();
  const viewer = new Viewer(byId("viewer"), store, api);
  const sync = createSync({ store, api });
  const uploads = initUpload({ store, api, onUploaded: sync.merge });
  const open = (id) => {
    store.set({ page: "pictures" });
    return sync.open(id);
  };
  initPages(store);
  initPictures({
    store,
    api,
    actions: { open, remove: (one) => removePicture(one, { api, refresh: sync.refresh }), forgetUpload: uploads.forget },
  });
  initPictureHeader(store, uploads.add);
  initToolbar(viewer, store);
  initKeys(viewer, store);
  initScaleBar(viewer, store);
  initTable({ viewer, store });
  initDetails({ store });
  initCorrections({ viewer, store, api });
  initSample({ store, api, openPicture: open });
  initDownloads({ store, api });

  const workspace = await api.workspace().catch(() => null);
  if (workspace) store.set({ workspace });
  if (workspace?.pictures.some(({ id }) => id === asked.id)) {
    await open(asked.id);
    store.set({ selected: asked.selected });
  }
  store.set({ page: asked.page });
  initAddress(store);
  sync.listen();
}

start().catch((error) => {
  const banner = byId("connection");
  banner.hidden = false;
  banner.textContent = `${t("app.broken")}: ${error.message}`;
});
