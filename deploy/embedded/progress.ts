// Tells a person that something slow is going on: one line that counts the seconds on a terminal, plain lines in a log.

import type { WriteStream } from 'node:tty';

/** Receives a plain line, without its newline; and what is being done without its seconds, for those who count them themselves. */
export type OnProgress = (line: string, doing?: string) => void;

type Stream = Pick<NodeJS.WritableStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;

export interface ProgressOptions {
  /** Takes plain lines instead of the stream. */
  readonly onProgress?: OnProgress | undefined;
  /** Standard error by default. */
  readonly stream?: Stream;
  readonly plainEveryMs?: number;
  readonly liveEveryMs?: number;
}

/** Adds what is being done at the moment (`downloading 40 of 90 MB`) to the line that is shown. */
export type Describe = (detail: string) => void;

const clearLine = '\r\x1b[2K';

/** Does the work and shows `title` with the elapsed seconds until it ends: at the start, every 15 s (a terminal: twice a second), at the end. */
export const withProgress = async <T>(
  title: string,
  work: (describe: Describe) => Promise<T>,
  options: ProgressOptions = {},
): Promise<T> => {
  const { onProgress, stream = process.stderr, plainEveryMs = 15_000, liveEveryMs = 500 } = options;
  const startedAt = performance.now();
  const elapsed = (): string => formatSeconds((performance.now() - startedAt) / 1000);
  const line = onProgress ?? ((text: string): void => void stream.write(`${text}\n`));
  const doing = (): string => (detail === '' ? title : `${title} · ${detail}`);
  const live = onProgress === undefined && stream.isTTY === true;
  let detail = '';

  const show = (): void => {
    const text = `${title} … ${elapsed()}${detail === '' ? '' : ` · ${detail}`}`;
    if (live) stream.write(clearLine + text.slice(0, (stream.columns ?? 80) - 1));
    else line(text, doing());
  };
  const finish = (text: string): void => {
    clearInterval(timer);
    if (live) stream.write(clearLine);
    line(text);
  };

  if (live) show();
  else line(`${title} …`, title);
  const timer = setInterval(show, live ? liveEveryMs : plainEveryMs);
  try {
    const result = await work((text) => {
      detail = text;
    });
    finish(`${title}: done in ${elapsed()}`);
    return result;
  } catch (error) {
    finish(`${title}: not done after ${elapsed()}, ${error instanceof Error ? error.message : String(error)}`);
    throw error;
  }
};

const formatSeconds = (seconds: number): string =>
  seconds < 60 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
