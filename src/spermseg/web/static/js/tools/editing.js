// Sends corrections one after the other, and shows them until the answer is there.

import { t } from "../i18n.js";
import { notify } from "../notify.js";

/**
 * Make what all tools correct a picture with.
 *
 * A correction waits for those before it, so that each rests on the version that they made. Where
 * the picture was changed elsewhere (409), the ones still waiting are dropped: they were drawn on
 * outlines that are no more.
 */
export function makeEditor({ viewer, store, api }) {
  let queue = Promise.resolve();
  let generation = 0;
  const previews = new Set();

  async function versionOf(id) {
    const { picture } = store.get();
    return picture?.id === id ? picture.version : (await api.picture(id)).version;
  }

  function show(picture, selected) {
    if (store.get().picture?.id !== picture.id) return;
    const kept = selected === undefined ? store.get().selected : selected;
    const known = picture.sperm.some((one) => one.id === kept);
    store.set({ picture, selected: known ? kept : null, hovered: null });
  }

  async function failed(error, id) {
    if (error.status !== 409) {
      notify(error.message, "error");
      return;
    }
    generation += 1;
    notify(t("edit.conflict"), "error");
    show(await api.picture(id));
  }

  function enqueue(id, request, { preview, choose, told } = {}) {
    const mine = generation;
    if (preview) previews.add(preview);
    viewer.redraw();
    const work = async () => {
      if (mine !== generation) return false;
      try {
        const before = store.get().picture;
        const answer = await request();
        if (preview) previews.delete(preview);
        show(answer, choose?.(before, answer));
        if (told) notify(told);
        return true;
      } catch (error) {
        await failed(error, id).catch((later) => notify(later.message, "error"));
        return false;
      }
    };
    const done = queue.then(work).finally(() => {
      if (preview) previews.delete(preview);
      viewer.redraw();
    });
    queue = done;
    return done;
  }

  return {
    /**
     * Correct the picture that is shown.
     *
     * @param {object} edit as POST .../edits takes it
     * @param {object} [how] `preview(context, viewer)` draws it until it is done,
     *   `choose(before, after)` gives the sperm to select, `told` is said when done
     * @returns {Promise<boolean>} whether it was done
     */
    submit(edit, how) {
      const { id } = store.get().picture;
      return enqueue(id, async () => api.edit(id, await versionOf(id), edit), how);
    },

    /** Show another version of the picture. */
    goTo(version, how) {
      const { id } = store.get().picture;
      return enqueue(id, () => api.setVersion(id, version), how);
    },

    /** Resolves when nothing waits any more. */
    settled: () => queue,

    drawPending(context) {
      for (const preview of previews) preview(context, viewer);
    },
  };
}
