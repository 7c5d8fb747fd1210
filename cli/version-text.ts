// How a registered version did, in a few words. Pure.

import { z } from 'zod';
import { metricTable } from '../activities/schemas/evaluation.js';
import type { ModelVersion } from '../systems/registry/port.js';
import { printable } from './style.js';

const measured = z.object({ metrics: metricTable });
const judged = z.object({ summary: z.string() });

/** Registered by a pipeline of one's own, a version may hold other things in their places. */
export function metricsOf({ metrics }: ModelVersion): string {
  const parsed = measured.safeParse(metrics);
  if (!parsed.success) return '';
  return Object.entries(parsed.data.metrics)
    .map(([name, { value }]) => `${printable(name)} ${value === null ? '–' : Number(value.toPrecision(4))}`)
    .join(', ');
}

export function verdictOf({ verdict }: ModelVersion): string {
  const parsed = judged.safeParse(verdict);
  return parsed.success ? printable(parsed.data.summary) : '';
}
