// What of a model's settings its file has to say: the least that gives the same settings, since all else is there by default.

import { isDeepStrictEqual } from 'node:util';

type Fields = Record<string, unknown>;

/** `complete`: fills in the defaults, and answers `undefined` for a file that is not valid. Leaves both as they are. Pure. */
export function shortestFile(settings: object, complete: (file: object) => unknown): object {
  const file = structuredClone(settings);
  const shorten = (part: object): void => {
    for (const [name, value] of Object.entries(part) as [string, unknown][]) {
      if (!Array.isArray(part)) {
        const fields = part as Fields;
        delete fields[name];
        if (isDeepStrictEqual(complete(structuredClone(file)), settings)) continue;
        fields[name] = value;
      }
      if (typeof value === 'object' && value !== null) shorten(value);
    }
  };
  shorten(file);
  return file;
}
