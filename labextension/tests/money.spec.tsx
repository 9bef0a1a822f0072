import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { Money } from '../src/money/section';
import { MlopsError } from '../src/request';
import { MonthSum } from '../src/state/schema';
import { snapshot, usage } from './examples';
import { find, Stage } from './stage';

const sum = (part: Partial<MonthSum> = {}): MonthSum => ({
  month: '2026-11',
  currency: 'USD',
  clusters: 7,
  live: 1,
  unpriced: 1,
  amount: 41.2,
  per_hour: 2.3,
  unknown: usage({ cpu_hours: 12 }),
  forecast: 55,
  saving: { paid: 40, stopped: 15, sized: 2, cheaper: -5, baseline: 52, currency: 'USD' },
  ...part
});

beforeEach(() => {
  window.localStorage.clear();
  jest.useFakeTimers();
});
afterEach(() => jest.useRealTimers());

async function opened(stage: Stage): Promise<void> {
  stage.show(<Money />);
  await stage.after(() => stage.stream.say(snapshot()));
  expect(stage.api.asked).toEqual([]);
  await stage.after(() => fireEvent.click(find('fold-money')));
}

describe('Money in the sidebar', () => {
  it('tells a month, its forecast and what was saved, and asks for nothing while it is folded', async () => {
    const stage = new Stage();
    const june = { month: '2026-06', runs: 3, items: 500_000, amount: 2.05, per_million: 4.1 };
    const now = { month: '2026-11', runs: 1, items: 10_000_000, amount: 3.5, per_million: 0.35 };
    stage.api.spent = {
      ...stage.api.spent,
      sums: [sum()],
      trends: [
        { name: 'resize', owner: 'ada', currency: 'USD', months: [june, now] },
        { name: 'once', owner: 'ada', currency: 'USD', months: [now] }
      ],
      followed: [
        {
          profile: 'small',
          run: 'resize',
          promised: 0.62,
          measured: 0.55,
          currency: 'USD',
          before: { runs: 3, items: 3000, amount: 12.3 },
          since: { runs: 4, items: 4000, amount: 7.4 },
          sentence: 'small: −62 % promised, −55 % measured'
        }
      ]
    };
    await opened(stage);
    expect(find('month-sum').textContent).toBe('$41.20 + ?');
    expect(find('month-facts').textContent).toBe(
      'about $55.00 at this pace · now $2.30/h · 12.0 CPU-hours unknown'
    );
    const rows = [...find('waterfall').querySelectorAll('tr')];
    expect(rows.map(row => row.textContent)).toEqual([
      'Baseline$52.00',
      'Stopped when idle− $15.00',
      'Right size− $2.00',
      'Spot and discounts+ $5.00',
      'Paid$40.00'
    ]);
    expect(rows.map(row => row.querySelector('span')!.dataset.kind)).toEqual([
      'whole',
      'saved',
      'saved',
      'lost',
      'whole'
    ]);
    expect(find('followed').textContent).toBe('small: −62 % promised, −55 % measured');
    expect(document.querySelectorAll('[data-mlops="trend"]')).toHaveLength(1);
    expect(find('trend').textContent).toBe(
      'resize since 2026-06: items × 20, cost × 1.7; a million items $4.10 → $0.35'
    );
  });

  it('says what is in the way, and what nobody knows', async () => {
    const stage = new Stage();
    stage.api.refusal = new MlopsError('Unreadable', 'bills.jsonl can’t be read', 'it is closed');
    await opened(stage);
    expect(find('money').textContent).toContain('bills.jsonl can’t be read');
    stage.api.refusal = null;
    const unknown = sum({ amount: null, forecast: null, per_hour: null, saving: null });
    stage.api.spent = {
      ...stage.api.spent,
      sums: [unknown],
      silent: ['Kubernetes doesn’t answer']
    };
    await stage.after(() => undefined, 61_000);
    expect(find('month-sum').textContent).toBe('unknown');
    expect(find('money').textContent).toContain('Kubernetes doesn’t answer: what is there is not');
    expect(document.querySelector('[data-mlops="waterfall"]')).toBeNull();
  });

  it('is saved as a file', async () => {
    const stage = new Stage();
    const saved: string[] = [];
    const click = jest.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (
      this: HTMLAnchorElement
    ) {
      saved.push(this.download);
    });
    URL.createObjectURL = () => 'blob:costs';
    await stage.commands.execute(CommandIDs.exportCosts, { as: 'focus' });
    expect(saved).toEqual(['costs.focus']);
    click.mockRestore();
  });
});
