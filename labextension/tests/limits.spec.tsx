import { MlopsError } from '../src/request';
import { moment } from '../src/words/time';
import { budget, NOW, cluster, cost, group, idOf, waste } from './examples';
import { panel, standStill } from './shown';
import { find } from './stage';

standStill();

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
