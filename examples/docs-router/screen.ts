// What a person sees: lines with the time since the start, and on a terminal a last line that says what is being done.

import { fit, styleOf, widthOf, type Style } from '../../cli/style.js';
import { table } from '../../cli/table.js';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const drawEveryMs = 100;
/** In a log, what takes long is said again now and then. */
const plainEveryMs = 15_000;
const indent = '        ';

type Cell = string;
/** What is being done, and how far it is. */
export type Status = () => string;

export class Screen {
  readonly style: Style;
  readonly #stream: NodeJS.WriteStream;
  readonly #live: boolean;
  readonly #startedMs = performance.now();
  #status: Status | undefined;
  #statusSinceMs = 0;
  #toldMs = 0;
  #frame = 0;
  #isDrawn = false;
  readonly #timer: NodeJS.Timeout;

  constructor(stream: NodeJS.WriteStream) {
    const { NO_COLOR = '', TERM } = process.env;
    this.#stream = stream;
    this.#live = stream.isTTY === true && TERM !== 'dumb';
    this.style = styleOf(this.#live && NO_COLOR === '');
    this.#timer = setInterval(() => this.#tick(), drawEveryMs);
    this.#timer.unref();
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  get columns(): number {
    return this.#live ? this.#stream.columns : 110;
  }

  heading(title: string, about: string): void {
    this.#write(`\n${this.style.bold(title)}\n`);
    this.paragraph(about, this.style.dim);
  }

  /** A line with the time. */
  line(text: string): void {
    this.#write(`${this.style.dim(this.#clock())}  ${text}\n`);
  }

  /** Lines below one with the time; on a terminal none is longer than it is wide. */
  more(lines: readonly string[]): void {
    const room = this.#live ? this.columns - indent.length : Infinity;
    this.#write(lines.map((line) => `${line === '' ? '' : indent + fit(line, room)}\n`).join(''));
  }

  table(header: readonly Cell[], rows: readonly (readonly Cell[])[]): void {
    const dimmed = header.map((cell) => this.style.dim(cell));
    this.more(table(rows, { header: dimmed, columns: this.columns - indent.length }));
  }

  /** A sentence in as many lines as it takes. */
  paragraph(text: string, colour: (line: string) => string = (line) => line): void {
    const lines: string[] = [''];
    for (const word of text.split(' ')) {
      const last = lines.at(-1) ?? '';
      if (last !== '' && widthOf(`${last} ${word}`) > this.columns - indent.length) lines.push(word);
      else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
    }
    this.more(lines.map(colour));
  }

  /** Shows what is being done until `work` has ended, with its seconds. */
  async during<T>(status: string | Status, work: () => Promise<T>): Promise<T> {
    const before = this.#status;
    const say = typeof status === 'string' ? (): string => status : status;
    this.#status = say;
    this.#statusSinceMs = this.#toldMs = performance.now();
    try {
      return await work();
    } finally {
      this.#status = before;
      this.#erase();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #tick(): void {
    if (this.#status === undefined) return;
    const nowMs = performance.now();
    const text = `${Math.floor((nowMs - this.#statusSinceMs) / 1000)} s · ${this.#status()}`;
    if (this.#live) {
      const line = `${this.#clock()}  ${frames[this.#frame++ % frames.length] ?? ''} ${text}`;
      this.#stream.write(`\r\x1b[2K${fit(line, this.columns - 1)}`);
      this.#isDrawn = true;
    } else if (nowMs - this.#toldMs > plainEveryMs) {
      this.#toldMs = nowMs;
      this.#stream.write(`${this.#clock()}  … ${fit(text, this.columns - indent.length)}\n`);
    }
  }

  #write(text: string): void {
    this.#erase();
    this.#stream.write(text);
  }

  #erase(): void {
    if (this.#isDrawn) this.#stream.write('\r\x1b[2K');
    this.#isDrawn = false;
  }

  /** `  1:07`: six columns. */
  #clock(): string {
    const seconds = Math.floor(this.elapsedMs / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`.padStart(6);
  }
}
