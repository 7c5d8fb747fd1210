// What happens while everything runs on one machine, for whoever shows it.

import type { ProjectSummary } from '../../workers/project-summary.js';

export type LocalEvent =
  | { readonly kind: 'port-moved'; readonly message: string }
  | { readonly kind: 'reloading'; readonly message: string }
  | { readonly kind: 'reloaded'; readonly message: string; readonly project: ProjectSummary }
  /** The old worker goes on. */
  | { readonly kind: 'not-reloaded'; readonly message: string }
  /** One of the processes ended, and is started anew. */
  | { readonly kind: 'died'; readonly message: string }
  /** It could not be started anew, and is tried again. */
  | { readonly kind: 'lost'; readonly message: string };
