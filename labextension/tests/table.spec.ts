import TABLE from '../../tests/core/words.json';
import { Counts, Stop, Usage, Waste } from '../src/state/schema';
import { ended, willStop, workers } from '../src/words/cluster';
import { used } from '../src/words/budget';
import {
  estimate,
  exactMoney,
  fineMoney,
  machines,
  money,
  perHour,
  quantity,
  reference,
  sum
} from '../src/words/money';
import { shape, size } from '../src/words/size';
import { about, left, span } from '../src/words/time';
import { waste } from '../src/words/waste';
import * as examples from './examples';
import { trans } from './stage';

/** The functions take what is in the table, which the file's own types don't know. */
const FUNCTIONS: Record<string, (...given: never[]) => string> = {
  money: (amount: number | null, currency: string) => money(trans, amount, currency),
  fine_money: fineMoney,
  exact_money: exactMoney,
  about_and_assumed: (spent: number, assumed: number, currency: string) =>
    used(trans, examples.budget({ spent, assumed, currency })),
  reference: (perHour: number, currency: string) => reference(trans, perHour, currency),
  per_hour: (amount: number | null, currency: string, unpriced?: number) =>
    perHour(trans, amount, currency, unpriced),
  estimate: (
    at_start: number | null,
    at_most: number | null,
    currency: string,
    isAbout: boolean = false
  ) =>
    estimate(
      trans,
      examples.estimate({ at_start, at_most, currency, asked: isAbout ? examples.NOW : null })
    ),
  machines: (whole: number | null, tail: number | null, currency: string, age: number) =>
    machines(trans, { whole, tail, currency }, age),
  sum: (amount: number | null, unknown: Usage) => sum(trans, examples.cost({ amount, unknown })),
  quantity,
  span: (seconds: number) => span(trans, seconds),
  about: (seconds: number) => about(trans, seconds),
  left: (seconds: number) => left(trans, seconds),
  size,
  shape: (cpus: number, memory: number, gpus: number) => shape(trans, { cpus, memory, gpus }),
  workers: (counts: Partial<Counts>, wanted: number) =>
    workers(trans, examples.counts(counts), wanted),
  will_stop: (cause: Stop['cause'], left: number) =>
    willStop(trans, { at: examples.NOW + left, cause }, examples.NOW),
  waste: (value: Waste, named: boolean) => waste(trans, examples.waste(value), named),
  ended: (cause: Stop['cause'] | null) => ended(trans, cause)
};

/** The table is the one by which the words of Python are tested: what is given, then the words. */
describe('the words of the sidebar and of Python are the same', () => {
  it.each(
    Object.entries<unknown[][]>(TABLE).flatMap(([name, cases]) =>
      cases.map(values => ({ name, given: values.slice(0, -1), words: values[values.length - 1] }))
    )
  )('$name($given)', ({ name, given, words }) => {
    const said = FUNCTIONS[name](...(given as never[]));
    expect(said.replace(/\u00a0/g, ' ')).toBe(words);
  });
});
