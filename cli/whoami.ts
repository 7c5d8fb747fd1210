// Who types the command: what stands in histories.

import { hostname, userInfo } from 'node:os';

/** Who acts, where nothing else is said. */
export function whoami(): string {
  const { PAWL_USER, USER } = process.env;
  if (PAWL_USER !== undefined && PAWL_USER !== '') return PAWL_USER;
  let name = USER ?? '';
  try {
    name = userInfo().username;
  } catch {
    // A container's user may have no name.
  }
  return `${name === '' ? 'someone' : name}@${hostname()}`;
}
