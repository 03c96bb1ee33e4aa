// What the brush tools share: the part and the radius, kept while tools come and go.

export const SMALLEST_RADIUS = 1;
export const LARGEST_RADIUS = 80;

/** What the eraser may take instead of one part. */
export const ALL_PARTS = 0;

export function makeSettings() {
  const values = { part: null, erased: ALL_PARTS, radius: 6 };
  const listeners = new Set();
  return {
    get: () => values,
    set(patch) {
      Object.assign(values, patch);
      values.radius = Math.min(Math.max(values.radius, SMALLEST_RADIUS), LARGEST_RADIUS);
      for (const listener of listeners) listener(values);
    },
    subscribe(listener) {
      listeners.add(listener);
    },
    /** One step larger (1) or smaller (-1): finer for small brushes. */
    step(direction) {
      const { radius } = values;
      this.set({ radius: radius + direction * Math.max(1, Math.round(radius / 6)) });
    },
  };
}
