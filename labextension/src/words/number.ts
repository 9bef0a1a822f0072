/**
 * Numbers as the words around them want them, and as cells and the command line write them: whatever the browser's
 * language is, one page never has "1,234" and "1.234" for the same.
 */
const LANGUAGE = 'en-US';

const whole = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });

/** A number of things: "1,234". */
export function number(value: number): string {
  return whole.format(value);
}

/** A number with so many decimals: "1,234.50". */
export function decimals(value: number, digits: number): string {
  return value.toLocaleString(LANGUAGE, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  });
}

/** A number with all of its digits, and at least two decimals: "0.0316", "3.00". */
export function exact(value: number): string {
  return value.toLocaleString(LANGUAGE, { minimumFractionDigits: 2, maximumFractionDigits: 12 });
}

/** A number with at most so many digits that say something: "0.0042", "1,234.5". */
export function significant(value: number, digits: number): string {
  return value.toLocaleString(LANGUAGE, {
    maximumSignificantDigits: digits,
    maximumFractionDigits: 20
  });
}
