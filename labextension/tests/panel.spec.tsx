import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { MlopsError } from '../src/request';
import { Panel } from '../src/sidebar/panel';
import { moment } from '../src/words/time';
import {
  budget,
  NOW,
  cluster,
  counts,
  cost,
  entry,
  estimate,
  group,
  idOf,
  operation,
  run,
  snapshot,
  view,
  waste
} from './examples';
import { Stage, find } from './stage';

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

async function panel(part: Parameters<typeof snapshot>[0]): Promise<Stage> {
  const stage = new Stage();
  stage.show(<Panel />);
  await stage.after(() => stage.stream.say(snapshot(part)));
  return stage;
}

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

describe('Budget', () => {
  it('is one bar with what it means, and is raised by a click', async () => {
    const used = budget({ spent: 14, assumed: 3, step: 'warn', projected: 2 });
    const stage = await panel({ clusters: [cluster({ budget: used })] });
    const part = find('budget');
    expect(part.textContent).toContain('$14.00 + about $3.00 assumed of $20.00');
    expect(find('budget-lasts').textContent).toMatch(/^lasts until /);
    expect(find('budget-step').textContent).toMatch(/^85% of the budget is used/);
    const widths = [...part.querySelectorAll<HTMLElement>('[data-kind]')].map(
      ({ dataset, style }) => `${dataset.kind} ${style.width}`
    );
    expect(widths).toEqual(['spent 70%', 'assumed 15%', 'projected 10%']);
    await stage.after(() => find('more-money').click());
    await stage.after(() => find('more-time').click());
    expect(stage.api.asked).toEqual([
      ['limit', idOf(), { more_money: 10 }],
      ['limit', idOf(), { more_time: 3600 }]
    ]);
    stage.api.refusal = new MlopsError('ClusterEnded', 'It has ended');
    await stage.after(() => find('more-money').click());
    expect(document.body.textContent).toContain('It has ended');
  });

  it('says what the account of a cluster has, for all that it pays for', async () => {
    const account = {
      name: 'lab of ada',
      limit: 200,
      spent: 50,
      held: 20,
      left: 3,
      currency: 'USD',
      step: 'no growth' as const,
      until: NOW + 3600,
      sentence: ''
    };
    await panel({ clusters: [cluster({ account })] });
    const part = find('account');
    expect(part.textContent).toMatch(
      /lab of ada.*\$50\.00 spent, \$20\.00 held of \$200\.00 a month/
    );
    expect(find('account-step').textContent).toMatch(/can’t pay for more: no worker is added/);
    const widths = [...part.querySelectorAll('span[data-kind]')].map(
      bar => (bar as HTMLElement).style.width
    );
    expect(widths).toEqual(['25%', '10%']);
    expect(part.querySelector('[title]')?.getAttribute('title')).toMatch(/Free: \$130\.00/);
  });

  it('has no buttons before its half, nor where the controller is older', async () => {
    await panel({
      clusters: [
        cluster({ budget: budget() }),
        cluster({ name: 'old', budget: budget({ step: 'half' }), commands: ['scale', 'stop'] })
      ]
    });
    expect(document.querySelectorAll('[data-mlops="budget"]')).toHaveLength(2);
    expect(document.querySelector('[data-mlops="more-money"]')).toBeNull();
  });
});

describe('Waste', () => {
  it('says who does nothing and what that costs, and lets them go by a click', async () => {
    const idle = waste({ spare: 5 });
    const stuck = waste({ kind: 'stuck', workers: 1, amount: null, per_hour: null });
    const stage = await panel({ clusters: [cluster({ waste: [idle, stuck] })] });
    const lines = [...document.querySelectorAll('[data-mlops="waste"]')];
    expect(lines.map(line => line.textContent)).toEqual([
      '7 of 40 workers idle for 12 min: $0.84 so far, $4.20/hLet 5 go',
      '1 of 40 workers busy for 12 min without doing anything'
    ]);
    expect(lines[0].querySelector('span')!.title).toMatch(
      /small-1, small-2 and 5 more\nMeasured: /
    );
    await stage.after(() => find('let-go').click());
    expect(stage.api.asked).toEqual([['letGo', idOf(), 'default', 5]]);
  });

  it('has no button where the controller is older', async () => {
    await panel({ clusters: [cluster({ waste: [waste({ spare: 5 })], commands: ['scale'] })] });
    expect(document.querySelector('[data-mlops="let-go"]')).toBeNull();
  });
});

