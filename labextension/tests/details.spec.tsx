import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { Shown } from '../src/details/part';
import { sort } from '../src/details/table';
import { join } from '../src/details/timeline';
import { Details } from '../src/details/view';
import { NOW, cluster, cost, group, idOf, snapshot, usage, worker } from './examples';
import { Stage, find } from './stage';

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

async function details(part: Partial<ReturnType<typeof cluster>> = {}): Promise<[Stage, Shown]> {
  const stage = new Stage();
  const shown = new Shown('workers');
  stage.show(<Details cluster={idOf()} shown={shown} />);
  await stage.after(() => stage.stream.say(snapshot({ clusters: [cluster(part)] })));
  return [stage, shown];
}

const rows = (): string[] =>
  [...document.querySelectorAll<HTMLElement>('[data-mlops="table-row"]')].map(
    row => row.dataset.name!
  );

describe('Details', () => {
  it('follow the cluster', async () => {
    const [stage] = await details();
    expect(stage.stream.hellos[1].follow_clusters).toEqual([idOf()]);
  });

  it('say when there is no such cluster', async () => {
    const stage = new Stage();
    stage.show(<Details cluster={idOf()} shown={new Shown('workers')} />);
    await stage.after(() => stage.stream.say(snapshot()));
    expect(document.body.textContent).toBe('There is no cluster named flights any more.');
  });

  it('draw only the workers in sight, sorted as asked', async () => {
    const [stage] = await details();
    const value = Array.from({ length: 1000 }, (_, index) =>
      worker({ name: `default-${index + 1}`, cpu: index / 1000 })
    );
    await stage.after(() =>
      stage.stream.change(2, { noun: 'workers', id: idOf(), value, gone: [], whole: true })
    );
    expect(rows().length).toBeLessThan(60);
    expect(rows().slice(0, 3)).toEqual(['default-1', 'default-2', 'default-3']);
    await stage.after(() => find('sort-cpu').click());
    await stage.after(() => find('sort-cpu').click());
    expect(rows()[0]).toBe('default-1000');
    const column = find('sort-cpu').parentElement!;
    expect(column.getAttribute('aria-sort')).toBe('descending');
  });

  it('show the log of a worker that is gone', async () => {
    const [stage, shown] = await details();
    const event = {
      seq: 1,
      time: NOW,
      kind: 'worker',
      text: 'lost',
      run: null,
      problem: null
    } as const;
    const value = [{ ...event, worker: 'default-9' }];
    stage.api.lines = ['killed by signal 9'];
    await stage.after(() =>
      stage.stream.change(2, { noun: 'events', id: idOf(), value, whole: true })
    );
    await stage.after(() => shown.show('logs'));
    const picker = find('log-of') as HTMLSelectElement;
    expect([...picker.options].map(option => option.value)).toEqual(['', 'default-9']);
    await stage.after(() => fireEvent.change(picker, { target: { value: 'default-9' } }));
    expect(stage.api.asked).toContainEqual(['logs', idOf(), 'default-9', 1000]);
    expect(find('log').textContent).toBe('killed by signal 9');
  });

  it('have tabs that arrows move between', async () => {
    const [stage] = await details();
    await stage.after(() => fireEvent.keyDown(find('tab-workers'), { key: 'ArrowLeft' }));
    expect(find('tab-cost').getAttribute('aria-selected')).toBe('true');
    expect(find('tab-workers').tabIndex).toBe(-1);
    expect(find('receipt-sheet').textContent).toContain('$0.42');
    expect(document.querySelector('[data-mlops="spend"]')).toBeNull();
    const none = { moving: 0, spilling: 0, booting: 0, leaving: 0, overhead: 0 };
    const value = cluster({
      spend: {
        hours: { ...none, computing: 3, waiting: 0.99, idle: 0.01 },
        amount: { ...none, computing: 0.3, waiting: 0.119, idle: 0.001 },
        currency: 'USD'
      }
    });
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: idOf(), value }));
    const rows = [...find('spend').querySelectorAll('tbody tr')];
    expect(rows.map(row => [...row.children].map(cell => cell.textContent))).toEqual([
      ['computing', '71%', '3.0', '$0.30'],
      ['waiting', '28%', '0.99', '$0.12'],
      ['idle', '< 1%', '0.01', '< $0.01']
    ]);
    expect(rows[0].getAttribute('title')).toMatch(/Measured: the CPU time/);
  });

  it('count CPU-hours where nobody named a price, and lead to the rates', async () => {
    const [stage, shown] = await details({ cost: cost({ amount: null, per_hour: null }) });
    expect(find('summary').textContent).toContain('cost unknown');
    await stage.after(() => shown.show('cost'));
    expect(find('receipt-sheet').textContent).toMatch(
      /^1.0 CPU-hours, cost unknownSet your rates…/
    );
    await stage.after(() => find('set-rates').click());
    expect(stage.executed).toEqual([[CommandIDs.openSettings, {}]]);
  });
});

