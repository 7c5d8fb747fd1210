import type { Bench } from '../report.js';
export const gateway: Bench = { name: 'gateway', title: '', run: async () => ({ aimed: [], figures: [], notes: [] }) };
