import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { ServiceSection } from '../src/services/list';
import { TryForm } from '../src/services/try';
import { NOW, service, snapshot } from './examples';
import { find, Stage } from './stage';

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
      service({ rate: 12.34, errors: 1, coming: 4 }),
      service({ name: 'late', phase: 'dead', problem })
    ];
    const { rerender } = stage.show(<ServiceSection wanted="" />);
    await stage.after(() => stage.stream.say(snapshot({ services })));
    const row = find('service');
    expect(find('service-model', row).textContent).toBe('churn@3');
    expect(find('service-info', row).textContent).toBe('ready · 12/s · 1 error · @4 is coming');
    expect(find('service-address', row).textContent).toBe('127.0.0.1:8001');
    await stage.after(() => find('service-try', row).click());
    expect(stage.executed).toEqual([[CommandIDs.tryService, { service: 'churn' }]]);
    const late = document.querySelector('[data-name="late"]')!;
    expect(late.textContent).toContain('late churn@3dead');
    expect(late.textContent).toContain('Its router is gone');
    expect(late.querySelector('[data-mlops="service-try"]')).toBeNull();
    rerender(stage.within(<ServiceSection wanted="router" />));
    expect(document.querySelectorAll('[data-mlops="service"]')).toHaveLength(1);
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
