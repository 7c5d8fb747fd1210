// Versions that were taken back: by an engineer, or because a canary judged them. A run that makes one of them again leaves it
// alone; only who asks for it by name, or by force, rolls it out again. Pure.

import type { Revocation } from './state.js';

/** The object stays small; what comes again of data and settings that old is judged anew. */
const kept = 50;

/** With one version more, where there is one; `act` says who took it back, and why. */
export function revoke(
  revoked: readonly Revocation[],
  version: number | null,
  { by, reason, at }: { readonly by: string; readonly reason: string; readonly at: string },
): readonly Revocation[] {
  if (version === null) return revoked;
  return [...pardon(revoked, version), { version, by, reason, at }].slice(-kept);
}

/** Without a version. */
export const pardon = (revoked: readonly Revocation[], version: number | null): readonly Revocation[] =>
  revoked.filter((one) => one.version !== version);

export const revocationOf = (
  state: { readonly revoked: readonly Revocation[] } | null,
  version: number | null,
): Revocation | undefined => state?.revoked.find((one) => one.version === version);

/** Who took it back, when and why: the end of a sentence, with its full stop. */
export const describeRevocation = ({ by, reason, at }: Revocation): string =>
  `taken back by ${by} on ${at.slice(0, 10)}: ${/[.!?]$/.test(reason) ? reason : `${reason}.`}`;
