// What the rollout's workflows and activities say to each other. Types only: workflow code imports them.

import type { CanaryJudgement } from '../../stats/canary.js';
import type { Traffic } from '../../stats/canary-rule.js';
import type { EndpointState } from '../../systems/endpoint/state.js';
import type { WorkflowStepEnvelope } from '../engine/protocol.js';
import type { RolloutOutcome } from '../schemas/rollout-outcome.js';
import type { RolloutSettings } from '../schemas/rollout-settings.js';

interface RequestBase {
  /** Decided by the requester; a second request under the same id joins the first. */
  readonly operationId: string;
  readonly model: string;
  readonly by: string;
  readonly reason: string;
  readonly settings: RolloutSettings;
  /** Who is told how it ended. */
  readonly requester: { readonly workflowId: string };
  /** The rollout's workflow is gone: put an end to what the operation left behind, and begin nothing. */
  readonly recovering?: boolean;
}

export interface DeployRequest extends RequestBase {
  readonly kind: 'deploy';
  readonly version: number;
  /** Also where it was taken back. */
  readonly again: boolean;
}

export interface RollbackRequest extends RequestBase {
  readonly kind: 'rollback';
  /** null: the previous one, resolved once. */
  readonly toVersion: number | null;
  /** Only where this rollout is still on trial. */
  readonly ofRollout: string | null;
}

export type RolloutRequest = DeployRequest | RollbackRequest;

export interface ReadRequest {
  readonly request: RolloutRequest;
  readonly dryRun: boolean;
}

export type BeginAnswer =
  { readonly status: 'accepted' | 'joined' } | { readonly status: 'finished'; readonly outcome: RolloutOutcome };

/** The endpoint at the start of an operation, and what the same operation has written to it before. */
export interface Survey {
  readonly state: EndpointState | null;
  /** Oldest first. */
  readonly own: readonly EndpointState[];
  /** Versions that the operation's commit moved out of the way, where there was one. */
  readonly replaced: readonly number[];
}

export type Move =
  /** The first champion of an endpoint that has none. */
  | { readonly kind: 'first'; readonly version: number }
  | { readonly kind: 'trial'; readonly version: number }
  | { readonly kind: 'weight'; readonly weightPercent: number }
  | { readonly kind: 'promote' }
  | { readonly kind: 'rollback'; readonly version: number };

/** Who writes and why: `writeId` makes the write idempotent. */
export interface MoveAuthor {
  readonly writeId: string;
  readonly by: string;
  readonly reason: string;
}

export interface MoveRequest extends MoveAuthor {
  readonly model: string;
  readonly trial: string;
  readonly move: Move;
  /** The generation that it replaces; 0: nothing is there. Another one there is a foreign one. */
  readonly overGeneration: number;
  readonly leaseMs: number;
  /** Whether every router must hold the lease at the moment of the write. */
  readonly underLease: boolean;
}

export type LeaseLost = { readonly kind: 'lease-expired'; readonly router: string };
export type Foreign = { readonly kind: 'foreign'; readonly explanation: string };

export type MoveAnswer = { readonly kind: 'moved'; readonly state: EndpointState } | LeaseLost | Foreign;

export interface TakeOffRequest extends MoveAuthor {
  readonly model: string;
  readonly trial: string;
  readonly kind: 'abort' | 'expire';
  /** Writes even where the trial is not named, so that a late write of it can no longer win. */
  readonly fence: boolean;
  /** The version that is not to be rolled out again by itself; null: it may be. */
  readonly revokes: number | null;
  readonly leaseMs: number;
}

export interface TakeOffAnswer {
  /**
   * `committed`: it was promoted after all · `gone`: the object does not name the trial (any more) · `unreadable`: the object
   * is lost or corrupt, so that only the lease takes the challenger off until somebody mends it.
   */
  readonly was: 'on-trial' | 'committed' | 'gone' | 'unreadable';
  readonly state: EndpointState | null;
}

export interface TrialRef {
  readonly model: string;
  readonly trial: string;
  readonly generation: number;
  readonly leaseMs: number;
}

export type AcknowledgeAnswer = { readonly kind: 'held' } | LeaseLost | Foreign;

/** What was counted so far in a step; kept in heartbeats and between looks. */
export interface Tally {
  readonly challenger: Traffic | null;
  readonly champion: Traffic | null;
  readonly watchedMs: number;
  readonly coveredMs: number;
}

