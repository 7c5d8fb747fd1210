// The direct children of a prefix, without reading through everything below them.

import type { ObjectStore } from './port.js';

/** Names of the objects (`a.json`) and folders (`a/`) right below `prefix`, which ends with a slash; each once, in order. */
export async function* listFolder(store: ObjectStore, prefix: string): AsyncGenerator<string> {
  let startAfter: string | undefined;
  for (;;) {
    let folder: string | undefined;
    for await (const { key } of store.list(prefix, startAfter === undefined ? {} : { startAfter })) {
      const rest = key.slice(prefix.length);
      const slash = rest.indexOf('/');
      if (slash >= 0) {
        folder = rest.slice(0, slash);
        break;
      }
      yield rest;
    }
    if (folder === undefined) return;
    yield `${folder}/`;
    // `0` follows `/`: the first key that could stand behind everything in the folder.
    startAfter = `${prefix}${folder}0`;
  }
}
