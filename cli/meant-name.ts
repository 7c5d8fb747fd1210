// What to say of a name that nobody knows: the one that was meant, or those there are. Pure.

import { nearestName } from '../dag/nearest-name.js';

const shownNames = 20;

/** The end of a sentence: `did you mean gate?`, `there are evaluate, gate.`, `there is none.` */
export function meantName(name: string, known: Iterable<string>): string {
  const names = [...new Set(known)].sort();
  const near = nearestName(name, names);
  if (near !== undefined) return `did you mean ${near}?`;
  if (names.length === 0) return 'there is none.';
  const more = names.length > shownNames ? `, and ${names.length - shownNames} more` : '';
  return `there ${names.length === 1 ? 'is' : 'are'} ${names.slice(0, shownNames).join(', ')}${more}.`;
}
