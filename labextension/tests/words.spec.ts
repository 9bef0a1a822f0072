import { lossesOf } from '../src/cluster/stop';
import { announce } from '../src/sidebar/announcer';
import { nameOf, NOTHING, spelled } from '../src/state/state';
import { statusWords } from '../src/status/item';
import { more, projection } from '../src/words/budget';
import { willStop, workers } from '../src/words/cluster';
import { brief, estimate, money, perHour, perThousand, source, sum } from '../src/words/money';
import { summary } from '../src/words/run';
import { size } from '../src/words/size';
import { about, clock, day, left, span, tick } from '../src/words/time';
import * as examples from './examples';
import { trans } from './stage';

const { NOW, cluster, cost, counts, run } = examples;

describe('words', () => {
  it('write money with two decimals, and unknown money as unknown', () => {
    expect(money(trans, 0.416, 'USD')).toBe('$0.42');
    expect(money(trans, 0, 'USD')).toBe('$0.00');
    expect(money(trans, null, 'USD')).toBe('unknown');
    expect(money(trans, 12, 'credits')).toBe('12.00 credits');
    expect(perHour(trans, 1.2, 'USD')).toBe('$1.20/h');
  });

  it('say what money rests on', () => {
    expect(source(trans, cost())).toMatch(/your settings, 2026-11-21\n1.0 CPU-hours/);
    expect(source(trans, cost({ source: null }))).toMatch(/No price/);
  });

  it('say what is known of a cost, and how much is not', () => {
    const unknown = examples.usage({ worker_hours: 1, cpu_hours: 12 });
    expect(sum(trans, cost())).toBe('$0.42');
    expect(sum(trans, cost({ unknown }))).toBe('$0.42 + 12.0 CPU-hours unknown');
    const gpus = { ...unknown, gpu_hours: 0.5 };
    expect(sum(trans, cost({ unknown: gpus }))).toBe('$0.42 + 0.50 GPU-hours unknown');
    expect(brief(trans, cost({ unknown }))).toBe('$0.42 + ?');
    expect(brief(trans, cost({ amount: null, unknown }))).toBe('unknown');
    const dedicated = { amount: 9, per_hour: 1, host_hours: 4, unknown_hours: 0 };
    expect(source(trans, cost({ unknown, dedicated }))).toMatch(
      /Of that 12.0 CPU-hours unknown\nWhole nodes: \$9.00, 4.0 node-hours$/
    );
  });

  it('say what a thousand items cost, finely where that is little', () => {
    const of = (amount: number | null): string =>
      perThousand(trans, run({ done: 90, failed: 10, cost: cost({ amount }) }));
    expect(of(3)).toBe('$30.00 per 1,000 items');
    expect(of(0.00003)).toBe('$0.0003 per 1,000 items');
    expect(of(0)).toBe('$0.00 per 1,000 items');
    expect(of(null)).toBe('');
    expect(perThousand(trans, run({ kind: 'cell' }))).toBe('');
    expect(perThousand(trans, run({ done: 0 }))).toBe('');
  });

  it('give an estimate its range only where there is one', () => {
    expect(estimate(trans, examples.estimate())).toBe('$1.20–$2.40/h');
    expect(estimate(trans, examples.estimate({ at_most: 1.2 }))).toBe('$1.20/h');
    expect(estimate(trans, examples.estimate({ at_start: null }))).toBe('cost unknown');
  });

  it('write times for people', () => {
    expect(span(trans, 0.34)).toBe('0.3 s');
    expect(span(trans, 40)).toBe('40 s');
    expect(span(trans, 72)).toBe('1 min 12 s');
    expect(span(trans, 7500)).toBe('2 h 5 min');
    expect(span(trans, 3 * 86400)).toBe('3 d');
    expect(about(trans, 842)).toBe('14 min');
    expect(about(trans, 20)).toBe('less than a minute');
    expect(left(trans, 43)).toBe('40 s');
  });

  it('write moments on a clock of 24 hours, with the day where it isn’t today', () => {
    const moment = new Date(2026, 10, 21, 14, 5, 9).getTime() / 1000;
    expect(clock(moment, moment + 60)).toBe('14:05:09');
    expect(clock(moment, moment + 86400)).toBe('21 Nov 14:05:09');
    expect(tick(moment, 300)).toBe('14:05');
    expect(tick(moment, 5)).toBe('14:05:09');
    expect(tick(new Date(2026, 10, 21).getTime() / 1000, 3600)).toBe('21 Nov');
    expect(day(trans, moment, moment + 60)).toBe('Today');
    expect(day(trans, moment, moment + 86400)).toBe('Yesterday');
    expect(day(trans, moment, moment + 2 * 86400)).toBe('21 Nov');
  });

  it('write sizes in the units that prices count', () => {
    expect(size(1.6e9)).toBe('1.6 GB');
    expect(size(999_600)).toBe('1 MB');
    expect(size(0)).toBe('0 B');
  });

  it('count workers as they are', () => {
    expect(workers(trans, counts({ idle: 2, busy: 4 }), 8)).toBe('6 of 8 workers, 4 busy');
    expect(workers(trans, counts({ idle: 2, pending: 38 }), 40)).toBe(
      '2 of 40 workers, 38 pending'
    );
    expect(workers(trans, counts({ busy: 1, lost: 2 }), 1)).toBe('1 worker, 1 busy, 2 lost');
  });

  it('say when a cluster stops', () => {
    const stop = { at: NOW + 842, cause: 'idle' } as const;
    expect(willStop(trans, stop, NOW)).toBe('stops in 14 min unless used');
  });

  it('sum up a run', () => {
    expect(summary(trans, run(), NOW)).toBe('61 % · 40 s left');
    expect(summary(trans, run({ total: null, left: null }), NOW)).toBe('61 items · 1 min');
    const done = run({ phase: 'done', ended: NOW + 12 });
    expect(summary(trans, done, NOW)).toBe('1 min 12 s');
    const errors = [{ index: 4112, item: 'x', error: 'ValueError: no', traceback: '' }];
    expect(summary(trans, run({ phase: 'failed', errors }), NOW)).toBe(
      'item 4,112: ValueError: no'
    );
    const traceback = 'Traceback:\n  line\nKeyError: 3\n';
    expect(summary(trans, run({ phase: 'failed', error: traceback }), NOW)).toBe('KeyError: 3');
  });

  it('sum up a gang, and what it has saved', () => {
    const gang = run({ kind: 'gang', total: 2, done: 0, left: null });
    expect(summary(trans, gang, NOW)).toBe('2 ranks · 1 min');
    const checkpoint = { step: 1200, time: NOW - 3, best: null, size: 10 };
    expect(summary(trans, { ...gang, checkpoint }, NOW)).toBe('2 ranks · step 1,200 saved · 1 min');
    const errors = [{ index: 1, item: 'rank 1', error: 'ValueError: no', traceback: '' }];
    expect(summary(trans, { ...gang, phase: 'failed', errors }, NOW)).toBe(
      'rank 1: ValueError: no'
    );
  });

  it('sum up all clusters for the status bar', () => {
    const clusters = new Map([
      ['a', cluster()],
      ['b', cluster({ cost: cost({ per_hour: 1.11 }) })],
      ['c', cluster({ phase: 'ended' })]
    ]);
    expect(statusWords(trans, { ...NOTHING, clusters })).toBe('12 workers · $2.31/h');
    expect(statusWords(trans, NOTHING)).toBe('');
    const unpriced = cost({ amount: null, per_hour: null, unpriced: 2 });
    const some = new Map([...clusters, ['d', cluster({ cost: unpriced })]]);
    expect(statusWords(trans, { ...NOTHING, clusters: some })).toBe('18 workers · $2.31/h + ?');
  });

  it('show in the status bar the budget of which most is used', () => {
    const clusters = new Map([
      ['a', cluster({ budget: examples.budget() })],
      ['b', cluster({ budget: examples.budget({ spent: 12.5, step: 'half' }) })]
    ]);
    expect(statusWords(trans, { ...NOTHING, clusters })).toBe('$12.50 · $2.40/h · 62%');
    const warned = examples.budget({ spent: 12.5, assumed: 4, step: 'warn' });
    const one = new Map([['a', cluster({ budget: warned })]]);
    expect(statusWords(trans, { ...NOTHING, clusters: one })).toBe(
      '$12.50 + about $4.00 assumed · $1.20/h · budget 82%'
    );
  });

  it('offer about half of a budget more', () => {
    const limits = [0.001, 3, 5, 10, 20, 100, 1000];
    const sums = limits.map(limit => more(examples.budget({ limit, spent: 0 })));
    expect(sums).toEqual([0.0005, 1, 2, 5, 10, 50, 500]);
    const short = examples.budget({ limit: 20, spent: 4, projected: 31 });
    expect(more(short)).toBe(20); // for the maps that run now
  });

  it('tell what a map will cost, and where a budget would end it', () => {
    const known = {
      amount: 31,
      low: 28,
      high: 35,
      currency: 'USD',
      budget: 20,
      stops_at: 0.644,
      own: false
    };
    expect(projection(trans, run({ projection: known }))).toBe(
      'this map will cost about $31.00 ($28.00–$35.00); the budget is $20.00: it would stop at 64%'
    );
    const fits = { ...known, stops_at: null };
    expect(projection(trans, run({ projection: fits }))).toBe(
      'this map will cost about $31.00 ($28.00–$35.00)'
    );
    const little = { ...fits, amount: 0.0031, low: 0.0028, high: 0.0035 };
    expect(projection(trans, run({ projection: little }))).toBe(
      'this map will cost about $0.0031 ($0.0028–$0.0035)'
    );
    expect(projection(trans, run({ projection: { ...known, own: true } }))).toContain(
      'its own budget is $20.00: it would stop'
    );
    const unknown = { ...known, amount: null, low: null, high: null };
    expect(projection(trans, run({ kind: 'sweep', projection: unknown }))).toBe(
      'the budget is $20.00: this sweep would stop at 64%'
    );
    expect(projection(trans, run())).toBe('');
  });

  it('say what stopping would lose', () => {
    const busy = cluster({ memory_used: 4.8e9 });
    const runs = new Map([['aaaaaaaaaaaa', run()]]);
    expect(lossesOf(trans, busy, { ...NOTHING, runs })).toEqual([
      'the run “clean flights”: 61 of 100 done',
      'about 3.0 GB of data in its workers’ memory'
    ]);
    expect(lossesOf(trans, cluster(), NOTHING)).toEqual([]);
  });

  it('announce what became of things, not what they were before', () => {
    const before = { ...NOTHING, loaded: true, clusters: new Map([['flights', cluster()]]) };
    const problem = { what: 'No node is free', why: '', todo: '' };
    const after = {
      ...before,
      clusters: new Map([['flights', cluster({ problem })]]),
      runs: new Map([['aaaaaaaaaaaa', run({ phase: 'done' })]])
    };
    expect(announce(trans, before, after)).toEqual([
      'Cluster flights: No node is free',
      'Run clean flights: done'
    ]);
    expect(announce(trans, after, after)).toEqual([]);
    expect(announce(trans, NOTHING, after)).toEqual([]);
  });
});

describe('spelled', () => {
  it('is a name that means one cluster only', () => {
    const ids = [
      'a.local~1',
      'b.local~1',
      'b.ml.kubernetes~2',
      'c.ml.kubernetes~3',
      'c.ml.kubernetes~4'
    ];
    const clusters = new Map(ids.map(id => [id, cluster({ id })]));
    expect(ids.map(id => spelled(clusters, id))).toEqual([
      'a',
      'b.local',
      'b.ml.kubernetes',
      'c.ml.kubernetes~3',
      'c.ml.kubernetes~4'
    ]);
    expect(ids.map(nameOf)).toEqual(['a', 'b', 'b', 'c', 'c']);
  });
});
