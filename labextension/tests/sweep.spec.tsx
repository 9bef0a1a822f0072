import React from 'react';

import { CommandIDs } from '../src/commands';
import { RunDetails } from '../src/run/details';
import { outputOf } from '../src/run/output';
import { useSelector } from '../src/state/hooks';
import { Extent, RunState, SweepOptions, Trial, TrialsView } from '../src/state/schema';
import { axesOf, linesOf, MOST_LINES } from '../src/sweep/axes';
import { allTrials } from '../src/sweep/fetch';
import { inOrder } from '../src/sweep/order';
import { pathOf } from '../src/sweep/parallel';
import { SweepView } from '../src/sweep/view';
import { summary } from '../src/words/run';
import { given } from '../src/words/sweep';
import { cost, NOW, run, snapshot } from './examples';
import { find, Stage, trans } from './stage';

const extent = (part: Partial<Extent>): Extent => ({
  low: null,
  high: null,
  log: false,
  values: [],
  ...part
});
const sweep = (part: Partial<SweepOptions> = {}): SweepOptions => ({
  goal: 'max',
  metric: null,
  budget: null,
  time: null,
  prune: null,
  spent: 0,
  space: {
    lr: extent({ low: 1e-4, high: 1, log: true }),
    act: extent({ values: ['relu', 'gelu', 'tanh'] }),
    seed: extent({ values: [3] })
  },
  ...part
});
const trial = (number: number, part: Partial<Trial> = {}): Trial => ({
  number,
  params: { lr: 0.01, act: 'gelu', seed: 3 },
  phase: 'done',
  value: number / 10,
  metrics: {},
  reports: 0,
  began: NOW - 40,
  ended: NOW - 20,
  error: '',
  ...part
});
const TRIALS = [
  trial(0),
  trial(1, { phase: 'pruned', value: 0.9 }),
  trial(2, { phase: 'failed', value: null, error: 'ValueError: no' }),
  trial(3, { phase: 'running', value: null, ended: null }),
  trial(4, { params: { lr: 1, act: 'tanh', seed: 3 } })
];
const view = (trials: Trial[], part: Partial<TrialsView> = {}): TrialsView => ({
  seq: 7,
  sweep: sweep(),
  trials,
  more: false,
  ...part
});
const search = (part: Partial<RunState> = {}): RunState =>
  run({ kind: 'sweep', name: 'search', done: 36, failed: 1, metrics: { best: 0.98125 }, ...part });

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => jest.useRealTimers());

describe('The lines of a sweep', () => {
  const ordered = inOrder(TRIALS, 'max');
  const axes = axesOf(sweep(), ['lr', 'act', 'seed'], ordered, 'value');

  it('go over what differs between trials, on the scales of the space', () => {
    expect(axes.map(axis => axis.name)).toEqual(['lr', 'act', 'value']);
    expect(axes[0].at(0.01)).toBeCloseTo(0.5);
    expect(axes[0].ticks.map(tick => tick.words)).toEqual(['0.0001', '1']);
    expect(axes[0].marks).toEqual([0.25, 0.5, 0.75].map(place => expect.closeTo(place)));
    expect(axes[1].ticks).toEqual([
      { at: 0, words: 'relu' },
      { at: 0.5, words: 'gelu' },
      { at: 1, words: 'tanh' }
    ]);
    expect(axes[1].at('sine')).toBeNull();
  });

  it('are made of the trials where no space was written down, also of odd ones', () => {
    const odd = [NaN, Infinity, null, 'x', 2, true].map((lr, index) =>
      trial(index, { params: { lr: lr as never, n: index * 10 }, value: 10 ** index })
    );
    const [lr, n, value] = axesOf(null, ['lr', 'n'], odd, 'value');
    expect(lr.ticks).toHaveLength(6);
    expect(n.at(50)).toBe(1);
    expect([1.5e-5, 1e9, 0.0312, true, null].map(given)).toEqual([
      '1.5e-05',
      '1e+09',
      '0.0312',
      'True',
      'None'
    ]);
    expect([value.at(1), value.at(1e5), value.at(null)]).toEqual([0, 1, null]);
    expect(axesOf(null, [], [], 'value')[0].ticks).toEqual([]);
  });

  it('are stronger the better, and the best one lies over the others', () => {
    const lines = linesOf(axes, ordered);
    expect(lines.map(line => line.trial.number)).toEqual([3, 2, 1, 0, 4]);
    expect(lines.map(line => line.level)).toEqual([null, null, null, 2, 4]);
    expect(pathOf([0, null, 1], 10, 100)).toBe('M0,100L20,0');
    const many = Array.from({ length: 5000 }, (_, number) => trial(number));
    const some = linesOf(axes, inOrder(many, 'max')).map(line => line.trial.number);
    expect(some).toHaveLength(MOST_LINES);
    expect(some[MOST_LINES - 1]).toBe(4999);
    expect(Math.min(...some)).toBeLessThan(50);
  });
});

