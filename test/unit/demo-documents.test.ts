import { describe, expect, test } from 'vitest';
import { cutAtHeadings, readSections, wordsOf } from '../../examples/docs-router/documents.js';
import { shuffled } from '../../examples/docs-router/lake.js';
import { promptsOf } from '../../examples/docs-router/traffic.js';

const words = (count: number): string => Array.from({ length: count }, (_, index) => `word${index}`).join(' ');

describe('sections', () => {
  test('begin at headings once there is enough text, and never inside of a code block', () => {
    const long = `# One\n${words(60)}\n\`\`\`sh\n# no heading\n\`\`\`\n# Two\nshort\n# Three\n${words(60)}`;
    expect(cutAtHeadings(long).map((section) => section.split('\n')[0])).toEqual(['# One', '# Two']);
    expect(cutAtHeadings(long).join('\n')).toBe(long);
  });

  test('are cut at a blank line where they are long', () => {
    expect(cutAtHeadings(`${words(160)}\n\n${words(10)}`).map((section) => wordsOf(section).length)).toEqual([160, 10]);
  });

  test('of the installed packages are the same each time, from as many packages as asked for', async () => {
    const options = { packages: 3, maxWords: 1_000 };
    const [first, second] = [await readSections(options), await readSections(options)];
    expect(first).toEqual(second);
    expect(new Set(first.map((section) => section.package)).size).toBe(3);
    expect(new Set(first.map((section) => `${section.package}/${section.number}`)).size).toBe(first.length);
  });
});

test('shuffled labels are the same labels in another order, the same each time', () => {
  const labels = Array.from({ length: 100 }, (_, index) => String(index % 12));
  expect([...shuffled(labels)].sort()).toEqual([...labels].sort());
  expect(shuffled(labels)).not.toEqual(labels);
  expect(shuffled(labels)).toEqual(shuffled(labels));
});

test('three in ten prompts are long', () => {
  const sections = Array.from({ length: 100 }, (_, index) => ({
    package: index < 90 ? 'first' : 'second',
    number: index,
    text: words(100),
  }));
  const long = promptsOf(sections).filter((prompt) => prompt.length > 1_000);
  expect(long).toHaveLength(30);
});
