import { useState } from 'react';

const PREFIX = 'jupyter-mlops:';

/**
 * A choice of how things are shown, such as an order, which this browser keeps: as `useState` for one of some words.
 *
 * @param name - what is chosen.
 * @param choices - the words; the first one until something is chosen.
 */
export function useKept<T extends string>(
  name: string,
  choices: readonly T[]
): [T, (choice: T) => void] {
  const [choice, setChoice] = useState<T>(
    () => choices.find(choice => choice === read(name)) ?? choices[0]
  );
  const keep = (choice: T): void => {
    setChoice(choice);
    write(name, choice);
  };
  return [choice, keep];
}

// A browser may refuse to keep anything: then the choice lasts as long as the page.

function read(name: string): string | null {
  try {
    return window.localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

function write(name: string, value: string): void {
  try {
    window.localStorage.setItem(PREFIX + name, value);
  } catch {
    // As said above.
  }
}
