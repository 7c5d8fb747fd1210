// What two rows must have in common to be near-duplicates: a row with another label, or another question about the same text,
// teaches something else. Pure.

import type { DatasetRow } from './rows.js';

export interface NearContent {
  /** May differ a little. */
  readonly near: string;
  /** May not differ. */
  readonly equal: string;
}

type Content = Pick<DatasetRow, 'text_content' | 'prompt' | 'completion' | 'messages'>;

/**
 * The text may differ a little, wherever it stands in the prompt and the completion; what they say beside it may not. Of a pair
 * of prompt and completion the text is the prompt, and of a conversation the answers may not differ.
 */
export function nearContentOf({ text_content, prompt, completion, messages }: Content): NearContent {
  if (messages !== undefined) {
    const answers = messages.filter(({ role }) => role === 'assistant').map(({ content }) => content);
    return { near: text_content, equal: JSON.stringify(answers) };
  }
  // The text of a pair is its prompt and its completion, one line after the other.
  const answer = `\n${(completion ?? '').trim()}`;
  const near = answer !== '\n' && text_content.endsWith(answer) ? text_content.slice(0, -answer.length) : text_content;
  const beside = [prompt ?? '', completion ?? ''].map((part) => (near === '' ? part : part.replaceAll(near, '\0')));
  return { near, equal: JSON.stringify(beside) };
}
