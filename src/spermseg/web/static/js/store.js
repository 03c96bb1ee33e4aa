/** The page's state and who wants to know of its changes. */

export const VERDICTS = ["normal", "abnormal", "not assessable", "not counted"];

/** How pictures are shown at first. `only`: others than the selected sperm are shown like it
 * ("all"), paler ("dim") or not at all ("hide"). `parts`: ids that are hidden, as {id: true}. */
export const DEFAULT_SHOW = Object.freeze({
  overlay: true,
  hiddenParts: Object.freeze({}),
  opacity: 0.5,
  contrast: 1,
  brightness: 1,
  numbers: true,
  only: "all",
});

export function createStore(initial) {
  let state = Object.freeze({ ...initial });
  const subscribers = new Set();
  return {
    get: () => state,
    /** Change some keys; subscribers of keys that did change are called at once. */
    set(patch) {
      const changed = Object.keys(patch).filter((key) => !Object.is(state[key], patch[key]));
      if (!changed.length) return;
      state = Object.freeze({ ...state, ...patch });
      for (const { work, keys } of [...subscribers]) {
        if (!keys.length || keys.some((key) => changed.includes(key))) work(state, changed);
      }
    },
    /** Call `work(state, changedKeys)` after changes of these keys, or of any if none is named.
     * Gives a function that ends it. */
    subscribe(work, ...keys) {
      const entry = { work, keys };
      subscribers.add(entry);
      return () => subscribers.delete(entry);
    },
  };
}

export const store = createStore({
  workspace: null, // as of GET /api/workspace
  uploads: [], // files on their way: {key, name, status: "waiting"|"sending"|"refused", reason, detail}
  picture: null, // as of GET /api/pictures/{id}, with `sperm`
  opening: null, // id of the picture that is being loaded
  selected: null, // sperm id
  hovered: null, // sperm id
  filter: { verdict: null, corrected: false },
  language: "en",
  theme: "auto", // "light", "dark"
  page: "pictures", // "sample"
  show: DEFAULT_SHOW,
  tool: null, // name of the tool in hand; TOOLS sets it together with viewer.setTool
});

/** Change a part of `show`. */
export function setShow(patch) {
  store.set({ show: Object.freeze({ ...store.get().show, ...patch }) });
}

/** The sperm that the table lists and the picture shows. */
export function filteredSperm({ picture, filter }) {
  const sperm = picture?.sperm ?? [];
  return sperm.filter(
    (one) =>
      (filter.verdict === null || one.verdict === filter.verdict) &&
      (!filter.corrected || one.corrected),
  );
}

/** The sperm of the current picture with this id, or undefined. */
export const spermById = ({ picture }, id) => picture?.sperm.find((one) => one.id === id);
