import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ProblemLine } from '../controls/problem';
import { Performance, PerformancePeriod } from '../state/schema';
import { decimals, significant } from '../words/number';
import { day, moment } from '../words/time';
import { Scrolled } from './scrolled';

/** Seconds of a day, and periods that are shown: the newest. */
const DAY = 86400;
const MOST = 30;

interface IPerformanceProps {
  performance: Performance;
  now: number;
  trans: TranslationBundle;
}

/** How good a service's version is at what it is asked, by the time of its answers; nothing before any was logged. */
export function PerformanceTable({
  performance,
  now,
  trans
}: IPerformanceProps): JSX.Element | null {
  const { problem, periods, metric, words, unsure, blind_spot, whole } = performance;
  if (problem) {
    return <ProblemLine problem={problem} />;
  }
  if (words === '') {
    return null;
  }
  const alarm = performance.alerts.find(alert => alert.phase === 'alarm');
  const estimates = periods.some(period => period.estimate !== null);
  const limits = unsure ? trans.__('It can’t be estimated: %1.', unsure) : blind_spot;
  return (
    <section className="jp-mlops-good" data-mlops="performance" data-alarm={alarm !== undefined}>
      <p data-mlops="performance-words">{sentence(words)}</p>
      {alarm && (
        <p className="jp-mlops-good-alarm">
          {trans.__('Worse than when its version was made: %1.', alarm.words)}
        </p>
      )}
      {periods.length > 0 && (
        <Scrolled label={trans.__('How good it is')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('Answered')}</th>
                <th scope="col" title={trans.__('On rows that have labels, with 95 % interval')}>
                  {METRICS[metric] ?? metric}
                </th>
                <th scope="col" title={trans.__('The part of the logged rows that has labels')}>
                  {trans.__('Labelled')}
                </th>
                {estimates && (
                  <th scope="col" title={blind_spot}>
                    {trans.__('Estimated')}
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {[...periods]
                .reverse()
                .slice(0, MOST)
                .map(period => (
                  <tr key={period.since} data-mlops="performance-period">
                    <th scope="row">{answered(trans, period, now)}</th>
                    <td>{measured(trans, period)}</td>
                    <td>{labelled(period)}</td>
                    {estimates && <td>{figure(period.estimate)}</td>}
                  </tr>
                ))}
            </tbody>
          </table>
        </Scrolled>
      )}
      {whole && limits && <p className="jp-mlops-good-limits">{limits}</p>}
    </section>
  );
}

/** A metric as the head of a column has it. */
const METRICS: Readonly<Record<string, string>> = { accuracy: 'Accuracy', rmse: 'RMSE' };

/** A line as a sentence, which begins with a capital letter, or with the name of a metric that has them all. */
function sentence(words: string): string {
  const [first] = words.split(' ', 1);
  const begin = METRICS[first] ?? `${first[0].toUpperCase()}${first.slice(1)}`;
  return `${begin}${words.slice(first.length)}.`;
}

/** When: an hour by its beginning, a day by its name. */
function answered(trans: TranslationBundle, period: PerformancePeriod, now: number): string {
  const { since, until } = period;
  return until - since >= DAY ? day(trans, (since + until) / 2, now) : moment(since, now);
}

function measured(trans: TranslationBundle, { value, low, high }: PerformancePeriod): string {
  return low === null || high === null
    ? figure(value)
    : trans.__('%1 (%2 to %3)', figure(value), figure(low), figure(high));
}

function figure(value: number | null): string {
  if (value === null) {
    return '–';
  }
  if (value > 1) {
    return significant(value, 4);
  }
  return value >= 0.1 || value === 0 ? decimals(value, 2) : significant(value, 2);
}

/** The part that has labels: only all is 100%. */
function labelled({ rows, labelled }: PerformancePeriod): string {
  if (labelled === 0 || rows === 0) {
    return '0%';
  }
  const part = Math.round((100 * labelled) / rows);
  return part === 0 ? '< 1%' : `${labelled < rows ? Math.min(part, 99) : part}%`;
}
