// Sets Pawl's search attributes on the workflow that is running.

import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { SearchAttributeName } from '../workers/search-attributes.js';

export type KeywordAttribute = Exclude<SearchAttributeName, 'PawlLogicalDate'>;

export const keyword = (name: KeywordAttribute) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
export const logicalDateKey = defineSearchAttributeKey(
  'PawlLogicalDate' satisfies SearchAttributeName,
  SearchAttributeType.DATETIME,
);

/** Only those that are given. */
export function setSearchAttributes(values: Partial<Record<KeywordAttribute, string>>, logicalDate?: string): void {
  const pairs = Object.entries(values).map(([name, value]) => ({ key: keyword(name as KeywordAttribute), value }));
  upsertSearchAttributes([
    ...pairs,
    ...(logicalDate === undefined ? [] : [{ key: logicalDateKey, value: new Date(logicalDate) }]),
  ]);
}
