/** The word for a value of the server; a value that only a newer server knows is its own word. */
export function wordOf(words: Readonly<Record<string, string>>, value: string): string {
  return Object.hasOwn(words, value) ? words[value] : value;
}

/** A line as a sentence; nothing as nothing. */
export function sentence(words: string): string {
  return words === '' ? '' : `${words[0].toUpperCase()}${words.slice(1)}.`;
}
