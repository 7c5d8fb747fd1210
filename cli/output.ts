// Where a command's answer goes: people's text or one JSON document on standard output, everything else on standard error.

import { setInterval, clearInterval } from 'node:timers';
import { styleOf, type Style } from './style.js';

const spinnerFrames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** What is done sooner needs no word about it. */
const quietMs = 300;
const plainAfterMs = 2_000;

export class Output {
  readonly json: boolean;
  readonly style: Style;
  /** Of standard error, where progress is shown. */
  readonly errorStyle: Style;

  constructor(json: boolean) {
    this.json = json;
    this.style = styleOf(!json && isColoured(process.stdout));
    this.errorStyle = styleOf(isColoured(process.stderr));
  }

  /** Whether the answer can be drawn anew in place. */
  get live(): boolean {
    return !this.json && process.stdout.isTTY === true && process.env['TERM'] !== 'dumb';
  }

  get columns(): number {
    return process.stdout.isTTY === true ? process.stdout.columns : Infinity;
  }

  /** The answer: the document with `--json`, the lines without. */
  answer(document: unknown, lines: readonly string[]): void {
    process.stdout.write(
      this.json ? `${JSON.stringify(document, null, 2)}\n` : lines.map((line) => `${line}\n`).join(''),
    );
  }

  /** A line for people while the answer is still to come. */
  line(text: string): void {
    if (!this.json) process.stdout.write(`${text}\n`);
  }

  /** A line beside the answer. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Shows on a terminal what is being done, with the seconds, as long as it takes; elsewhere one line if it takes long. */
  async during<T>(title: string, work: (say: (detail: string) => void) => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const live = process.stderr.isTTY === true && process.env['TERM'] !== 'dumb';
    let text = title;
    let frame = 0;
    let told = '';
    const draw = (): void => {
      const elapsedMs = performance.now() - startedAt;
      if (live && elapsedMs > quietMs) {
        const { cyan, dim } = this.errorStyle;
        const room = Math.max(10, process.stderr.columns - 12);
        process.stderr.write(
          `\r\x1b[2K${cyan(spinnerFrames[frame++ % spinnerFrames.length] ?? '')} ${text.slice(0, room)} ${dim(`${Math.floor(elapsedMs / 1000)} s`)}`,
        );
      } else if (!live && elapsedMs > plainAfterMs && told !== text) {
        told = text;
        this.note(`${text} …`);
      }
    };
    const timer = setInterval(draw, live ? 100 : 500);
    try {
      return await work((detail) => {
        text = detail;
      });
    } finally {
      clearInterval(timer);
      if (live) process.stderr.write('\r\x1b[2K');
    }
  }
}

function isColoured(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '0') return true;
  return stream.isTTY === true && TERM !== 'dumb';
}
