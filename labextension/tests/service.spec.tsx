import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { ServiceDetails } from '../src/services/details';
import { columns } from '../src/services/timechart';
import {
  Alert,
  FeatureDrift,
  PerformancePeriod,
  ServiceHistory,
  ServiceWatch,
  TrailEntry,
  Window
} from '../src/state/schema';
import { NOW, service, snapshot } from './examples';
import { find, Stage } from './stage';

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

const deed = (part: Partial<TrailEntry>): TrailEntry => ({
  format: 1,
  seq: 1,
  time: NOW - 600,
  actor: { name: 'ada', how: 'sidebar' },
  verb: 'deployed',
  object: 'churn@3',
  service: 'churn',
  before: '',
  after: '',
  why: '',
  override: false,
  gates: [],
  digest: '',
  previous: '',
  ...part
});

const past: ServiceHistory = {
  since: NOW - 3600,
  until: NOW,
  step: 60,
  counted: true,
  traffic: [
    { at: NOW - 300, version: 3, requests: 120, errors: 0, middle: 0.004, slow: 0.02 },
    { at: NOW - 240, version: 3, requests: 60, errors: 6, middle: 0.004, slow: 0.04 },
    { at: NOW - 240, version: 4, requests: 6, errors: 0, middle: 0.01, slow: 0.05 }
  ],
  drift: [
    {
      since: NOW - 300,
      until: NOW - 240,
      version: 3,
      name: 'age',
      answers: false,
      state: 'changed',
      psi: 0.31,
      noise: 0.02
    }
  ],
  deeds: [deed({}), deed({ seq: 2, time: NOW - 250, verb: 'rolled back', object: 'churn@4' })]
};

async function shown(stage: Stage): Promise<void> {
  stage.show(<ServiceDetails name="churn" />);
  await stage.after(() => stage.stream.say(snapshot({ services: [service()] })));
}

function says(handle: string): string {
  return find(handle).querySelector('[role="img"]')!.getAttribute('aria-label')!;
}

describe('The details of a service', () => {
  it('tell over time how much it is asked, how long that takes, and what changed', async () => {
    const stage = new Stage();
    stage.api.past = past;
    stage.api.callers = {
      callers: [
        { caller: 'billing', requests: 1200, rows: 2400, errors: 0, versions: [3, 4], last: NOW },
        { caller: 'web', requests: 0, rows: 0, errors: 0, versions: [], last: 0 }
      ],
      words: 'billing called it within the hour.',
      counted: true
    };
    await shown(stage);
    expect(find('service-version').textContent).toBe('churn@3');
    await stage.after(() => find('service-version').click());
    expect(stage.executed).toEqual([[CommandIDs.openModel, { model: 'churn' }]]);
    expect(says('chart-rate')).toMatch(/^Requests a second. churn@3: 0 at .*, at most 2 at /);
    expect(says('chart-rate')).toContain('failed: 0 at');
    expect(says('chart-time')).toContain('churn@3, 95 of 100: 40 ms at');
    expect(says('chart-time')).toContain('churn@4, half: 10 ms at');
    expect(says('chart-drift')).toContain('age: 0.31 at');
    expect(document.querySelector('[data-mlops="chart-good"]')).toBeNull();
    expect(find('trail').textContent).toContain('rolled back churn@4 in churn');
    const callers = [...document.querySelectorAll<HTMLTableRowElement>('[data-mlops="caller"]')];
    expect([...callers[0].cells].map(cell => cell.textContent).join('|')).toMatch(
      /^billing\|[0-9:]+\|1,200\|2,400\|0\|@3, @4$/
    );
    expect(callers[1].textContent).toContain('not lately');
  });

  it('are of the stretch that is chosen, and asked for only while they are seen', async () => {
    const stage = new Stage();
    await shown(stage);
    const spans = (): unknown[] =>
      stage.api.asked.filter(([name]) => name === 'serviceHistory').map(([, , span]) => span);
    expect(spans()).toEqual([3600]);
    await stage.after(() => fireEvent.change(find('service-span'), { target: { value: 86400 } }));
    expect(spans()).toEqual([3600, 86400]);
    stage.gate.open = false;
    const before = stage.api.asked.length;
    await stage.after(() => jest.advanceTimersByTime(60_000));
    expect(stage.api.asked).toHaveLength(before);
    stage.gate.open = true;
    await stage.after(() => jest.advanceTimersByTime(5000));
    expect(stage.api.asked.length).toBeGreaterThan(before);
  });

  it('say what is wrong, and of pods that these count', async () => {
    const stage = new Stage();
    stage.api.past = { ...past, counted: false, traffic: [] };
    await shown(stage);
    expect(find('not-counted').textContent).toContain('/metrics');
    const alarm = { what: 'age has changed', why: '', todo: '' };
    await stage.after(() => stage.stream.say(snapshot({ services: [service({ alarm })] })));
    expect(find('problem').textContent).toContain('age has changed');
    expect(find('service-retrain')).toBeTruthy();
    await stage.after(() => stage.stream.say(snapshot({ services: [] })));
    expect(document.body.textContent).toContain('There is no service named churn any more.');
  });
});

