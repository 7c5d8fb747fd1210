import { defineConfig } from 'vitest/config';

// One project for each kind of proof. Those that talk to servers share one set, started once in test/servers.ts.
const shared = { pool: 'forks' as const, maxWorkers: 2, testTimeout: 60_000, hookTimeout: 120_000 };
/** The examples import Pawl by its name, as a project does: tsconfig.json says where that is. */
const resolve = { tsconfigPaths: true };
const withServers = { ...shared, globalSetup: ['test/servers.ts'], fileParallelism: true };

export default defineConfig({
  test: {
    projects: [
      { resolve, test: { ...shared, name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          ...shared,
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, include: ['test/types/**/*.test-d.ts'] },
        },
      },
      { test: { ...withServers, name: 'contract', include: ['test/contract/**/*.test.ts'] } },
      { test: { ...withServers, name: 'workflow', include: ['test/{workflow,replay}/**/*.test.ts'] } },
      {
        resolve,
        test: {
          ...withServers,
          name: 'integration',
          testTimeout: 300_000,
          include: ['test/integration/**/*.test.ts'],
          exclude: ['test/integration/demo.test.ts'],
        },
      },
      // Five minutes of two cores, and it brings servers of its own: alone.
      { test: { ...shared, name: 'demo', testTimeout: 900_000, include: ['test/integration/demo.test.ts'] } },
      { test: { ...withServers, name: 'package', testTimeout: 300_000, include: ['test/package/**/*.test.ts'] } },
      { test: { ...withServers, name: 'chaos', testTimeout: 300_000, include: ['test/chaos/**/*.test.ts'] } },
    ],
  },
});
