import { TranslationBundle } from '@jupyterlab/translation';

import { CandidateState, Comparison, ServiceState } from '../state/schema';
import { versionName } from './model';
import { significant } from './number';
import { wordOf } from './word';

/** Whether a candidate is tried now, and not only told of. */
export function isTried(candidate: CandidateState | null): candidate is CandidateState {
  return candidate !== null && candidate.phase !== 'back';
}

/** Whether a service can go back: from a version that is tried, or to the one before. */
export function canRollBack({ phase, candidate, previous }: ServiceState): boolean {
  return phase === 'ready' && (isTried(candidate) || previous > 0);
}

/** A part of something as people say it: "5%", "0.5%". */
export function percent(share: number): string {
  return `${significant(100 * share, 3)}%`;
}

/** Who answers how much: "churn@3 answers 95%, churn@4 5%". */
export function splitWords(
  trans: TranslationBundle,
  { model, version }: ServiceState,
  candidate: CandidateState
): string {
  const stable = versionName(model, version);
  const other = versionName(model, candidate.version);
  if (candidate.way === 'shadow') {
    const share = percent(candidate.share);
    return trans.__('%1 answers all; %2 is asked %3 of it, too', stable, other, share);
  }
  const rest = percent(1 - candidate.share);
  return trans.__('%1 answers %2, %3 %4', stable, rest, other, percent(candidate.share));
}

/** What a comparison is about. */
export function comparedWord(trans: TranslationBundle, name: string): string {
  const words: Record<string, string> = {
    errors: trans.__('failed'),
    latency: trans.__('time of an answer'),
    missing: trans.__('answers missing'),
    answers: trans.__('what it answers'),
    constant: trans.__('what it answers'),
    agreement: trans.__('the same answer'),
    distance: trans.__('how far apart')
  };
  return words[name] ?? name;
}

/** How a comparison came out, in a word. */
export function comparisonState(trans: TranslationBundle, state: Comparison['state']): string {
  const words: Record<Comparison['state'], string> = {
    better: trans.__('better'),
    worse: trans.__('worse'),
    same: trans.__('as good'),
    undecided: trans.__('undecided'),
    'no data': trans.__('no data')
  };
  return wordOf(words, state);
}

/** A mean of a comparison, in its unit. */
export function comparedValue(name: string, value: number | null): string {
  if (value === null || name === 'answers' || name === 'constant') {
    return '';
  }
  if (SHARES.includes(name)) {
    return percent(value);
  }
  return name === 'latency' ? `${significant(1000 * value, 3)} ms` : significant(value, 3);
}

/** Between what a difference is: "−0.2% to 1.3%". That of latency is a part of it, as of shares. */
export function comparedRange({ name, low, high }: Comparison): string {
  if (low === null || high === null) {
    return '';
  }
  const isPart = SHARES.includes(name) || name === 'latency';
  const [from, to] = [low, high].map(value => (isPart ? `${signed(100 * value)}%` : signed(value)));
  return `${from} … ${to}`;
}

/** Comparisons whose means are parts of all. */
const SHARES = ['errors', 'missing', 'agreement'];

function signed(value: number): string {
  const digits = significant(Math.abs(value), 2);
  return `${value < 0 ? '−' : '+'}${digits}`;
}

/** What rolling back does. */
export function rollBackLabel(trans: TranslationBundle, service: ServiceState): string {
  const { model, version, candidate, previous } = service;
  return isTried(candidate)
    ? trans.__('Take %1 back', versionName(model, candidate.version))
    : trans.__(
        'Have %1 serve again, in place of %2',
        versionName(model, previous),
        versionName(model, version)
      );
}
