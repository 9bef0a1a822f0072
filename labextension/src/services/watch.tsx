import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ProblemLine } from '../controls/problem';
import { Alert, FeatureDrift, ServiceWatch } from '../state/schema';
import { decimals, number } from '../words/number';
import { sentence } from '../words/word';
import { Scrolled } from './scrolled';

/** Features that are shown: those that have changed most. */
const MOST = 200;

interface IWatchProps {
  watch: ServiceWatch;
  trans: TranslationBundle;
}

/** How what a service is asked, and answers, compares with its version's baseline. */
export function WatchTable({ watch, trans }: IWatchProps): JSX.Element {
  if (watch.problem) {
    return <ProblemLine problem={watch.problem} />;
  }
  const rows = watch.open.rows + (watch.last?.rows ?? 0);
  const alarms = watch.alerts.filter(alert => alert.phase === 'alarm');
  return (
    <>
      <p data-mlops="watch-words">
        {sentence(watch.words)}{' '}
        {rows > 0 &&
          trans.__('%1 rows are compared with %2.', number(rows), number(watch.baseline))}{' '}
        {watch.cost && <span data-mlops="watch-cost">{sentence(watch.cost)}</span>}
      </p>
      {watch.features.length > 0 && (
        <Scrolled label={trans.__('Features')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('Feature')}</th>
                <th scope="col">{trans.__('Now')}</th>
                <th
                  scope="col"
                  title={trans.__('Population stability index: how much it has changed')}
                >
                  {trans.__('PSI')}
                </th>
                <th
                  scope="col"
                  title={trans.__('What the PSI is at most where nothing has changed')}
                >
                  {trans.__('By chance')}
                </th>
                <th scope="col">{trans.__('Missing')}</th>
                <th
                  scope="col"
                  title={trans.__('Out of the range that was known, or values that were not')}
                >
                  {trans.__('Outside')}
                </th>
              </tr>
            </thead>
            {watch.features.slice(0, MOST).map(drift => (
              <Feature
                key={`${drift.answers} ${drift.name}`}
                drift={drift}
                alarm={alarms.find(each => isOf(each, drift))}
                trans={trans}
              />
            ))}
          </table>
          {watch.features.length > MOST && (
            <p>{trans.__('and %1 more', number(watch.features.length - MOST))}</p>
          )}
        </Scrolled>
      )}
    </>
  );
}

interface IFeatureProps {
  drift: FeatureDrift;
  alarm: Alert | undefined;
  trans: TranslationBundle;
}

/** A feature, and below it what there is to say where it has changed. */
function Feature({ drift, alarm, trans }: IFeatureProps): JSX.Element {
  const hasWords = drift.state === 'changed' && drift.words !== '';
  return (
    <tbody data-mlops="watch-feature" data-state={drift.state} data-alarm={alarm !== undefined}>
      <tr>
        <th scope="row">{drift.answers ? trans.__('its answers') : drift.name}</th>
        <td>{alarm ? trans.__('alarm') : stateWord(trans, drift.state)}</td>
        <td>{drift.psi === null ? '' : decimals(drift.psi, 2)}</td>
        <td>{drift.noise === null ? '' : decimals(drift.noise, 2)}</td>
        <td>{percent(drift.missing)}</td>
        <td>{percent(drift.outside)}</td>
      </tr>
      {hasWords && (
        <tr className="jp-mlops-watch-words">
          <td colSpan={6}>{drift.words}</td>
        </tr>
      )}
    </tbody>
  );
}

function stateWord(trans: TranslationBundle, state: FeatureDrift['state']): string {
  const words: Record<FeatureDrift['state'], string> = {
    same: trans.__('as before'),
    changed: trans.__('changed'),
    unsure: trans.__('cannot tell')
  };
  return words[state];
}

function isOf(alert: Alert, drift: FeatureDrift): boolean {
  return alert.feature === drift.name && alert.answers === drift.answers;
}

function percent(share: number): string {
  return share > 0 && share < 0.005 ? '< 1%' : `${Math.round(100 * share)}%`;
}