export interface ObserveRequest extends TrialRef {
  readonly challenger: number;
  readonly champion: number;
  readonly settings: RolloutSettings;
  readonly weightPercent: number;
  /** A verdict is due once the weight has been watched for this long. */
  readonly dueAfterMs: number;
  /** How long the weight has been on when this is scheduled. */
  readonly elapsedMs: number;
  readonly deadlineInMs: number;
  /** Paused: watches on, fails fast, never passes. */
  readonly paused: boolean;
  readonly tally: Tally | null;
  /** The champion's traffic at an earlier weight, for weights that leave it none. */
  readonly baseline: Traffic | null;
}

export type Look = {
  readonly tally: Tally;
  /** The last judgement. */
  readonly judgement: CanaryJudgement;
} & (
  | { readonly kind: 'verdict' }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'challenger-died'; readonly explanation: string }
  | LeaseLost
  | Foreign
);

export interface RetireRequest {
  readonly model: string;
  readonly version: number;
  readonly drainMs: number;
  /** Only after every router has come to this generation. */
  readonly afterGeneration: number;
  /** A trial that is over: where the endpoint names it (again), it is taken off first. */
  readonly endedTrial?: string;
}

export type RolloutCheck =
  /** The operation is in good hands. */
  | { readonly status: 'open' }
  | { readonly status: 'finished'; readonly outcome: RolloutOutcome }
  /** Nobody conducts it any more. */
  | { readonly status: 'gone' };

export interface AbortRequest {
  readonly operationId: string;
  readonly model: string;
  readonly by: string;
  readonly reason: string;
}

export interface RolloutActivities {
  surveyEndpoint(request: { model: string; operationId: string }): Promise<Survey>;
  launchVersion(request: { model: string; version: number; key: string }): Promise<void>;
  awaitReady(request: { model: string; version: number; timeoutMs: number }): Promise<void>;
  probeVersion(request: { model: string; version: number; settings: RolloutSettings; judge: boolean }): Promise<string>;
  measureBaseline(request: { model: string; version: number; windowMs: number }): Promise<Traffic | null>;
  moveEndpoint(request: MoveRequest): Promise<MoveAnswer>;
  takeOffChallenger(request: TakeOffRequest): Promise<TakeOffAnswer>;
  acknowledgeTrial(request: TrialRef): Promise<AcknowledgeAnswer>;
  observeTrial(request: ObserveRequest): Promise<Look>;
  syncRouters(request: { model: string; generation: number }): Promise<void>;
  mirrorAliases(request: { model: string }): Promise<{ generation: number }>;
  /** `movedTo`: the endpoint had to be moved for it, to this generation. */
  retireVersion(request: RetireRequest): Promise<{ retired: boolean; movedTo?: number }>;
}

/** What the requester's workflow asks; these talk to Temporal. */
export interface RequestActivities {
  readRolloutRequest(envelope: WorkflowStepEnvelope): Promise<ReadRequest>;
  beginRollout(request: RolloutRequest): Promise<BeginAnswer>;
  abortRollout(request: AbortRequest): Promise<{ known: boolean }>;
  checkRollout(request: { operationId: string; model: string }): Promise<RolloutCheck>;
  /** What the endpoint's history says of an operation that nobody conducts any more. */
  concludeRollout(request: RolloutRequest): Promise<RolloutOutcome>;
  planRollout(request: RolloutRequest): Promise<RolloutOutcome>;
}

/** A message of an operator's to a rollout. */
export interface OperatorMessage {
  /** The version that is meant; refused for another. */
  readonly version: number;
  readonly by: string;
  readonly reason: string;
}

/** How the rollout stands: the answer of the query `state`. */
export interface RolloutView {
  readonly environment: string;
  readonly model: string;
  readonly operation: {
    readonly operationId: string;
    readonly kind: 'deploy' | 'rollback';
    readonly version: number | null;
    readonly phase: RolloutPhase;
    readonly paused: boolean;
    readonly weightPercent: number;
    readonly generation: number | null;
    readonly note: string;
    readonly by: string;
    readonly startedAt: string;
  } | null;
  readonly waiting: string | null;
  readonly weights: RolloutOutcome['weights'];
  /** What is still rolling forward after a commit or an abort. */
  readonly chores: readonly string[];
  readonly finished: readonly RolloutOutcome[];
}

/** `finishing`: committed or taken off; only aliases, routers and services are still being brought in line. */
export type RolloutPhase = 'preparing' | 'trial' | 'committing' | 'aborting' | 'finishing';
