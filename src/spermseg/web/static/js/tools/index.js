// Everything that changes a picture's result: the tools, what they did, and the scale.

import { initHistory } from "../history.js";
import { initScale } from "../scale.js";
import { initTools } from "./toolbar.js";

export function initCorrections({ viewer, store, api }) {
  const tools = initTools({ viewer, store, api });
  initHistory({ store, api, editor: tools.editor });
  initScale({ store, api, tools });
}
