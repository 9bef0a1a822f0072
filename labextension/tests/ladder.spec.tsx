import { fireEvent } from '@testing-library/react';
import React from 'react';

import { Sizes } from '../src/ladder/sizes';
import { known } from '../src/ladder/chart';
import { Choice, Forecast, Ladder, Rung } from '../src/state/schema';
import { cluster, group, run, snapshot } from './examples';
import { find, Stage } from './stage';

const rung = (workers: number, rate: number, part: Partial<Rung> = {}): Rung => ({
  workers,
  threads: workers,
  present: workers,
  items: 100,
  failed: 0,
  seconds: 4,
  rate,
  spread: 0.02,
  item: 0.05,
  slowest: 0.06,
  used: 1,
  starved: 0,
  boot: 1,
  per_hour: 3.6 * workers,
  per_million: (1000 * workers) / rate,
  dip: 0,
  cause: '',
  problem: null,
  ...part
});
const forecast = (workers: number, rate: number): Forecast => ({
  workers,
  rate,
  low: 0.9 * rate,
  high: 1.1 * rate,
  per_million: 50
});
const choice = (aim: Choice['aim'], workers: number): Choice => ({
  aim,
  workers,
  seconds: 420,
  seconds_most: 500,
  amount: 0.4,
  amount_most: 0.5,
  missed: ''
});
const DIP = {
  what: 'Each of 4 workers does 31 % less than each of 2',
  why: 'scheduler-bound',
  todo: 'Have each item do more.'
};
const ladder = (part: Partial<Ladder> = {}): Ladder => ({
  phase: 'done',
  sizes: [1, 2, 4],
  rungs: [rung(1, 20), rung(2, 40), rung(4, 55, { dip: 0.31, cause: 'scheduler', problem: DIP })],
  forecast: [1, 2, 3, 4, 6, 8].map(workers => forecast(workers, 12 * workers)),
  choices: [choice('cheapest', 4), choice('balanced', 4), choice('fastest', 8)],
  chosen: choice('balanced', 4),
  before: 1,
  group: 'default',
  by: null,
  money: null,
  currency: 'USD',
  contention: 0.1,
  coherency: 0,
  why: '',
  sentence: 'goes on with 4 workers (balanced): about 7 min, $0.40',
  ...part
});

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => jest.useRealTimers());

describe('The ladder of a map', () => {
  const shown = async (of = run({ ladder: ladder() })): Promise<Stage> => {
    const stage = new Stage();
    stage.stream.say(snapshot({ clusters: [cluster({ groups: [group({ wanted: 4 })] })] }));
    stage.show(<Sizes run={of} />);
    await stage.after(() => undefined);
    return stage;
  };

  it('is looked at by keyboard, a number of workers after the other, and says why one dips', async () => {
    const stage = await shown();
    const chart = find('ladder-chart');
    expect(chart.getAttribute('role')).toBe('slider');
    expect(find('ladder-words').textContent).toBe(
      '4 workers: 55/s ± 2%, $72.73 a million, each at 69%'
    );
    expect(chart.getAttribute('aria-valuetext')).toBe(find('ladder-words').textContent);
    expect(find('ladder-dip').textContent).toContain('scheduler-bound. Have each item do more.');
    await stage.after(() => fireEvent.keyDown(chart, { key: 'ArrowRight' }));
    expect(find('ladder-words').textContent).toBe(
      '6 workers: 72/s ± 10%, $50.00 a million, each at 60%, forecast'
    );
    await stage.after(() => fireEvent.keyDown(chart, { key: 'End' }));
    await stage.after(() => fireEvent.keyDown(chart, { key: 'ArrowRight' }));
    expect(chart.getAttribute('aria-valuenow')).toBe('8');
    await stage.after(() => fireEvent.keyDown(chart, { key: 'Home' }));
    expect(chart.getAttribute('aria-valuenow')).toBe('1');
  });

  it('has measured numbers before forecasts', () => {
    const points = known(ladder());
    expect(points.map(each => [each.workers, 'present' in each])).toEqual([
      [1, true],
      [2, true],
      [3, false],
      [4, true],
      [6, false],
      [8, false]
    ]);
  });

  it('says what was chosen, and takes another choice by a click', async () => {
    const stage = await shown();
    expect(find('ladder-says').textContent).toBe(
      'Goes on with 4 workers (balanced): about 7 min, $0.40.'
    );
    expect(find('choose-4').hasAttribute('disabled')).toBe(true);
    expect(find('choose-4').textContent).toBe('cheapest, balanced: 4 workers, about 7 min · $0.40');
    expect(find('choose-8').textContent).toBe('fastest: 8 workers, about 7 min · $0.40');
    await stage.after(() => find('choose-8').click(), 500);
    expect(stage.api.asked).toContainEqual(['scale', cluster().id, 'default', 8]);
  });

  it('is asked for while a map runs, and a refusal is shown', async () => {
    const stage = await shown(run({ ladder: null }));
    await stage.after(() => find('try-sizes').click(), 500);
    expect(stage.api.asked).toContainEqual(['trySizes', run().id]);
    stage.api.refusal = new Error('The cluster did not answer');
    await stage.after(() => find('try-sizes').click(), 500);
    expect(find('problem').textContent).toContain('The cluster did not answer');
  });

  it('is offered for no run that can have none, and shows one without a rung in words', async () => {
    await shown(run({ ladder: null, detached: true }));
    expect(document.querySelector('[data-mlops="ladder"]')).toBeNull();
    await shown(run({ ladder: ladder({ rungs: [], forecast: [], choices: [], chosen: null }) }));
    expect(document.querySelector('[data-mlops="ladder-chart"]')).toBeNull();
    expect(find('ladder-says').textContent).not.toBe('');
  });
});
