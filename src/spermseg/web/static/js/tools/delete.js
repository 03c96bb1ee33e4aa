// Take a sperm out of the picture.

import { t } from "../i18n.js";
import { notify } from "../notify.js";

export function deleteSelected({ store, editor }) {
  const { selected } = store.get();
  if (selected === null) {
    notify(t("tool.choose_first"));
    return;
  }
  editor.submit(
    { type: "delete", sperm: selected },
    { choose: () => null, told: t("tool.delete.done", { sperm: selected }) },
  );
}