it('says why a spot group is on demand, and until when', async () => {
  const since = NOW - 600;
  const spot_break = { why: 'none came' as const, since, until: NOW + 1200 };
  const late = group({ name: 'late', spot_break: { why: 'due', since, until: null } });
  await panel({ clusters: [cluster({ groups: [group({ spot_break }), late] })] });
  const lines = [...document.querySelectorAll('[data-mlops="spot-break"]')];
  const [from, to] = [moment(since, NOW), moment(NOW + 1200, NOW)];
  expect(lines.map(line => line.textContent)).toEqual([
    `default: No spot machine since ${from}; on demand until ${to}`,
    `late: On demand since ${from}, so that a map isn’t late`
  ]);
});

it('says what a cluster without a price would cost in a cloud, and sums nothing of it up', async () => {
  const reference = { per_hour: 0.17, currency: 'USD', source: 'OpenCost' };
  const unknown = cost({ amount: null, per_hour: null });
  await panel({ clusters: [cluster({ cost: unknown, reference })] });
  expect(find('reference').textContent).toBe('about $0.17/h if it were a cloud machine');
  expect(find('cost').textContent).toBe('cost unknown');
});

describe('Scale', () => {
  it('sends five clicks as one request, and shows the number at once', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const wanted = find('wanted') as HTMLInputElement;
    for (let click = 0; click < 5; click++) {
      await stage.after(() => find('more').click(), 20);
    }
    expect(wanted.value).toBe('13');
    expect(stage.api.asked).toEqual([]);
    await stage.after(() => undefined, 600);
    expect(stage.api.asked).toEqual([['scale', idOf(), 'default', 13]]);
    expect(wanted.dataset.pending).toBeDefined();
    const value = cluster({ groups: [group({ wanted: 13 })] });
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: idOf(), value }));
    expect(wanted.value).toBe('13');
    expect(wanted.dataset.pending).toBeUndefined();
  });

  it.each([
    ['takes', 0],
    ['takes another number than', 1],
    ['keeps its number instead of', 8]
  ])('shows what the cluster wants as soon as it %s what was asked for', async (_, kept) => {
    const stage = await panel({ clusters: [cluster()] });
    const wanted = find('wanted') as HTMLInputElement;
    await stage.after(() => fireEvent.change(wanted, { target: { value: '0' } }), 20);
    await stage.after(() => fireEvent.blur(wanted), 20);
    await stage.after(() => undefined, 600);
    expect(stage.api.asked).toEqual([['scale', idOf(), 'default', 0]]);
    expect(wanted.value).toBe('0');
    const value = cluster({ groups: [group({ wanted: kept })] });
    const taken = operation({ progress: 0.5 });
    await stage.after(() =>
      stage.stream.change(
        2,
        { noun: 'cluster', id: idOf(), value },
        { noun: 'operation', id: taken.id, value: taken }
      )
    );
    expect(wanted.value).toBe(String(kept));
    expect(wanted.dataset.pending).toBeUndefined();
  });

  it('keeps a later number while an earlier one is answered, even if they are equal', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const wanted = find('wanted') as HTMLInputElement;
    await stage.after(() => find('more').click(), 20);
    await stage.after(() => undefined, 600);
    await stage.after(() => find('more').click(), 20);
    await stage.after(() => find('fewer').click(), 20);
    const taken = operation({ progress: 0.5 });
    await stage.after(
      () => stage.stream.change(2, { noun: 'operation', id: taken.id, value: taken }),
      200
    );
    expect(wanted.value).toBe('9');
    await stage.after(() => undefined, 600);
    expect(stage.api.asked).toHaveLength(2);
  });

  it('stays within the group’s bounds', async () => {
    const stage = await panel({ clusters: [cluster({ groups: [group({ wanted: 16 })] })] });
    expect((find('more') as HTMLButtonElement).disabled).toBe(true);
    const wanted = find('wanted') as HTMLInputElement;
    await stage.after(() => fireEvent.change(wanted, { target: { value: '99' } }));
    await stage.after(() => fireEvent.blur(wanted));
    expect(wanted.value).toBe('16');
  });

  it('goes back, and says why, when it is refused', async () => {
    const stage = await panel({ clusters: [cluster()] });
    stage.api.refusal = new MlopsError('ClusterEnded', 'It is stopping');
    await stage.after(() => find('more').click(), 20);
    await stage.after(() => undefined, 600);
    expect((find('wanted') as HTMLInputElement).value).toBe('8');
    expect(find('problem').textContent).toContain('It is stopping');
  });

  it('shows an operation that failed later', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const problem = { what: 'Quota is used up', why: '', todo: '' };
    const value = operation({ phase: 'failed', problem });
    await stage.after(() => stage.stream.change(2, { noun: 'operation', id: 'o1', value }));
    expect(find('problem').textContent).toContain('Quota is used up');
  });

  it('lets the number follow the work between bounds', async () => {
    const stage = await panel({ clusters: [cluster()] });
    await stage.after(() => find('auto').click());
    expect(stage.api.asked).toEqual([['adapt', idOf(), 'default', 0, 16]]);
    const value = cluster({ groups: [group({ adaptive: true })] });
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: idOf(), value }));
    expect((find('wanted') as HTMLInputElement).disabled).toBe(true);
    const maximum = find('maximum') as HTMLInputElement;
    await stage.after(() => {
      fireEvent.change(maximum, { target: { value: '6' } });
      fireEvent.keyDown(maximum, { key: 'Enter' });
    });
    expect(stage.api.asked[1]).toEqual(['adapt', idOf(), 'default', 0, 6]);
  });

  it('offers only what a cluster that others made can do', async () => {
    await panel({ clusters: [cluster({ commands: ['stop'] })] });
    expect(document.querySelector('[data-mlops="scale"]')).toBeNull();
    expect((find('use') as HTMLButtonElement).disabled).toBe(true);
    expect((find('stop') as HTMLButtonElement).disabled).toBe(false);
  });

  it('says who made a cluster of others, and who stops a release of Helm', async () => {
    const commands = ['scale', 'run'];
    const autoscaled = group({ adaptive: true, minimum: 1, maximum: 5, wanted: 2 });
    const survey = {
      name: 'survey',
      place: 'kubernetes',
      maker: 'helm',
      owner: '',
      commands
    } as const;
    const stage = await panel({ clusters: [cluster({ ...survey, groups: [autoscaled] })] });
    expect(find('place').textContent).toBe('Kubernetes · helm');
    expect(find('place').title).toBe('It was made with helm, not from here.');
    expect(document.querySelector('[data-mlops="will-stop"]')).toBeNull();
    expect(document.querySelector('[data-mlops="auto"]')).toBeNull();
    expect(find('autoscaled').textContent).toBe('scaled by its own autoscaler, 1–5');
    expect((find('stop') as HTMLButtonElement).disabled).toBe(true);
    expect(find('stop').title).toMatch(/`helm uninstall survey` stops it/);
    await stage.after(() => find('more', find('scale')).click(), 20);
    await stage.after(() => undefined, 600);
    expect(stage.api.asked[0]).toEqual(['scale', idOf('survey', 'kubernetes'), 'default', 3]);
  });

  it('tells clusters of one name apart, one’s own first, and acts on the very one', async () => {
    const mine = cluster({ id: 'flights.local~1', created: 1 });
    const theirs = {
      id: 'flights.ml.kubernetes~2',
      place: 'kubernetes',
      owner: 'bob',
      mine: false
    };
    const stage = await panel({ clusters: [cluster({ ...theirs, created: 2 }), mine] });
    const cards = [...document.querySelectorAll<HTMLElement>('[data-mlops="cluster"]')];
    expect(cards.map(card => find('place', card).textContent)).toEqual([
      'this machine',
      'Kubernetes · bob'
    ]);
    expect(find('place', cards[1]).title).toBe('It belongs to bob, not to you.');
    expect(find('details', cards[1]).title).toMatch(/^Details of flights\.ml\.kubernetes /);
    await stage.after(() => find('more-actions', cards[1]).click());
    const [details] = document.querySelectorAll('.lm-Menu-item');
    await stage.after(() => fireEvent.keyDown(details, { keyCode: 13 }));
    expect(stage.executed).toEqual([
      [CommandIDs.openDetails, { cluster: 'flights.ml.kubernetes~2' }]
    ]);
    await stage.after(() => find('stop', cards[1]).click());
    expect(find('others-warning').textContent).toMatch(/belongs to bob.*may be using it/);
    const accept = document.querySelector<HTMLElement>('.jp-Dialog-footer .jp-mod-warn');
    await stage.after(() => accept!.click());
    expect(stage.api.asked).toEqual([['stop', 'flights.ml.kubernetes~2', false]]);
  });

  it('warns before it stops what somebody else made', async () => {
    const made = { maker: 'KubeCluster', commands: ['scale', 'stop', 'run'] };
    const stage = await panel({ clusters: [cluster(made)] });
    await stage.after(() => find('stop').click());
    expect(find('others-warning').textContent).toMatch(/made with KubeCluster.*may be using it/);
    expect(find('stop-dialog').textContent).not.toMatch(/receipt/);
    const [cancel] = document.querySelectorAll<HTMLElement>('.jp-Dialog-footer .jp-mod-reject');
    await stage.after(() => cancel.click());
    expect(stage.api.asked).toEqual([]);
  });
});

