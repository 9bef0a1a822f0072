import { TranslationBundle } from '@jupyterlab/translation';

import { Choice, Forecast, Ladder, Rung } from '../state/schema';
import { fineMoney, money } from './money';
import { number, significant } from './number';
import { about } from './time';
import { wordOf } from './word';

/** Items a second, with the digits that it deserves. */
export function rate(trans: TranslationBundle, value: number): string {
  return trans.__('%1/s', value >= 100 ? number(value) : significant(value, 3));
}

/** What a number is chosen for, in a word. */
export function aim(trans: TranslationBundle, value: Choice['aim']): string {
  const words: Record<Choice['aim'], string> = {
    cheapest: trans.__('cheapest'),
    balanced: trans.__('balanced'),
    fastest: trans.__('fastest'),
    by: trans.__('in time'),
    for: trans.__('for the money')
  };
  return wordOf(words, value);
}

/** What a choice means for what was left: "about 7 min · $0.40". */
export function means(trans: TranslationBundle, ladder: Ladder, choice: Choice): string {
  const time = trans.__('about %1', about(trans, choice.seconds));
  const cost = choice.amount === null ? '' : money(trans, choice.amount, ladder.currency);
  return [time, cost].filter(Boolean).join(' · ');
}

/** What a number of workers did, or would do: "8 workers: 71/s ± 3%, $0.40 a million". */
export function atSize(
  trans: TranslationBundle,
  ladder: Ladder,
  of: Rung | Forecast,
  first: Rung
): string {
  const measured = 'present' in of;
  const spread = measured ? of.spread : (of.high - of.low) / 2 / of.rate;
  const each = Math.round((100 * (of.rate / of.workers)) / (first.rate / first.workers));
  const parts = [
    trans.__('%1 ± %2%', rate(trans, of.rate), Math.round(100 * spread)),
    of.per_million === null
      ? ''
      : trans.__('%1 a million', fineMoney(of.per_million, ladder.currency)),
    trans.__('each at %1%', each),
    measured ? '' : trans.__('forecast')
  ];
  const workers = trans._n('%1 worker', '%1 workers', of.workers);
  return trans.__('%1: %2', workers, parts.filter(Boolean).join(', '));
}
