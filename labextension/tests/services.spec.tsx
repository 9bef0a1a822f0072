import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { MlopsError } from '../src/request';
import { ServiceSection } from '../src/services/list';
import { RetrainForm } from '../src/services/retraining';
import { TryForm } from '../src/services/try';
import { whereToServe } from '../src/services/where';
import { serviceInfo } from '../src/words/service';
import {
  candidate,
  cost,
  NOW,
  PLACES,
  profile,
  retraining,
  service,
  snapshot,
  view
} from './examples';
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
    expect(find('service-open', row).textContent).toBe('churn@3');
    expect(find('service-info', row).textContent).toBe('ready · 12/s · 1 error · @4 is coming');
    expect(find('service-address', row).textContent).toBe('127.0.0.1:8001');
    await stage.after(() => find('service-try', row).click());
    await stage.after(() => find('service-open', row).click());
    expect(stage.executed).toEqual([
      [CommandIDs.tryService, { service: 'churn' }],
      [CommandIDs.openService, { service: 'churn' }]
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
    await stage.after(() => find('service-retrain').click());
    expect(stage.executed).toEqual([[CommandIDs.retrainService, { service: 'churn' }]]);
    const onClose = jest.fn();
    const { unmount } = stage.show(<RetrainForm service="churn" onClose={onClose} />);
    fireEvent.change(find('retrain-why'), { target: { value: 'older customers ' } });
    stage.api.refusal = new MlopsError('NotFound', 'Nobody knows its notebook', '');
    await stage.after(() => find('retrain-now').click());
    expect(find('problem', find('retrain-dialog')).textContent).toContain('Nobody knows');
    expect(onClose).not.toHaveBeenCalled();
    stage.api.refusal = null;
    await stage.after(() => find('retrain-now').click());
    const [last] = stage.api.asked.slice(-1);
    expect(last).toEqual(['retrainService', 'churn', 'older customers']);
    expect(onClose).toHaveBeenCalled();
    unmount();
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
    const trying = service({ alarm, candidate: candidate() });
    await stage.after(() => stage.stream.say(snapshot({ services: [trying] })));
    expect(document.querySelector('[data-mlops="service-retrain"]')).toBeNull();
  });

  it('has the champion to be made of what was retrained, and serves', async () => {
    const stage = new Stage();
    stage.show(<ServiceSection wanted="" />);
    const canary = retraining({ phase: 'canary', version: 5, words: 'retrained: churn@5 serves' });
    const services = [service({ version: 5, retraining: canary })];
    await stage.after(() => stage.stream.say(snapshot({ services })));
    jest.spyOn(stage.commands, 'execute').mockResolvedValue(undefined);
    await stage.after(() => find('promote').click());
    expect(stage.commands.execute).toHaveBeenCalledWith(CommandIDs.promoteModel, {
      model: 'churn',
      version: 5
    });
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
    expect(rows.value).toBe('[\n  { "age": 30 }\n]');
    await stage.after(() => find('try-now').click());
    expect(stage.api.asked).toContainEqual(['tryService', 'churn', [{ age: 30 }]]);
    expect(find('try-answer').dataset.status).toBe('400');
    expect(find('try-dialog').textContent).toContain('It refuses:');
    fireEvent.change(rows, { target: { value: '[{' } });
    await stage.after(() => find('try-now').click());
    expect(find('problem').textContent).toContain('This is no JSON');
  });
});