describe('Lines over time', () => {
  it('share their times, and go on where another one has a point', () => {
    const line = (points: [number, number | null][]) => ({ label: '', color: 0, points });
    expect(columns([line([[2, 5]]), line([[1, 7]]), line([[2, null]])])).toEqual([
      [1, 2],
      [undefined, 5],
      [7, undefined],
      [undefined, null]
    ]);
  });
});

describe('What a service is asked', () => {
  const drift = (part: Partial<FeatureDrift>): FeatureDrift => ({
    name: 'age',
    answers: false,
    state: 'same',
    signs: [],
    rows: 500,
    psi: 0.31,
    noise: 0.05,
    needs: 300,
    missing: 0,
    missing_before: 0,
    outside: 0.125,
    outside_before: 0,
    words: '',
    ...part
  });
  const window = { rows: 1500 } as Window;
  const watch: ServiceWatch = {
    format: 1,
    version: 3,
    rows_of: 'valid',
    baseline: 4000,
    period: 3600,
    enough: 300,
    open: window,
    last: null,
    features: [
      drift({ state: 'changed', words: 'PSI 0.31, by chance 0.05 at most' }),
      drift({ state: 'changed', answers: true, words: 'all 500 are the same' }),
      drift({ name: 'income', psi: null, noise: null, state: 'unsure', words: 'needs 300 rows' })
    ],
    alerts: [
      {
        feature: 'age',
        sign: 'shift',
        phase: 'alarm',
        answers: false,
        since: NOW,
        calm: 0,
        words: ''
      }
    ],
    problem: null,
    words: '1 of 2 features changed: age',
    cost: '$0.0042 per 1,000 rows'
  };

  it('is told by feature, with what changed in words, and looked at again', async () => {
    const stage = new Stage();
    stage.api.watched = watch;
    await shown(stage);
    expect(find('watch-words').textContent).toBe(
      '1 of 2 features changed: age. 1,500 rows are compared with 4,000. $0.0042 per 1,000 rows.'
    );
    const texts = [
      ...document.querySelectorAll<HTMLTableRowElement>('[data-mlops="watch-feature"] tr')
    ].map(row => [...row.cells].map(cell => cell.textContent).join('|'));
    expect(texts).toEqual([
      'age|alarm|0.31|0.05|0%|13%',
      'PSI 0.31, by chance 0.05 at most',
      'its answers|changed|0.31|0.05|0%|13%',
      'all 500 are the same',
      'income|cannot tell|||0%|13%'
    ]);
    expect(document.querySelector('[data-mlops="performance"]')).toBeNull();
    stage.api.watched = { ...watch, problem: { what: 'no baseline', why: '', todo: 'Save it.' } };
    await stage.after(() => jest.advanceTimersByTime(5000));
    expect(find('problem').textContent).toContain('no baseline');
  });

  it('has how good the answers are beside it, where any are logged', async () => {
    const stage = new Stage();
    const period = (part: Partial<PerformancePeriod>): PerformancePeriod => ({
      since: NOW,
      until: NOW + 3600,
      rows: 1000,
      labelled: 0,
      value: null,
      low: null,
      high: null,
      estimate: 0.8,
      ...part
    });
    const old = { since: NOW - 9e5, until: NOW - 9e5 + 86400, labelled: 999 };
    const periods = [
      period({ ...old, value: 0.9, low: 0.88, high: 0.919 }),
      period({ labelled: 4, value: 0.05 }),
      period({ since: NOW + 1 })
    ];
    stage.api.watched = watch;
    stage.api.performed = {
      ...stage.api.performed,
      metric: 'accuracy',
      whole: period({ labelled: 1003 }),
      periods,
      blind_spot: 'An estimate can’t see it.',
      words: 'accuracy 0.90'
    };
    await shown(stage);
    const told = find('performance');
    expect(find('performance-words').textContent).toBe('Accuracy 0.90.');
    expect(told.textContent).toContain('An estimate can’t see it.');
    const rows = told.querySelectorAll<HTMLTableRowElement>('tbody tr');
    const cells = [...rows].map(row => [...row.cells].slice(1).map(cell => cell.textContent));
    expect(cells).toEqual([
      ['–', '0%', '0.80'],
      ['0.05', '< 1%', '0.80'],
      ['0.90 (0.88 to 0.92)', '99%', '0.80']
    ]);
    const { performed } = stage.api;
    const words = 'accuracy 0.70, and 0.90 before';
    const alert: Alert = { ...watch.alerts[0], feature: 'accuracy', sign: 'worse', words };
    stage.api.performed = {
      ...performed,
      alerts: [alert],
      periods: periods.map(each => ({ ...each, estimate: null })),
      unsure: 'a number says nothing'
    };
    await stage.after(() => jest.advanceTimersByTime(5000));
    expect(find('performance').dataset.alarm).toBe('true');
    expect(find('performance').textContent).toContain(`version was made: ${words}.`);
    expect(find('performance').textContent).toContain('can’t be estimated: a number says nothing.');
    expect(find('performance').textContent).not.toContain('Estimated');
  });
});