describe('A sweep', () => {
  it('says in its line how far it is, and its best value', () => {
    expect(summary(trans, search(), NOW)).toBe('37 of 100 trials · best 0.9813 · 40 s left');
    expect(summary(trans, search({ options: { known: 10 }, metrics: {} }), NOW)).toBe(
      '47 of 100 trials · 40 s left'
    );
    const over = search({ phase: 'done', ended: NOW });
    expect(summary(trans, over, NOW)).toBe('best 0.9813 · 37 trials · 1 min');
    const errors = [{ index: 2, item: '', error: 'ValueError: no', traceback: '' }];
    expect(summary(trans, search({ phase: 'failed', errors }), NOW)).toBe(
      'trial 2: ValueError: no'
    );
  });

  it('has its best trial, counts, limits and every trial in its details', async () => {
    const stage = new Stage();
    const asked = sweep({ budget: 0.06, spent: 0.01, time: 1200, metric: 'auc' });
    stage.api.tried = [view(TRIALS.slice(0, 3), { more: true, sweep: asked })];
    stage.api.tried.push(view(TRIALS.slice(3), { seq: 9, sweep: asked }));
    const live = search({ cost: cost({ amount: 0.02 }) });
    stage.show(<RunDetails run={live} />);
    await stage.after(() => stage.stream.say(snapshot({ runs: [live] })));
    const facts = find('run-details').querySelector('dl')!.textContent;
    expect(facts).toContain(
      'Trials37 of 100: 2 done, 1 pruned, 1 failed, 1 under way' +
        'Best auc0.4, trial 4Withlr 1, act tanh, seed 3' +
        'Limit$0.06, of which $0.03 (50 %) is spent · 20 min'
    );
    const table = find('trials');
    const numbers = (): string[] =>
      [...table.querySelectorAll('[data-column="number"]')].map(cell => cell.textContent!);
    expect(numbers()).toEqual(['the best one: ★ 4', '0', '1', '2', '3']);
    expect(table.textContent).toContain('failed: ValueError: no');
    await stage.after(() => find('sort-param-lr', table).click());
    expect(numbers()[4]).toContain('4');
    await stage.after(() => find('open-trials').click());
    expect(stage.executed).toEqual([[CommandIDs.openTrials, { run: live.id }]]);
    expect(find('parallel').querySelectorAll('path')).toHaveLength(5);
    expect(find('parallel').querySelector('[role=img]')!.getAttribute('aria-label')).toBe(
      '5 trials over lr, act, auc. The best one: 0.4 with lr 1, act tanh, seed 3'
    );
    expect(stage.api.asked.filter(([what]) => what === 'trials')).toEqual([
      ['trials', live.id, 0],
      ['trials', live.id, 7]
    ]);
  });

  it('has a tab of its own, with room', async () => {
    const stage = new Stage();
    stage.api.tried = [view(TRIALS)];
    const live = search();
    stage.show(<SweepView run={live.id} />);
    await stage.after(() => stage.stream.say(snapshot({ runs: [live] })));
    expect(find('sweep-view').textContent).toContain('Best0.4, trial 4');
    expect(find('trials').querySelectorAll('[data-mlops=table-row]')).toHaveLength(5);
    stage.show(<SweepView run="bbbbbbbbbbbb" />);
    expect(document.body.textContent).toContain('There is no such run any more.');
  });

  it('has its trials in what is downloaded, as a table', async () => {
    const api = new Stage().api;
    api.tried = [view(TRIALS.slice(0, 3), { more: true }), view(TRIALS.slice(3))];
    const over = search({ phase: 'done', ended: NOW });
    const text = outputOf(trans, over, [], await allTrials(api, over), NOW);
    expect(text).toContain('37 trials, best 0.9813');
    expect(text).toContain(
      'trial\tvalue\tlr\tact\tseed\tphase\tseconds\terror\n4\t0.4\t1\ttanh\t3\tdone\t20.00\t\n'
    );
    expect(text).toContain('2\t\t0.01\tgelu\t3\tfailed\t20.00\tValueError: no\n');
    expect(text).toContain('3\t\t0.01\tgelu\t3\tstopped');
  });

  it('is asked for what changed while it goes on, and once more at its end', async () => {
    const stage = new Stage();
    const live = search();
    stage.api.tried = [view([trial(3, { phase: 'running', value: null, ended: null })])];
    const Changing = (): JSX.Element => (
      <RunDetails run={useSelector(state => state.runs.get(live.id)) ?? live} />
    );
    stage.show(<Changing />);
    await stage.after(() => stage.stream.say(snapshot({ runs: [live] })));
    const said = (seq: number, part: Partial<RunState>): Promise<void> => {
      const change = { noun: 'run', id: live.id, value: search(part) } as const;
      return stage.after(() => stage.stream.change(seq, change));
    };
    const asked = (): unknown[] => stage.api.asked.filter(([what]) => what === 'trials');
    for (let seq = 2; seq < 6; seq++) {
      await said(seq, { done: 36 + seq });
    }
    expect(asked()).toHaveLength(1);
    stage.api.tried = [
      view([trial(3, { phase: 'running', value: 0.5, reports: 2, ended: null })], { seq: 8 })
    ];
    await stage.after(() => undefined, 2000);
    expect(asked()[1]).toEqual(['trials', live.id, 7]);
    expect(find('trials').textContent).toMatch(/0\.5 ….*under way/);
    stage.api.tried = [view([trial(5)], { seq: 9 })];
    await said(7, { phase: 'lost', ended: NOW });
    expect(asked()[2]).toEqual(['trials', live.id, 8]);
    expect(find('trials').textContent).toContain('stopped');
  });
});
