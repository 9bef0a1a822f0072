import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { MlopsError } from '../src/request';
import { Panel } from '../src/sidebar/panel';

import { NOW, cluster, counts, cost, estimate, group, idOf, run, view } from './examples';
import { panel, standStill } from './shown';
import { Stage, find } from './stage';

standStill();

describe('Panel', () => {
  it('says what to do when it is empty', async () => {
    await panel({});
    expect(find('empty').textContent).toMatch(/No cluster yet: start one/);
    expect(find('new', find('empty')).textContent).toBe('Start a cluster ▾');
  });

  it('claims nothing before it knows anything', () => {
    new Stage().show(<Panel />);
    expect(document.querySelector('[data-mlops="empty"]')).toBeNull();
    expect((find('new') as HTMLButtonElement).disabled).toBe(true);
  });

  it('shows a cluster with its workers, money and end', async () => {
    const stop = { at: NOW + 842, cause: 'idle' } as const;
    await panel({ clusters: [cluster({ stop })] });
    const card = find('cluster');
    expect(card.dataset).toMatchObject({ name: 'flights', phase: 'running' });
    expect(find('workers', card).textContent).toBe('6 of 8 workers, 4 busy');
    expect(find('cost', card).textContent).toBe('$0.42$1.20/h');
    expect(find('cost', card).title).toMatch(/your settings/);
    expect(find('will-stop', card).textContent).toBe('stops in 14 min unless used');
    expect(find('bar', card).children).toHaveLength(8);
  });

  it('has no chart of nothing', async () => {
    const none = { wanted: 0, pending: 0, running: 0, busy: 0, cpu: 0, memory: 0, amount: null };
    const samples = [NOW - 9, NOW - 4].map(time => ({ ...none, time }));
    const stage = await panel({ clusters: [cluster({ timeline: samples })] });
    expect(document.querySelector('[data-mlops="chart"]')).toBeNull();
    const value = cluster({ timeline: [...samples, { ...none, time: NOW, running: 1 }] });
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: idOf(), value }));
    expect(find('chart')).toBeTruthy();
  });

  it('is as small at 1,000 workers as at 4', async () => {
    const many = { wanted: 1000, maximum: 1000 };
    await panel({
      clusters: [cluster({ groups: [group(many)], counts: counts({ busy: 700, idle: 300 }) })]
    });
    expect(find('bar').children).toHaveLength(2);
  });

  it('writes unknown money as unknown', async () => {
    const unknown = cost({ amount: null, per_hour: null });
    const stage = await panel({ clusters: [cluster({ cost: unknown })] });
    expect(find('cost').textContent).toBe('cost unknown');
    await stage.after(() => find('set-rates').click());
    expect(stage.executed).toEqual([[CommandIDs.openSettings, {}]]);
  });

  it('lets somebody say what a cluster without a price costs, and what list prices become', async () => {
    const unknown = cost({ amount: null, per_hour: null });
    const reference = { per_hour: 0.17, currency: 'USD', source: 'OpenCost' };
    const stage = await panel({
      clusters: [cluster({ cost: unknown, reference, cpus: 4 })],
      profiles: [view({ estimate: estimate({ at_start: null, reference }) })]
    });
    const write = (handle: string, value: string): boolean =>
      fireEvent.change(find(handle), { target: { value } });
    await stage.after(() => find('costs-me').click(), 500);
    write('price-amount', '0.5');
    write('price-per', '4');
    write('price-currency', 'eur');
    write('price-gpu', '2');
    write('price-exchange', 'much');
    stage.api.refusal = new MlopsError('InvalidSpec', 'These settings aren’t valid', 'a number');
    await stage.after(() => fireEvent.submit(find('price-form')), 500);
    expect(find('problem').textContent).toMatch(/These settings aren’t valid/);
    expect((find('price-exchange') as HTMLInputElement).value).toBe('much');

    stage.api.refusal = null;
    write('price-exchange', '0.92');
    write('price-discount', '18');
    await stage.after(() => fireEvent.submit(find('price-form')), 500);
    expect(stage.api.kept.price).toMatchObject({
      cpu_hour: 0.125,
      gpu_hour: 2,
      currency: 'EUR',
      source: 'your settings'
    });
    expect(stage.api.kept.adjust).toEqual({
      exchange: { rate: '0.92', currency: 'EUR' },
      discount: { percent: '18' }
    });
    expect(document.querySelector('[data-mlops=price-form]')).toBeNull();
    expect(document.activeElement).toBe(find('costs-me'));

    await stage.after(() => find('costs-me').click(), 500);
    write('price-currency', 'usd');
    expect(document.querySelector('[data-mlops=price-exchange]')).toBeNull();
    await stage.after(() => fireEvent.submit(find('price-form')), 500);
    expect(stage.api.kept.price.currency).toBe('USD');
    expect(stage.api.kept.adjust.exchange).toEqual({ rate: '0.92', currency: 'EUR' });
  });

  it('asks before it counts all machines as free', async () => {
    const reference = { per_hour: 0.17, currency: 'USD', source: 'OpenCost' };
    const stage = await panel({
      clusters: [cluster({ reference })],
      profiles: [view({ estimate: estimate({ at_start: null, reference }) })]
    });
    const answer = async (which: string): Promise<void> => {
      await stage.after(() => find('free-for-me').click(), 500);
      expect(find('free-dialog').textContent).toMatch(/this machine and all Kubernetes clusters/);
      const button = document.querySelector<HTMLElement>(`.jp-Dialog-footer .jp-mod-${which}`);
      await stage.after(() => button!.click(), 500);
    };
    await answer('reject');
    expect(stage.api.asked).toEqual([]);
    await answer('accept');
    expect(stage.api.kept.price).toMatchObject({ cpu_hour: 0, gb_hour: 0, gpu_hour: 0 });
  });

  it('says what is wrong, why, and what to do', async () => {
    const problem = { what: 'No node has 4 CPUs free', why: '3 nodes are coming', todo: 'Wait.' };
    await panel({ clusters: [cluster({ groups: [group({ problem })] })] });
    expect(find('problem').textContent).toBe('No node has 4 CPUs free3 nodes are comingWait.');
  });

  it('says what is wrong with each group, and once what is wrong with several', async () => {
    const full = { what: 'No node has 4 CPUs free', why: '', todo: '' };
    const image = { what: 'There is no image team:1', why: '', todo: '' };
    const groups = [full, null, image, full].map((problem, index) =>
      group({ name: `group-${index}`, problem })
    );
    await panel({ clusters: [cluster({ problem: full, groups })] });
    const told = [...document.querySelectorAll('[data-mlops=problem]')];
    expect(told.map(element => element.textContent)).toEqual([full.what, image.what]);
  });

  it('shows a cluster whose record can’t be read as a card that says so, and claims no more', async () => {
    const problem = { what: 'Its spec.json can’t be read', why: 'line 1', todo: 'Mend it.' };
    const stage = await panel({
      clusters: [
        cluster({
          name: 'odd',
          phase: 'unreachable',
          groups: [],
          counts: counts(),
          cost: cost({ amount: null }),
          problem,
          commands: []
        }),
        cluster()
      ]
    });
    const [first, second] = document.querySelectorAll<HTMLElement>('[data-mlops="cluster"]');
    const [odd, sound] = first.dataset.name === 'odd' ? [first, second] : [second, first];
    expect(sound.textContent).toContain('6 of 8 workers');
    expect(find('problem', odd).textContent).toBe('Its spec.json can’t be readline 1Mend it.');
    expect(odd.getAttribute('aria-label')).toBe('Cluster odd, doesn’t answer');
    for (const claim of ['cost', 'bar', 'workers', 'will-stop']) {
      expect(odd.querySelector(`[data-mlops="${claim}"]`)).toBeNull();
    }
    expect((find('stop', odd) as HTMLButtonElement).disabled).toBe(true);
    await stage.after(() => find('details', odd).click());
  });

  it('says of a place that doesn’t answer what was there, once, and when it is back', async () => {
    const problem = { what: 'Kubernetes doesn’t answer', why: 'timed out', todo: 'Check the VPN.' };
    const silent = { place: 'kubernetes', problem, seen: NOW - 40, clusters: 2 };
    const lost = { place: 'kubernetes', phase: 'unreachable', problem } as const;
    const stage = await panel({
      clusters: [cluster({ name: 'one', ...lost }), cluster({ name: 'two', ...lost })],
      silent: [silent]
    });
    const line = find('silent-place');
    expect(find('silent-place').querySelector('summary')!.textContent).toBe(
      'Kubernetes doesn’t answer: 2 clusters seen 40 s ago'
    );
    expect(line.textContent).toContain('Check the VPN.');
    expect(document.querySelectorAll('[data-mlops="problem"]')).toHaveLength(0);
    expect(find('workers').textContent).toMatch(/^doesn’t answer: /);
    await stage.after(() => stage.stream.change(2, { noun: 'silent', id: '', value: [] }));
    expect(document.querySelector('[data-mlops="silent-place"]')).toBeNull();
    expect(find('announcer').textContent).toBe('Kubernetes answers again');
  });

  it('claims no emptiness while a place doesn’t answer', async () => {
    const problem = { what: 'Kubernetes doesn’t answer', why: '', todo: '' };
    await panel({ silent: [{ place: 'kubernetes', problem, seen: null, clusters: 0 }] });
    expect(document.querySelector('[data-mlops="empty"]')).toBeNull();
    expect(find('silent-place').textContent).toBe(
      'Kubernetes doesn’t answer, and what is there is not known'
    );
  });

  it('shows what only a newer server knows as it is', async () => {
    const newer = { phase: 'hibernating', place: 'slurm', stop: { at: NOW + 9, cause: 'quota' } };
    await panel({
      clusters: [
        cluster(newer as never),
        cluster({ name: 'old', phase: 'ended', cause: 'quota' as never })
      ],
      runs: [run({ phase: 'queued' as never, ended: NOW })]
    });
    const card = find('cluster');
    expect(card.textContent).toContain('slurm');
    expect(find('workers', card).textContent).toMatch(/^hibernating: /);
    expect(find('run-info').textContent).toMatch(/^queued/);
  });

  it('folds ended clusters away, with why and what they cost', async () => {
    const over = cluster({ name: 'old', phase: 'ended', cause: 'idle', ended: NOW - 5 });
    const stage = await panel({ clusters: [over] });
    const ended = find('ended') as HTMLDetailsElement;
    expect(ended.textContent).toBe('Ended (1)');
    expect(find('empty').textContent).toMatch(/^No cluster is running\./);
    await stage.after(() => {
      ended.open = true;
      fireEvent(ended, new Event('toggle'));
    });
    expect(find('cause').textContent).toBe('stopped: nobody used it');
    expect(find('ended-cluster').textContent).toContain('$0.42');
    await stage.after(() => find('forget').click());
    expect(stage.api.asked).toContainEqual(['forget', idOf('old')]);
  });

  it('is honest when the server is gone', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const connection = { phase: 'gone', since: NOW, retry: NOW + 5, problem: null } as const;
    await stage.after(() => stage.stream.connection.emit(connection));
    expect(find('gone').textContent).toMatch(/doesn’t answerWhat is shown is how it was at .*\d/);
    find('retry').click();
    expect(stage.stream.retries).toBe(1);
  });

  it('shows a refused start as a card that can be put away', async () => {
    const stage = await panel({});
    stage.api.refusal = new MlopsError('StartFailed', 'It can’t start', 'the port is taken');
    await stage.after(() => void stage.store.startCluster({ profile: 'this-machine' }));
    expect(find('cluster').textContent).toContain('It can’t start');
    await stage.after(() => find('dismiss').click());
    expect(document.querySelector('[data-mlops="cluster"]')).toBeNull();
  });

  it('lists the profiles with their estimates, and starts one with a click', async () => {
    const asked = { at_start: null, asked: NOW, source: 'no node takes it' };
    const profiles = [view(), view({ estimate: estimate(asked) })];
    const stage = await panel({
      profiles: [...profiles, view({ estimate: estimate({ asked: NOW }) })]
    });
    await stage.after(() => find('new').click());
    const [item, unknown, about] = document.querySelectorAll('.lm-Menu-item');
    expect(unknown.textContent).toMatch(/unused · no node takes itcost unknown$/);
    expect(about.textContent).toMatch(/about \$1.20–\$2.40\/h$/);
    expect(about.querySelector('[title]')!.getAttribute('title')).toMatch(/^Price: .*\nAbout: /);
    expect(item.textContent).toBe(
      'This machine8 workers, each 1 CPU and 2.1 GB · stops after 20 min unused$1.20–$2.40/h'
    );
    // The first profile is the active item already.
    await stage.after(() => fireEvent.keyDown(item, { keyCode: 13 }));
    expect(stage.api.asked).toContainEqual(['start', { profile: 'this-machine' }]);
    expect(find('cluster').dataset.phase).toBe('starting');
  });

  it('announces what became of a cluster', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const value = cluster({ phase: 'ended', cause: 'budget' });
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: idOf(), value }));
    expect(find('announcer').textContent).toBe('Cluster flights: stopped: its budget was used up');
  });
});
