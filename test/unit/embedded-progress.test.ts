import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { withProgress } from '../../deploy/embedded/progress.js';

const recorder = (isTTY: boolean) => {
  const written: string[] = [];
  return {
    written,
    stream: { isTTY, columns: 40, write: (text: string | Uint8Array) => written.push(String(text)) > 0 },
  };
};

describe('progress', () => {
  it('is one line on a terminal, rewritten in place, and no longer than the terminal is wide', async () => {
    const { stream, written } = recorder(true);
    const work = async (say: (detail: string) => void): Promise<string> => {
      say('a detail that is far too long for a terminal of forty columns');
      await sleep(60);
      return 'made';
    };
    expect(await withProgress('making it', work, { stream, liveEveryMs: 20 })).toBe('made');
    const shown = written.slice(0, -2);
    expect(shown.length).toBeGreaterThan(1);
    for (const text of shown) {
      expect(text.startsWith('\r\x1b[2K')).toBe(true);
      expect(text).not.toContain('\n');
      expect(text.replace('\r\x1b[2K', '').length).toBeLessThan(40);
    }
    expect(written.at(-1)).toMatch(/^making it: done in \d+ s\n$/);
  });

  it('is plain lines in a log: at the start, now and then, and at the end', async () => {
    const { stream, written } = recorder(false);
    await withProgress('making it', () => sleep(50), { stream, plainEveryMs: 20 });
    expect(written[0]).toBe('making it …\n');
    expect(written.slice(1, -1).every((line) => /^making it … \d+ s\n$/.test(line))).toBe(true);
    expect(written.length).toBeGreaterThan(2);
    expect(written.at(-1)).toMatch(/^making it: done in \d+ s\n$/);
    expect(written.join('')).not.toContain('\x1b');
  });

  it('gives plain lines to whoever takes them, also from a terminal', async () => {
    const { stream, written } = recorder(true);
    const lines: string[] = [];
    await withProgress('making it', async () => undefined, { stream, onProgress: (line) => void lines.push(line) });
    expect(written).toEqual([]);
    expect(lines).toEqual(['making it …', 'making it: done in 0 s']);
  });

  it('tells of a failure, and passes it on', async () => {
    const lines: string[] = [];
    const work = async (): Promise<void> => {
      throw new Error('no room');
    };
    await expect(withProgress('making it', work, { onProgress: (line) => void lines.push(line) })).rejects.toThrow(
      'no room',
    );
    expect(lines.at(-1)).toBe('making it: not done after 0 s, no room');
  });
});
