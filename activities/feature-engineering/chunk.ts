// Cuts text into chunks of at most so many tokens, at paragraphs and sentences where they allow it, with overlap.

export interface Tokenizer {
  count(text: string): number;
  /** Pieces of at most `maxTokens` that joined give the text again. */
  cut(text: string, maxTokens: number): string[];
}

const wordPattern = /\S+\s*|\s+/g;

const cutByWords = (text: string, maxTokens: number): string[] => {
  const words = text.match(wordPattern) ?? [];
  const pieces: string[] = [];
  for (let start = 0; start < words.length; start += maxTokens)
    pieces.push(words.slice(start, start + maxTokens).join(''));
  return pieces;
};

export const wordTokenizer: Tokenizer = { count: (text) => text.match(wordPattern)?.length ?? 0, cut: cutByWords };

// A tokenizer takes a run of letters, of signs or of white space as one piece, in time quadratic in its length.
const longRun = /[\p{L}\p{M}]{128}|[^\s\p{L}\p{N}]{128}|\s{128}/gu;

/**
 * Loaded when first asked for: the ranks of a tokenizer are megabytes. Its count is exact but for runs of 128 letters, signs or
 * spaces and more, which are counted 128 at a time: that gives up to two tokens more for each 128.
 */
export const loadTokenizer = async (name: 'o200k_base' | 'cl100k_base' | 'words'): Promise<Tokenizer> => {
  if (name === 'words') return wordTokenizer;
  const encoding =
    name === 'o200k_base'
      ? await import('gpt-tokenizer/encoding/o200k_base')
      : await import('gpt-tokenizer/encoding/cl100k_base');
  const plainText = { disallowedSpecial: new Set<string>() };
  const count = (text: string): number => {
    let tokens = 0;
    let from = 0;
    for (const { 0: run, index } of text.matchAll(longRun)) {
      tokens += encoding.countTokens(text.slice(from, index), plainText) + encoding.countTokens(run, plainText);
      from = index + run.length;
    }
    return tokens + encoding.countTokens(text.slice(from), plainText);
  };
  return {
    count,
    // By words, not by tokens: a character may be several tokens, and half of one is no text.
    cut: (text, maxTokens) => {
      const pieces: string[] = [];
      let piece = '';
      let tokens = 0;
      for (const [word] of text.matchAll(/\s{0,64}\S{1,64}|\s{1,64}/gu)) {
        const size = count(word);
        if (tokens > 0 && tokens + size > maxTokens) {
          pieces.push(piece);
          piece = '';
          tokens = 0;
        }
        piece += word;
        tokens += size;
      }
      if (piece !== '') pieces.push(piece);
      return pieces;
    },
  };
};

interface Piece {
  readonly text: string;
  readonly tokens: number;
}

const pieces = (text: string, maxTokens: number, tokenizer: Tokenizer): Piece[] =>
  text.split(/(?<=\n\n)|(?<=[.!?:;]\s)|(?<=\n)/).flatMap((sentence) => {
    const tokens = tokenizer.count(sentence);
    if (tokens <= maxTokens) return [{ text: sentence, tokens }];
    return tokenizer.cut(sentence, maxTokens).map((part) => ({ text: part, tokens: tokenizer.count(part) }));
  });

export interface Chunking {
  readonly maxTokens: number;
  readonly overlapTokens: number;
}

/** The chunks of a text, each beginning with up to `overlapTokens` of the end of the one before. */
export const chunkText = (text: string, { maxTokens, overlapTokens }: Chunking, tokenizer: Tokenizer): Piece[] => {
  const chunks: Piece[] = [];
  let current: Piece[] = [];
  let tokens = 0;
  /** Pieces in `current` that the chunk before has too: a chunk of nothing else says nothing new. */
  let carried = 0;

  const close = () => {
    if (current.length > carried)
      chunks.push({
        text: current
          .map((piece) => piece.text)
          .join('')
          .trim(),
        tokens,
      });
  };

  for (const piece of pieces(text, maxTokens, tokenizer)) {
    if (tokens + piece.tokens > maxTokens) {
      close();
      let kept = 0;
      let from = current.length;
      while (from > 0 && kept + current[from - 1]!.tokens <= Math.min(overlapTokens, maxTokens - piece.tokens)) {
        from -= 1;
        kept += current[from]!.tokens;
      }
      current = current.slice(from);
      tokens = kept;
      carried = current.length;
    }
    current.push(piece);
    tokens += piece.tokens;
  }
  close();
  return chunks;
};
