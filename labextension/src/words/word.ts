/** The word for a value of the server; a value that only a newer server knows is its own word. */
export function wordOf(words: Readonly<Record<string, string>>, value: string): string {
  return Object.hasOwn(words, value) ? words[value] : value;
}
