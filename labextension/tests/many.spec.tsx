import { fireEvent } from '@testing-library/react';

import { CommandIDs } from '../src/commands';
import { plotsOf } from '../src/dashboard/plots';
import { fileOf, outputOf } from '../src/run/output';
import { accounts } from '../src/state/accounts';
import { orderClusters, orderRuns } from '../src/state/order';
import { RunState } from '../src/state/schema';
import { isQuiet } from '../src/state/state';
import { NOW, cluster, cost, counts, entry, run } from './examples';
import { panel, standStill } from './shown';
import { find, trans } from './stage';

standStill();
beforeEach(() => window.localStorage.clear());

const all = (handle: string): HTMLElement[] => [
  ...document.querySelectorAll<HTMLElement>(`[data-mlops="${handle}"]`)
];
const names = (handle: string): string[] => all(handle).map(element => element.dataset.name!);
const id = (index: number): string => index.toString(16).padStart(12, '0');
const idle = { counts: counts({ idle: 8 }), idle_since: NOW - 90 };

function runs(count: number): RunState[] {
  return Array.from({ length: count }, (_, index) =>
    run({
      id: id(index),
      name: `run ${index}`,
      phase: index % 10 === 3 ? 'failed' : 'done',
      error: index % 10 === 3 ? 'KeyError: 3' : '',
      created: NOW - 3600 * index,
      ended: NOW - 3600 * index + index
    })
  );
}

describe('many clusters', () => {
  const quiet = (name: string) => cluster({ name, id: `${name}.local~1`, ...idle });

  it('have a line each where nothing is to be told of them, which a click opens', async () => {
    const stage = await panel({
      clusters: [quiet('one'), quiet('two'), cluster({ name: 'busy' })]
    });
    expect(all('bar')).toHaveLength(1);
    const [one] = all('cluster').filter(card => card.dataset.name === 'one');
    expect(one.textContent).toContain('8 workers');
    await stage.after(() => find('fold', one).click());
    expect(find('bar', one)).toBeTruthy();
    await stage.after(() => find('fold', one).click());
    expect(one.querySelector('[data-mlops="bar"]')).toBeNull();
  });

  it('are whole cards while there are few', async () => {
    await panel({ clusters: [quiet('one'), quiet('two')] });
    expect(all('bar')).toHaveLength(2);
    expect(all('fold')).toHaveLength(0);
  });

  it('are told of when something is wrong, folded or not', async () => {
    const stage = await panel({ clusters: [quiet('one'), quiet('two'), quiet('three')] });
    expect(all('bar')).toHaveLength(0);
    const problem = { what: 'No node is free', why: '', todo: '' };
    const value = { ...quiet('two'), problem };
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: 'two', value }));
    expect(find('problem').textContent).toBe('No node is free');
    expect(all('bar')).toHaveLength(1);
  });

  it('are quiet only when they do nothing for a while, and don’t end in a moment', () => {
    expect(isQuiet(quiet('one'), NOW)).toBe(true);
    const other = [
      { idle_since: NOW - 5 },
      { idle_since: null },
      { counts: counts({ idle: 7, pending: 1 }) },
      { counts: counts({ idle: 7, busy: 1 }) },
      { counts: counts({ idle: 7, lost: 1 }) },
      { phase: 'unreachable' as const },
      { stop: { at: NOW + 30, cause: 'idle' as const } }
    ];
    for (const part of other) {
      expect(isQuiet(cluster({ ...idle, ...part }), NOW)).toBe(false);
    }
  });

  it('stand in the order that one chose, also after a reload', async () => {
    const some = ['b', 'c', 'a'].map((name, index) => cluster({ name, created: NOW - index }));
    const stage = await panel({ clusters: some });
    expect(names('cluster')).toEqual(['b', 'c', 'a']);
    const order = find('order-clusters');
    await stage.after(() => fireEvent.change(order, { target: { value: 'name' } }));
    expect(names('cluster')).toEqual(['a', 'b', 'c']);
    document.body.innerHTML = '';
    await panel({ clusters: some });
    expect(names('cluster')).toEqual(['a', 'b', 'c']);
  });
});

