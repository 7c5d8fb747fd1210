// `pawl/client`: starts runs, joins them, and says how they stand, from any program that reaches Temporal.

export {
  PawlClient,
  type ParamsOf,
  type PawlClientOptions,
  type ResultOf,
  type Run,
  type RunResult,
  type Startable,
  type StartOptions,
  type TriggerEvent,
} from '../client/client.js';
export { connectClient, temporalSettings, type ConnectedClient, type TemporalSettings } from '../client/connect.js';
export { connectPawl, type ConnectPawlOptions, type ConnectedPawl } from './connect-pawl.js';
export type { RunFilter, RunSummary } from '../client/list-runs.js';
export { Rollout, type OperatorMessage, type OperatorWord, type RolloutView } from '../client/rollout.js';
export type { ScheduleScope, WantedSchedule } from '../client/schedule-definition.js';
export { listSchedules, type ScheduleStatus } from '../client/schedule-list.js';
export { applySchedules, type ApplyOptions } from '../client/schedules.js';
export { externalStorage } from '../workers/external-storage.js';
