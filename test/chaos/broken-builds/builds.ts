// Mistakes that somebody might make, one or more for each checker of invariants.ts, with the test that is to find each of them.

import type * as invariants from '../invariants.js';

export interface Edit {
  readonly file: string;
  /** Stands there once. */
  readonly find: string;
  readonly replace: string;
}

export interface BrokenBuild {
  readonly name: string;
  /** More than one where a second guard would make up for the first. */
  readonly edits: readonly [Edit, ...Edit[]];
  readonly test: {
    readonly file: string;
    readonly name: string;
    /** Where it kills, for a test that kills at many places. */
    readonly sites?: string;
  };
  /** What the checker then says. */
  readonly sentence: RegExp;
}

const rollouts = (name: string) => ({ file: 'test/chaos/rollouts-in-trouble.test.ts', name });
/** Two versions are promoted before it, which is where most mistakes show. */
const onSilence = rollouts('is never promoted on silence: it ends at its deadline');
const onLongAnswers = rollouts('gets all of it, also when the version that gives it retires meanwhile');
const onKillsAround = (sites: string) => ({
  file: 'test/chaos/kill-before-the-gate.test.ts',
  name: 'costs no second job and no second version: a first version ever is promoted',
  sites,
});

export const brokenBuilds: Readonly<Record<keyof typeof invariants, readonly [BrokenBuild, ...BrokenBuild[]]>> = {
  jobsAreStartedOnce: [
    {
      name: 'submission-begins-anew',
      edits: [
        {
          file: 'activities/remote-job/submit-job.ts',
          find: 'if (current.ended === undefined || context.step.attempt <= current.submission) return false;',
          replace: 'if (current.ended === undefined) return true;',
        },
      ],
      test: onKillsAround('compute\\.submit fine-tune'),
      sentence: /[\w.-]+ came to epoch \d+/,
    },
    {
      name: 'job-is-not-released',
      edits: [
        {
          file: 'workflows/dag-run/run-job.ts',
          find: 'await CancellationScope.nonCancellable(() => release({ ...base, envelope }, step));',
          replace:
            'if (submission > 1) await CancellationScope.nonCancellable(() => release({ ...base, envelope }, step));',
        },
      ],
      test: onSilence,
      sentence: /[\w.-]+ was never released/,
    },
  ],
  versionsAreOneEach: [
    {
      name: 'digest-is-not-looked-up',
      edits: [
        {
          file: 'systems/registry/object-store.ts',
          find: 'const key = versionByDigestKey(model, digest);',
          replace: 'const key = versionByDigestKey(model, `${digest}-${Date.now()}`);',
        },
      ],
      test: onKillsAround('registry versions'),
      sentence: /artifact \w+ is versions \d+, \d+/,
    },
  ],
  historyIsSound: [
    {
      name: 'records-are-left-out',
      edits: [
        {
          file: 'systems/endpoint/object-store.ts',
          find: 'if (this.#recorded.get(model) === mark) return;',
          replace: 'if (this.#recorded.has(model)) return;',
        },
      ],
      test: onSilence,
      sentence: /generation \d+ follows \d+/,
    },
    {
      name: 'champion-keeps-its-weight',
      edits: [
        {
          file: 'systems/endpoint/transitions.ts',
          find: 'weights: { champion: 100 - weightPercent, challenger: weightPercent }',
          replace: 'weights: { champion: 100, challenger: weightPercent }',
        },
        {
          file: 'systems/endpoint/state.ts',
          find: "  .refine((state) => state.weights.champion + state.weights.challenger === 100, 'the weights must sum to 100')\n",
          replace: '',
        },
      ],
      test: onSilence,
      sentence: /generation \d+ has the weights 100 and \d+/,
    },
  ],
  endpointIsAtRest: [
    {
      name: 'previous-is-not-mirrored',
      edits: [
        {
          file: 'activities/rollout/forward.ts',
          find: "['champion', 'previous', 'challenger'] as const",
          replace: "['champion', 'challenger'] as const",
        },
      ],
      test: onSilence,
      sentence: /the alias previous is \S+, and the endpoint's is \d+/,
    },
    {
      name: 'routers-are-not-told',
      edits: [
        {
          file: 'activities/rollout/routers.ts',
          find: 'const { model, generation } = request;\n',
          replace: 'const { model, generation } = request;\n  if (generation > 0) return;\n',
        },
        // Left to themselves they would otherwise have found out before anybody looks.
        {
          file: 'test/fixtures/lifecycle-world.ts',
          find: "PAWL_GATEWAY_POLL_MS: '500'",
          replace: "PAWL_GATEWAY_POLL_MS: '60000'",
        },
      ],
      test: onSilence,
      sentence: /router \S+ follows generation \d+, and the endpoint is at \d+/,
    },
  ],
  nothingIsLeftBehind: [
    {
      name: 'retired-version-runs-on',
      edits: [
        {
          file: 'systems/serving/gateway.ts',
          find: 'if (job !== null) await this.#options.compute.get(job.compute).remove(job);',
          replace: 'if (job === null) return;',
        },
      ],
      test: onSilence,
      sentence: /2 model servers run for champion 2/,
    },
  ],
  requestsAreAnswered: [
    {
      name: 'answers-are-cut',
      edits: [
        {
          file: 'gateway/target.ts',
          find: 'this.upstream?.pool.close().catch(() => undefined);',
          replace: 'this.upstream?.pool.destroy().catch(() => undefined);',
        },
      ],
      test: onLongAnswers,
      sentence: /\d+ requests ended as v\d+ cut/,
    },
    {
      name: 'retired-in-the-middle',
      edits: [
        {
          file: 'systems/serving/gateway.ts',
          find: 'await drain(this.#routers, { model, version, drainMs, pollMs: this.#options.drainPollMs ?? 200 });',
          replace: 'await drain([], { model, version, drainMs, pollMs: this.#options.drainPollMs ?? 200 });',
        },
      ],
      test: onLongAnswers,
      sentence: /\d+ requests ended as v\d+ cut/,
    },
  ],
  productionMovedOneNotch: [
    {
      name: 'way-back-leads-forward',
      edits: [
        {
          file: 'systems/endpoint/transitions.ts',
          find: 'return move(state, end.kind, act, { ...noChallenger, revoked });',
          replace: 'return move(state, end.kind, act, { ...noChallenger, revoked, champion: state.challenger });',
        },
      ],
      test: onSilence,
      sentence: /the run ended rolled-back, and production serves \d+ where \d+ was due/,
    },
  ],
};
