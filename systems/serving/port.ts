// What a rollout needs of the serving layer: versions come up, routers follow the endpoint object, versions go away.

import type { JobRef, Places } from '../compute/port.js';
import type { ArtifactRef } from '../registry/port.js';

export interface LaunchRequest {
  readonly model: string;
  readonly version: number;
  readonly artifact: ArtifactRef;
  /** `{model}` is replaced by the artifact's folder on the host, `{port}` by the port to listen on, `{python}` by the host's Python. */
  readonly command: readonly string[];
  readonly compute: string;
  readonly wants: Places;
  readonly environment: Readonly<Record<string, string>>;
  /** Answers 200 once the server can take requests: `/health`. */
  readonly healthPath: string;
  /** Decided before the launch; the same key joins what runs. */
  readonly key: string;
  /**
   * What happens to the JSON field `model` of requests on their way to the server. `remove` unless set, because a server that
   * is started with a folder knows its model by that folder, and refuses the name that users know.
   */
  readonly modelField?: { readonly kind: 'remove' | 'keep' } | { readonly kind: 'replace'; readonly name: string };
}

export type ReplicaState =
  | { readonly phase: 'starting' }
  | { readonly phase: 'ready'; readonly url: string }
  /** The program ended, or its host is gone. */
  | { readonly phase: 'failed'; readonly reason: string }
  | { readonly phase: 'absent' };

export interface ProbeResult {
  readonly requests: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly latencyP50Ms: number;
}

export type LeaseAnswer =
  | { readonly lease: 'held'; readonly remainingMs: number }
  /** It ran out, or the router was started anew within this generation: it sends all to the champion, and stays so for this trial. */
  | { readonly lease: 'expired' }
  /** The router follows another generation than the one named. */
  | { readonly lease: 'other-generation'; readonly generation: number };

/** One process that sends requests to versions. Throws `Unavailable`. */
export interface Router {
  readonly id: string;
  /** Reads the endpoint object at once; answers the generation that it routes by from now on. */
  sync(model: string): Promise<{ generation: number }>;
  /** Grants the lease for a generation that the router has just come to, renews it afterwards. Works without S3. */
  renewLease(model: string, lease: { generation: number; trial: string; leaseMs: number }): Promise<LeaseAnswer>;
  /** Requests under way to a version. */
  inFlight(model: string, version: number): Promise<number>;
}

export interface RetireOptions {
  readonly drainMs: number;
  readonly isWanted?: () => Promise<boolean>;
}

export interface Serving {
  readonly name: string;
  /** Starts a version, or joins the one that runs; idempotent. Answers before it is ready. */
  launch(request: LaunchRequest): Promise<void>;
  state(model: string, version: number): Promise<ReplicaState>;
  /** Sends requests straight to a version, past the routers. */
  probe(model: string, version: number, probe: { path: string; bodies: readonly string[] }): Promise<ProbeResult>;
  /**
   * Ends a version once no router has a request under way to it, or `drainMs` have passed; answers whether it is gone.
   * `isWanted` is asked once no launch joins the version any more: where it answers true, the version stays. Idempotent.
   * Throws `Unavailable`, also where a router would still send it a request when the time is up: then it stays as well.
   */
  retire(model: string, version: number, options: RetireOptions): Promise<boolean>;
  /** Versions of a model that are launched. */
  launched(model: string): Promise<readonly number[]>;
  /** `false` only for a service that was launched here and given up for good: one that is not known is somebody else's. */
  isWanted(service: JobRef): Promise<boolean>;
  routers(): Promise<readonly Router[]>;
}