describe('many runs', () => {
  it('are all there, by the day, and are found by words', async () => {
    const stage = await panel({ runs: runs(60) });
    expect(all('run')).toHaveLength(60);
    expect([...document.querySelectorAll('h4')].map(head => head.textContent)).toEqual(
      expect.arrayContaining(['Today', 'Yesterday'])
    );
    await stage.after(() =>
      fireEvent.change(find('filter'), { target: { value: 'FLIGHTS keyerror' } })
    );
    expect(all('run')).toHaveLength(6);
    expect(find('count', find('runs')).textContent).toBe('6 of 60');
    await stage.after(() => fireEvent.keyDown(find('filter'), { key: 'Escape' }));
    expect(all('run')).toHaveLength(60);
  });

  it('leave no filter behind that nobody sees', async () => {
    await panel({ runs: runs(8) });
    expect(all('filter')).toHaveLength(0);
  });

  it('fold away with their heading', async () => {
    const stage = await panel({ runs: runs(2) });
    await stage.after(() => find('fold-runs').click());
    expect(all('run')).toHaveLength(0);
    expect(find('fold-runs').getAttribute('aria-expanded')).toBe('false');
  });

  it('can be fetched from the history, and removed', async () => {
    const stage = await panel({ runs: runs(200) });
    stage.api.history = [...runs(200), run({ id: 'f'.repeat(12), name: 'old', phase: 'done' })];
    await stage.after(() => find('older-runs').click());
    expect(names('run')).toContain('old');
    expect(all('older-runs')).toHaveLength(0);
    await stage.after(() => fireEvent.change(find('filter'), { target: { value: 'old' } }));
    await stage.after(() => find('forget-runs').click());
    expect(find('forget-dialog').textContent).toMatch(/What is recorded in MLflow stays there/);
    const remove = document.querySelector<HTMLElement>('.jp-Dialog-footer .jp-mod-accept')!;
    await stage.after(() => remove.click());
    expect(stage.api.asked).toContainEqual(['forgetRun', 'f'.repeat(12)]);
    expect(names('run')).not.toContain('old');
  });

  it('keep a run that lives out of what is removed', async () => {
    const stage = await panel({ runs: [run()] });
    await stage.after(() => find('run-open').click());
    expect(all('forget-run')).toHaveLength(0);
    await stage.after(
      () => void stage.commands.execute(CommandIDs.forgetRun, { runs: ['aaaaaaaaaaaa'] })
    );
    expect(all('forget-dialog')).toHaveLength(0);
  });
});

describe('the orders', () => {
  it('put what is unknown last, and runs that live first', () => {
    const clusters = [
      cluster({ name: 'unknown', cost: cost({ per_hour: null }) }),
      cluster({ name: 'dear', cost: cost({ per_hour: 9 }) }),
      cluster({ name: 'idle', counts: counts() })
    ];
    expect(orderClusters(clusters, 'cost').map(({ name }) => name)).toEqual([
      'dear',
      'idle',
      'unknown'
    ]);
    expect(
      orderClusters(clusters, 'busy')
        .map(({ name }) => name)
        .pop()
    ).toBe('idle');
    const all = [
      run({ id: id(1), phase: 'done', ended: NOW }),
      run({ id: id(2) }),
      run({ id: id(3), phase: 'done', created: NOW - 900, ended: NOW })
    ];
    expect(orderRuns(all, 'longest', NOW).map(run => run.id)).toEqual([id(2), id(3), id(1)]);
  });
});

describe('a run’s output', () => {
  it('has what it was, printed and raised', () => {
    const errors = [{ index: 4, item: 'a.csv', error: 'KeyError: 3', traceback: 'Traceback …' }];
    const done = run({ phase: 'failed', ended: NOW, errors, code: 'print(1)', failed: 1 });
    const text = outputOf(trans, done, [entry(1, 'one\n'), entry(2, 'two')], [], NOW);
    expect(text).toMatch(/^clean flights\nfailed · on flights · \d{4}-.* · 1 min · 61 \/ 100/);
    expect(text).toContain('── Output ──\none\ntwo\n');
    expect(text).toContain('── Code ──\nprint(1)');
    expect(text).toContain('item 4 a.csv: KeyError: 3\nTraceback …');
    expect(text).not.toContain('get_run');
    const kept = outputOf(trans, run({ phase: 'done', detached: true }), [], [], NOW);
    expect(kept).toContain("mlops.get_run('aaaaaaaaaaaa').result()");
  });

  it('is in a file whose name is one', () => {
    expect(fileOf(run({ name: 'flights [12]: ../x' }))).toBe('flights-12-x-aaaaaaaaaaaa.txt');
    expect(fileOf(run({ name: '…' }))).toBe('aaaaaaaaaaaa.txt');
  });
});

describe('what owners pay', () => {
  it('says how many of their clusters have no price', () => {
    const [ada] = accounts([cluster(), cluster({ cost: cost({ amount: null }) })]);
    expect(ada).toMatchObject({ owner: 'ada', clusters: 2, unpriced: 1 });
    expect(ada.cost.amount).toBe(0.42);
    expect(ada.cost.unknown.cpu_hours).toBe(1);
  });
});

describe('the plots of a dashboard', () => {
  it('are those that Dask lists, the usual ones first', () => {
    const listed = {
      'Individual CPU': '/individual-cpu',
      'Individual Workers Memory': '/individual-workers-memory',
      'Individual Task Stream': '/individual-task-stream'
    };
    expect(plotsOf(listed)).toEqual([
      { page: 'individual-task-stream', title: 'Task Stream' },
      { page: 'individual-workers-memory', title: 'Workers Memory' },
      { page: 'individual-cpu', title: 'CPU' }
    ]);
  });
});
