import type { Bench } from '../report.js';
export const canary: Bench = { name: 'canary', title: '', run: async () => ({ aimed: [], figures: [], notes: [] }) };