describe('the part Cost', () => {
  const partly = cost({
    amount: 3.1,
    usage: usage({ worker_hours: 8, cpu_hours: 30 }),
    unknown: usage({ worker_hours: 3, cpu_hours: 12 }),
    dedicated: { amount: 9.2, per_hour: 0.58, host_hours: 50, unknown_hours: 2 }
  });

  it('says what is known, what is not, and what whole nodes cost', async () => {
    const [stage, shown] = await details({ cost: partly });
    expect(find('summary').textContent).toContain('$3.10 + ?');
    await stage.after(() => shown.show('cost'));
    expect(find('cost-sum').textContent).toBe('$3.10 + 12.0 CPU-hours unknownso far, now $1.20/h');
    expect(find('whole-nodes').textContent).toBe(
      'Whole nodes$9.20, 2.0 of 50.0 node-hours unknown; now $0.58/h'
    );
  });

  it('adds up groups while the cluster lives', async () => {
    const groups = [group({ name: 'cheap' }), group({ name: 'gpu', cost: partly })];
    const [stage, shown] = await details({ groups });
    await stage.after(() => shown.show('cost'));
    const lines = [...document.querySelectorAll('tbody tr')].map(line => line.textContent);
    expect(lines).toEqual(['cheap1.01.02.0$0.42', 'gpu8.030.00.00$3.10+ 12.0 CPU-hours unknown']);
  });

  it('adds up the clusters of each owner', async () => {
    const [stage, shown] = await details();
    const value = [
      cluster({ name: 'two', cost: partly, phase: 'ended' }),
      cluster({ name: 'three', owner: 'bob', cost: cost({ amount: null, currency: 'EUR' }) })
    ];
    await stage.after(() =>
      stage.stream.say(snapshot({ seq: 5, clusters: [cluster(), ...value] }))
    );
    await stage.after(() => shown.show('cost'));
    const lines = [...find('owners').querySelectorAll('tbody tr')].map(line => line.textContent);
    expect(lines).toEqual([
      'ada, 2 clusters9.031.02.0$3.52+ 12.0 CPU-hours unknown',
      'bob, 1 cluster1.01.02.0unknown'
    ]);
  });
});

describe('sort', () => {
  it('orders names by their numbers, and equals by name', () => {
    const column = {
      id: 'c',
      label: '',
      width: '',
      show: () => '',
      by: (row: string) => row.length
    };
    const name = (row: string): string => row;
    expect(sort(['b-10', 'b-9', 'a-9'], column, false, name)).toEqual(['a-9', 'b-9', 'b-10']);
    expect(sort(['b-10', 'b-9', 'a-9'], column, true, name)).toEqual(['b-10', 'a-9', 'b-9']);
  });
});

describe('join', () => {
  it('adds what came after the history, once', () => {
    const sample = (time: number) => ({ time }) as never;
    const times = join([sample(1), sample(2)], [sample(2), sample(3)]).map(({ time }) => time);
    expect(times).toEqual([1, 2, 3]);
  });
});
