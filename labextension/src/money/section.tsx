import React from 'react';

import { ProblemLine } from '../controls/problem';
import { useFetched } from '../details/fetched';
import { Section } from '../sidebar/section';
import { useMlops, useNow, useSelector } from '../state/hooks';
import { MonthSum, Trend } from '../state/schema';
import { brief, fineMoney, missing, money, perHour } from '../words/money';
import { number, significant } from '../words/number';
import { ExportButton } from './export';
import { Waterfall } from './waterfall';

/** Seconds between two looks while it is open. */
const EVERY = 60;

/** What this month cost so far, what it will, what was saved, and what a million items cost. Folded until it is asked for. */
export function Money(): JSX.Element {
  const { trans } = useMlops();
  return (
    <Section
      name="money"
      title={trans.__('Money')}
      count={0}
      shown={0}
      folded
      tools={<ExportButton />}
    >
      <View />
    </Section>
  );
}

function View(): JSX.Element {
  const { store, trans } = useMlops();
  const look = Math.floor(useNow(EVERY) / EVERY);
  const ended = useSelector(state =>
    [...state.clusters.values()].reduce((sum, { phase }) => sum + (phase === 'ended' ? 1 : 0), 0)
  );
  const { value: month, problem } = useFetched(`${look} ${ended}`, () => store.api.money());
  if (problem) {
    return <ProblemLine problem={problem} />;
  }
  if (month === null) {
    return <p className="jp-mlops-hint">{trans.__('Adding up…')}</p>;
  }
  return (
    <div className="jp-mlops-month">
      {month.sums.map(sum => (
        <Sum key={sum.currency} sum={sum} title={month.title} baseline={month.baseline} />
      ))}
      {month.trends
        .filter(trend => trend.months.length > 1)
        .map(trend => (
          <TrendLine key={`${trend.name} ${trend.owner} ${trend.currency}`} trend={trend} />
        ))}
      {month.followed.map(({ profile, currency, sentence }) => (
        <p key={`${profile} ${currency}`} className="jp-mlops-month-trend" data-mlops="followed">
          {sentence}
        </p>
      ))}
      {month.silent.map(what => (
        <p key={what} className="jp-mlops-hint">
          {trans.__('%1: what is there is not in these sums.', what)}
        </p>
      ))}
    </div>
  );
}

interface ISumProps {
  sum: MonthSum;
  title: string;
  baseline: string;
}

/** A month in one currency. */
function Sum({ sum, title, baseline }: ISumProps): JSX.Element {
  const { trans } = useMlops();
  const { amount, currency, clusters, live, unpriced, unknown, forecast, per_hour, saving } = sum;
  const lacks = missing(trans, { amount, currency, unknown });
  const facts = [
    forecast === null ? '' : trans.__('about %1 at this pace', money(trans, forecast, currency)),
    live && per_hour !== null ? trans.__('now %1', perHour(trans, per_hour, currency)) : '',
    lacks
  ];
  const rests = [
    trans._n('%1 cluster', '%1 clusters', clusters),
    live ? trans.__('%1 of them live', number(live)) : '',
    unpriced ? trans.__('%1 without a price', number(unpriced)) : '',
    trans.__(
      'A cluster counts in the month (UTC) in which it ended, one that lives in the current one.'
    )
  ];
  return (
    <>
      <p className="jp-mlops-month-sum" title={rests.filter(Boolean).join('\n')}>
        <strong data-mlops="month-sum">{brief(trans, { amount, currency, unknown })}</strong>
        <span>{trans.__('%1 so far', title)}</span>
      </p>
      {facts.some(Boolean) && (
        <p className="jp-mlops-month-facts" data-mlops="month-facts">
          {facts.filter(Boolean).join(' · ')}
        </p>
      )}
      {saving && <Waterfall saving={saving} baseline={baseline} />}
    </>
  );
}

/** How the cost of a million items moved. */
function TrendLine({ trend }: { trend: Trend }): JSX.Element {
  const { trans } = useMlops();
  const { name, months, currency } = trend;
  const first = months[0];
  const last = months[months.length - 1];
  const [before, after] = [first, last].map(month => fineMoney(month.per_million, currency));
  const times = first.amount
    ? trans.__(
        'items × %1, cost × %2',
        significant(last.items / first.items, 2),
        significant(last.amount / first.amount, 2)
      )
    : trans.__('items × %1', significant(last.items / first.items, 2));
  const title = months
    .map(({ month, items, per_million }) =>
      trans.__('%1: %2 items, %3 a million', month, number(items), fineMoney(per_million, currency))
    )
    .join('\n');
  return (
    <p className="jp-mlops-month-trend" title={title} data-mlops="trend">
      <strong>{name}</strong>{' '}
      {trans.__('since %1: %2; a million items %3 → %4', first.month, times, before, after)}
    </p>
  );
}
