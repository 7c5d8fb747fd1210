// Pawl's search attributes as the client sets and reads them.

import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import type { SearchAttributeName } from '../workers/search-attributes.js';

type KeywordAttribute = Exclude<SearchAttributeName, 'PawlLogicalDate'>;

export const keyword = (name: KeywordAttribute) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
export const logicalDateKey = defineSearchAttributeKey(
  'PawlLogicalDate' satisfies SearchAttributeName,
  SearchAttributeType.DATETIME,
);