describe('Runs', () => {
  it('shows progress, and cancels', async () => {
    const stage = await panel({ runs: [run()] });
    expect(find('run-info').textContent).toBe('61 % · 40 s left');
    expect(document.querySelector('[role="progressbar"]')!.getAttribute('aria-valuenow')).toBe(
      '61'
    );
    await stage.after(() => find('cancel').click());
    expect(stage.api.asked).toEqual([['cancel', 'aaaaaaaaaaaa']]);
  });

  it('says which workers would have done, with a way to a profile of them', async () => {
    const [text, evidence] = ['1 CPU and 1.5 GB would have done', 'Measured for 2 min'];
    const advice = [
      {
        kind: 'less' as const,
        group: 'default',
        cpus: 1,
        memory: 15e8,
        saving: null,
        confidence: 'low' as const,
        text,
        evidence
      }
    ];
    const fit = {
      fitness: 'fit' as const,
      text: 'Fit for spot: an item takes 3 s',
      evidence: '8 h'
    };
    const over = run({ phase: 'done', ended: NOW, advice, spot_fit: fit });
    const stage = await panel({ runs: [over], profiles: [view()] });
    await stage.after(() => find('run-open').click());
    expect(find('advice').querySelector('p')!.outerHTML).toContain(`${evidence}">${text}.`);
    expect(find('run-details').textContent).toContain('SpotFit for spot: an item takes 3 s');
    await stage.after(() => find('save-advice').click());
    expect(stage.executed).toContainEqual([CommandIDs.editProfile, { run: 'aaaaaaaaaaaa' }]);
  });

  it('shows the ranks of a gang as squares that the keyboard goes through', async () => {
    const known = { worker: 'default-1', total: 40, seen: NOW, memory: 69e6, busy: 1, loaders: 0 };
    const rank = { ...known, gpu: null, gpu_memory: 0 };
    const ranks = [
      { ...rank, rank: 0, phase: 'running' as const, step: 20, lag: 0 },
      { ...rank, rank: 1, phase: 'saving' as const, step: 15, lag: 4, gpu: 0.83, gpu_memory: 12e9 },
      { ...rank, rank: 2, phase: 'failed' as const, step: null, lag: 0, memory: 0 }
    ];
    const stage = await panel({ runs: [run({ kind: 'gang', total: 3, ranks, to_finish: 0.42 })] });
    await stage.after(() => find('run-open').click());
    expect(find('run-details').textContent).toContain('To finishabout $0.42');
    expect(find('rank-words').textContent).toBe('step 20 of 40 · rank 1 is 4 behind');
    const squares = [...find('ranks').querySelectorAll('button')];
    expect(squares.map(square => square.tabIndex)).toEqual([0, -1, -1]);
    expect(squares.map(square => square.textContent)).toEqual(['', '↓', '✗']);
    await stage.after(() => squares[0].focus());
    await stage.after(() => fireEvent.keyDown(squares[0], { key: 'ArrowRight' }));
    expect(document.activeElement).toBe(squares[1]);
    const state = 'rank 1 · saving · step 15 of 40 · 4 behind · default-1 · 69 MB';
    const words = `${state} · GPU 83 % · 12.0 GB on the GPU`;
    expect(find('rank-words').textContent).toBe(words);
    expect(squares[1].title).toBe(words);
    await stage.after(() => fireEvent.keyDown(squares[1], { key: 'End' }));
    expect(find('rank-words').textContent).toBe('rank 2 · failed · default-1');
  });

  it('shows where the code of a run is, on demand', async () => {
    const stage = await panel({ runs: [run({ kind: 'gang' })] });
    await stage.after(() => find('run-open').click());
    stage.api.where = [
      { worker: 'default-1', rank: 0, text: 'File "a.py", line 3 in wait', why: '' },
      { worker: 'default-2', rank: 1, text: '', why: 'it has just ended' }
    ];
    await stage.after(() => find('stacks').click(), 500);
    expect(find('stack-texts').textContent).toBe(
      'rank 0 on default-1:\nFile "a.py", line 3 in wait\n\nrank 1 on default-2:\nit has just ended'
    );
    stage.api.refusal = new Error('The cluster did not answer');
    await stage.after(() => find('stacks').click());
    expect(find('problem').textContent).toContain('The cluster did not answer');
  });

  it('follows the journal of an opened run only', async () => {
    const stage = await panel({ runs: [run()] });
    await stage.after(() => find('run-open').click());
    expect(stage.stream.hellos[1].follow_runs).toEqual(['aaaaaaaaaaaa']);
    const value = [entry(1, 'hello\n'), entry(2, 'world')];
    await stage.after(() =>
      stage.stream.change(2, { noun: 'journal', id: 'aaaaaaaaaaaa', value, whole: true })
    );
    expect(find('run-details').textContent).toContain('Cost$0.03 ($0.49 per 1,000 items)');
    expect(find('prints').textContent).toBe('hello\nworld\n');
    await stage.after(() => find('reveal').click());
    expect(stage.executed).toContainEqual([CommandIDs.revealRun, { run: 'aaaaaaaaaaaa' }]);
    await stage.after(() => find('run-open').click());
    expect(stage.stream.hellos[2].follow_runs).toEqual([]);
  });

  it('shows what failed, and runs again what was kept', async () => {
    const errors = [
      { index: 42, item: '42', error: 'ValueError: no title', traceback: 'Traceback' }
    ];
    const failed = run({ phase: 'failed', ended: NOW, failed: 1, errors });
    const stage = await panel({ runs: [failed] });
    expect(find('run-info').textContent).toBe('item 42: ValueError: no title');
    await stage.after(() => find('run-open').click());
    expect(find('item-error').textContent).toContain('Traceback');
    stage.api.refusal = new MlopsError('ClusterEnded', 'The cluster has ended', '', 'Start one.');
    await stage.after(() => find('again').click());
    expect(find('problem').textContent).toBe('The cluster has endedStart one.');
  });

  it('says at once that it runs again, takes a double click for one, and says what became of it', async () => {
    const stage = await panel({ runs: [run({ phase: 'done', ended: NOW })] });
    await stage.after(() => {
      find('again').click();
      find('again').click();
    }, 0);
    expect(find('run-doing').textContent).toBe('Sent again…');
    await stage.after(() => find('again').click(), 3000);
    expect(stage.api.asked).toEqual([['again', 'aaaaaaaaaaaa', undefined]]);
    // The server answered that it is at it.
    expect(find('run-doing').textContent).toBe('Sent again…');
    expect(find('again').getAttribute('aria-busy')).toBe('true');
    const problem = { what: 'The cluster has ended', why: '', todo: '' };
    const value = { ...stage.api.doing, phase: 'failed', problem } as const;
    await stage.after(() => stage.stream.change(2, { noun: 'operation', id: value.id, value }));
    expect(find('problem').textContent).toBe('The cluster has ended');
    expect(document.querySelector('[data-mlops="run-doing"]')).toBeNull();
    expect(find('again').getAttribute('aria-busy')).toBeNull();
  });

  it('believes the stream, where it was quicker than the answer', async () => {
    const stage = await panel({ runs: [run({ phase: 'done', ended: NOW })] });
    const value = { ...stage.api.doing, phase: 'done' } as const;
    await stage.after(() => stage.stream.change(2, { noun: 'operation', id: value.id, value }));
    await stage.after(() => find('again').click(), 1000);
    expect(find('again').getAttribute('aria-busy')).toBeNull();
  });

  it('connects a notebook once on a double click', async () => {
    const stage = await panel({ clusters: [cluster()] });
    await stage.after(() => find('use').click(), 10);
    await stage.after(() => find('use').click(), 10);
    expect(stage.executed.map(([id]) => id)).toEqual([CommandIDs.useCluster]);
    await stage.after(() => undefined, 1000);
    await stage.after(() => find('use').click(), 10);
    expect(stage.executed).toHaveLength(2);
  });
});
