// Signatures that make near-duplicates meet: one-permutation MinHash over word 5-grams, cut into bands.
// Broder, "On the resemblance and containment of documents" (1997); Li, Owen, Zhang, "One Permutation Hashing" (2012);
// Shrivastava, "Optimal Densification for Fast and Accurate Minwise Hashing" (2017) for the empty bins.

const signatureLength = 64;
const rowsPerBand = 4;
export const bandCount = signatureLength / rowsPerBand;
const empty = 0xffffffff;

const mix = (hash: number): number => {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};

const hashWord = (word: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < word.length; index += 1) hash = Math.imul(hash ^ word.charCodeAt(index), 0x01000193);
  return mix(hash);
};

const shingleWords = 5;

/** Sixty-four 32-bit minima; those of a text without words are all the same one, which no other text has. */
export const signatureOf = (text: string): Uint32Array => {
  const words = (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map(hashWord);
  const signature = new Uint32Array(signatureLength).fill(empty);
  if (words.length === 0) return signature;
  const last = Math.max(words.length - shingleWords, 0);
  for (let start = 0; start <= last; start += 1) {
    let hash = 0;
    for (let index = start; index < Math.min(start + shingleWords, words.length); index += 1) {
      hash = mix(Math.imul(hash, 31) + words[index]!);
    }
    const bin = hash % signatureLength;
    const value = mix(hash ^ 0x9e3779b9);
    if (value < signature[bin]!) signature[bin] = value;
  }
  densify(signature);
  return signature;
};

/** An empty bin borrows from a bin that a hash of its own number leads to, the same for every text. */
const densify = (signature: Uint32Array): void => {
  const filled = signature.map((value) => (value === empty ? 0 : 1));
  if (!filled.includes(1)) return;
  for (let bin = 0; bin < signatureLength; bin += 1) {
    if (filled[bin] === 1) continue;
    let attempt = 1;
    let donor = bin;
    while (filled[donor] === 0) {
      donor = mix(Math.imul(bin + 1, 0x27d4eb2f) + attempt) % signatureLength;
      attempt += 1;
    }
    signature[bin] = signature[donor]!;
  }
};

/**
 * A hash for each band; two texts that share one are compared. None for a text without words, which resembles nothing.
 * `salt`: 32 bits of what must be equal beside the text.
 */
export const bandsOf = (signature: Uint32Array, salt = 0): number[] => {
  if (signature.every((value) => value === empty)) return [];
  return Array.from({ length: bandCount }, (_, band) => {
    let hash = mix(salt) + band + 1;
    for (let row = 0; row < rowsPerBand; row += 1)
      hash = mix(Math.imul(hash, 31) + signature[band * rowsPerBand + row]!);
    return hash;
  });
};

/** Estimated Jaccard similarity, 0 to 1. */
export const similarity = (left: Uint32Array, right: Uint32Array): number => {
  let equal = 0;
  for (let index = 0; index < signatureLength; index += 1) if (left[index] === right[index]) equal += 1;
  return equal / signatureLength;
};
