import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { ServiceSection } from '../src/services/list';
import { TryForm } from '../src/services/try';
import { WatchView } from '../src/services/watch';
import { whereToServe } from '../src/services/where';
import { Alert, FeatureDrift, PerformancePeriod, ServiceWatch, Window } from '../src/state/schema';
import { serviceInfo } from '../src/words/service';
import { cost, NOW, PLACES, profile, retraining, service, snapshot, view } from './examples';
import { find, Stage, trans } from './stage';

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

describe('Services in the sidebar', () => {
  it('are not there before the first', async () => {
    const stage = new Stage();
    stage.show(<ServiceSection wanted="" />);
    await stage.after(() => stage.stream.say(snapshot()));
    expect(document.querySelector('[data-mlops="services"]')).toBeNull();
  });

  it('tell what answers, how much is asked, what comes and what is wrong', async () => {
    const stage = new Stage();
    const problem = { what: 'Its router is gone', why: '', todo: 'Deploy it again.' };
    const services = [
      service({
        rate: 12.34,
        errors: 1,
        coming: 4,
        alarm: { ...problem, what: 'age has changed' }
      }),
      service({ name: 'late', phase: 'dead', problem })
    ];
    const { rerender } = stage.show(<ServiceSection wanted="" />);
    await stage.after(() => stage.stream.say(snapshot({ services })));
    const row = find('service');
    expect(find('service-model', row).textContent).toBe('churn@3');
    expect(find('service-info', row).textContent).toBe('ready · 12/s · 1 error · @4 is coming');
    expect(find('service-address', row).textContent).toBe('127.0.0.1:8001');
    await stage.after(() => find('service-try', row).click());
    await stage.after(() => find('service-watch', row).click());
    expect(stage.executed).toEqual([
      [CommandIDs.tryService, { service: 'churn' }],
      [CommandIDs.watchService, { service: 'churn' }]
    ]);
    expect(find('problem', row).textContent).toContain('age has changed');
    const late = document.querySelector('[data-name="late"]')!;
    expect(late.textContent).toContain('late churn@3dead');
    expect(late.textContent).toContain('Its router is gone');
    expect(late.querySelector('[data-mlops="service-try"]')).toBeNull();
    rerender(stage.within(<ServiceSection wanted="router" />));
    expect(document.querySelectorAll('[data-mlops="service"]')).toHaveLength(1);
  });
});

describe('A service with an alarm', () => {
  const alarm = { what: 'age has changed', why: '', todo: '' };

  it('is retrained once somebody has said yes, and tells how that goes', async () => {
    const stage = new Stage();
    stage.show(<ServiceSection wanted="" />);
    await stage.after(() => stage.stream.say(snapshot({ services: [service({ alarm })] })));
    const answer = async (label: string): Promise<void> => {
      await stage.after(() => find('service-retrain').click());
      const buttons = [...document.querySelectorAll<HTMLElement>('.jp-Dialog button')];
      await stage.after(() => buttons.find(button => button.textContent === label)!.click());
    };
    await answer('Cancel');
    expect(stage.api.asked).toEqual([]);
    await answer('Retrain');
    expect(stage.api.asked).toEqual([['retrainService', 'churn']]);
    const running = service({ alarm, retraining: retraining() });
    await stage.after(() => stage.stream.say(snapshot({ services: [running] })));
    expect(find('service-retraining').textContent).toBe('retraining since 14:05: step train');
    expect(find('service-retraining').title).toContain('/home/ada/retraining.log');
    expect(document.querySelector('[data-mlops="service-retrain"]')).toBeNull();
    const refused = retraining({ phase: 'refused', words: 'retrained: churn@5 refused' });
    const after = service({ alarm, retraining: refused });
    await stage.after(() => stage.stream.say(snapshot({ services: [after] })));
    expect(find('service-retraining').textContent).toBe('retrained: churn@5 refused');
    expect(find('service-retrain')).toBeTruthy();
  });

  it('says what is left to do for a version that serves and isn’t the champion', async () => {
    const hint = 'the champion is still churn@3';
    const stage = new Stage();
    stage.show(<ServiceSection wanted="" />);
    await stage.after(() => stage.stream.say(snapshot({ services: [service({ hint })] })));
    expect(find('service-hint').textContent).toBe(hint);
  });
});

describe('A service on Kubernetes', () => {
  it('tells what it has cost, and not how much is asked', () => {
    const there = service({ place: 'kubernetes', rate: null, cost: cost({ amount: 0.42 }) });
    expect(serviceInfo(trans, there)).toBe('ready · $0.42');
    const unpriced = service({ place: 'kubernetes', rate: null, cost: cost({ amount: null }) });
    expect(serviceInfo(trans, unpriced)).toBe('ready · cost unknown');
  });

  it('is offered where a place has services, and the model has none yet', () => {
    const places = new Map(PLACES.map(place => [place.name, place]));
    const survey = view({
      profile: profile({ name: 'survey', title: 'Survey', place: 'kubernetes' })
    });
    const state = { places, profiles: [view(), survey], services: [] };
    expect(whereToServe(state, 'churn')).toEqual([
      { words: 'this machine', where: { place: 'local' } },
      { words: 'Kubernetes · Survey', where: { place: 'kubernetes', profile: 'survey' } }
    ]);
    const nothing = [{ words: '', where: {} }];
    expect(whereToServe({ ...state, services: [service()] }, 'churn')).toEqual(nothing);
    expect(whereToServe({ ...state, profiles: [view()] }, 'churn')).toEqual(nothing);
  });
});

describe('The form that tries a service', () => {
  it('begins with the example, and shows what is answered, refused, or no JSON', async () => {
    const stage = new Stage();
    stage.api.rows = [{ age: 30 }];
    stage.api.heard = { status: 400, answer: { error: 'row 0 is wrong' } };
    stage.show(<TryForm service="churn" onClose={() => undefined} />);
    await stage.after(() => stage.stream.say(snapshot()));
    const rows = find('try-rows') as HTMLTextAreaElement;
    expect(JSON.parse(rows.value)).toEqual([{ age: 30 }]);
    await stage.after(() => find('try-now').click());
    expect(stage.api.asked).toContainEqual(['tryService', 'churn', [{ age: 30 }]]);
    expect(find('try-answer').dataset.status).toBe('400');
    expect(find('try-dialog').textContent).toContain('It refuses:');
    fireEvent.change(rows, { target: { value: '[{' } });
    await stage.after(() => find('try-now').click());
    expect(find('problem').textContent).toContain('This is no JSON');
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
    stage.show(<WatchView service="churn" />);
    await stage.after(() => undefined);
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
    stage.show(<WatchView service="churn" />);
    await stage.after(() => undefined);
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
