import type { Bench } from '../report.js';
export const objectStore: Bench = {
  name: 'object-store',
  title: '',
  run: async () => ({ aimed: [], figures: [], notes: [] }),
};
