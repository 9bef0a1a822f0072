import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { MlopsError } from '../src/request';
import { CompareView } from '../src/services/compare';
import { DecideForm } from '../src/services/decide';
import { ServiceSection } from '../src/services/list';
import { ShareForm } from '../src/services/share';
import { waysToServe } from '../src/services/ways';
import { CandidateState, Comparison, ServiceState } from '../src/state/schema';
import { candidate, NOW, service, snapshot } from './examples';
import { find, Stage, trans } from './stage';

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

const comparison = (part: Partial<Comparison>): Comparison => ({
  name: 'errors',
  state: 'undecided',
  stable: 0.01,
  candidate: 0.125,
  low: -0.002,
  high: 0.21,
  needs: 4600,
  seconds: 3e5,
  waits: true,
  words: 'undecided: needs about 4,600 requests, about 3 days',
  ...part
});

function absent(handle: string): boolean {
  return document.querySelector(`[data-mlops="${handle}"]`) === null;
}

describe('A version that is tried, in the sidebar', () => {
  it('shows who answers how much, in a line of words, and can be compared and decided on', async () => {
    const stage = new Stage();
    stage.show(<ServiceSection wanted="" />);
    const tried = service({ candidate: candidate() });
    await stage.after(() => stage.stream.say(snapshot({ services: [tried] })));
    expect(find('candidate-words').textContent).toBe('canary 25 %: undecided, about 3 h');
    expect(find('split').getAttribute('aria-label')).toBe('churn@3 answers 75%, churn@4 25%');
    const parts = [...find('split').children].map(part => (part as HTMLElement).style.width);
    expect(parts).toEqual(['75%', '25%']);
    await stage.after(() => find('service-compare').click());
    await stage.after(() => find('service-share').click());
    await stage.after(() => find('service-promote').click());
    await stage.after(() => find('service-roll-back').click());
    const given = { service: 'churn' };
    expect(stage.executed).toEqual([
      [CommandIDs.compareService, given],
      [CommandIDs.shareService, given],
      [CommandIDs.promoteService, given],
      [CommandIDs.rollBackService, given]
    ]);
    expect(find('service-roll-back').title).toBe('Take churn@4 back');
  });

  it('says why it went back, and of a shadow that it answers nobody', async () => {
    const stage = new Stage();
    stage.show(<ServiceSection wanted="" />);
    const problem = { what: 'churn@4 went back', why: 'errors 12 % against 1 %', todo: '' };
    const shown = (part: Partial<ServiceState>): Promise<void> =>
      stage.after(() => stage.stream.say(snapshot({ services: [service(part)] })));
    await shown({ candidate: candidate({ phase: 'back', words: 'went back', problem }) });
    expect(find('problem').textContent).toContain('errors 12 % against 1 %');
    expect(['split', 'service-promote', 'service-compare', 'service-roll-back'].every(absent)).toBe(
      true
    );
    const compared: Partial<CandidateState> = {
      phase: 'back',
      words: 'went back',
      problem,
      verdicts: [comparison({})]
    };
    await shown({ candidate: candidate(compared) });
    await stage.after(() => find('service-compare').click());
    expect(stage.executed).toEqual([[CommandIDs.compareService, { service: 'churn' }]]);
    await shown({ candidate: candidate({ phase: 'back', words: 'taken back from 25 %' }) });
    expect(find('candidate').textContent).toBe('taken back from 25 %');
    await shown({ candidate: candidate({ way: 'shadow', share: 1 }), previous: 2 });
    expect(find('split').title).toBe('churn@3 answers all; churn@4 is asked 100% of it, too');
    await shown({ previous: 2 });
    expect(find('service-roll-back').title).toBe('Have churn@2 serve again, in place of churn@3');
    expect(absent('candidate')).toBe(true);
  });
});

describe('The comparison of two versions', () => {
  it('has what is compared, in its unit, and is looked at again', async () => {
    const stage = new Stage();
    stage.api.compared = candidate({
      errors: 15,
      verdicts: [
        comparison({ state: 'worse', words: '' }),
        comparison({ name: 'latency', stable: 0.0021, candidate: 0.004, low: null, high: null }),
        comparison({ name: 'answers', stable: 0, candidate: 0.02, state: 'same', low: null }),
        comparison({
          name: 'accuracy',
          state: 'no data',
          stable: null,
          candidate: null,
          low: null,
          words: 'no labels yet'
        })
      ]
    });
    stage.show(<CompareView service="churn" />);
    await stage.after(() => stage.stream.say(snapshot({ services: [service()] })));
    const rows = [...document.querySelectorAll<HTMLTableRowElement>('[data-mlops="comparison"]')];
    const first = rows.map(row =>
      [...row.querySelector('tr')!.cells].map(cell => cell.textContent)
    );
    expect(first).toEqual([
      ['failed', 'worse', '1%', '12.5%', '−0.2% … +21%'],
      ['time of an answer', 'undecided', '2.1 ms', '4 ms', ''],
      ['what it answers', 'as good', '', '', ''],
      ['accuracy', 'no labels yet', '', '', '']
    ]);
    expect(rows[1].textContent).toContain('needs about 4,600 requests, about 3 days');
    expect(find('compare-words').textContent).toContain(
      'It was asked 120 times, and failed 15 times.'
    );
    stage.api.compared = null;
    await stage.after(() => jest.advanceTimersByTime(5000));
    expect(find('compare').textContent).toContain('No version is tried');
  });

  it('gives it another share as of what was seen, and has it wait and go on', async () => {
    const stage = new Stage();
    stage.api.compared = candidate();
    stage.show(<CompareView service="churn" />);
    const services = [service({ wanted: 'w', candidate: candidate() })];
    await stage.after(() => stage.stream.say(snapshot({ services })));
    const share = find('split-share') as HTMLInputElement;
    expect(share.value).toBe('25');
    fireEvent.change(share, { target: { value: '140' } });
    expect((find('split-set') as HTMLButtonElement).disabled).toBe(true);
    fireEvent.change(share, { target: { value: '40' } });
    stage.api.refusal = new MlopsError('Conflict', 'churn was changed', 'by somebody else');
    await stage.after(() => find('split-set').click());
    expect(find('problem').textContent).toContain('by somebody else');
    stage.api.refusal = null;
    await stage.after(() => jest.advanceTimersByTime(1000));
    await stage.after(() => find('split-pause').click());
    const asked = stage.api.asked.filter(([name]) => name === 'changeSplit');
    expect(asked).toEqual([
      ['changeSplit', 'churn', { share: 0.4, expected: 'w' }],
      ['changeSplit', 'churn', { paused: true, expected: 'w' }]
    ]);
    expect(absent('problem')).toBe(true);
    stage.api.compared = candidate({ paused: true });
    await stage.after(() => jest.advanceTimersByTime(5000));
    await stage.after(() => find('split-resume').click());
    expect(stage.api.asked).toContainEqual([
      'changeSplit',
      'churn',
      { paused: false, expected: 'w' }
    ]);
    stage.api.compared = candidate({ way: 'shadow' });
    await stage.after(() => jest.advanceTimersByTime(5000));
    expect(absent('split-share')).toBe(true);
  });
});

describe('The form that decides', () => {
  it('says what comes of a promotion, and what isn’t decided', async () => {
    const stage = new Stage();
    let closed = 0;
    const verdicts = [comparison({}), comparison({ name: 'latency', state: 'worse' })];
    const tried = service({ wanted: 'w', candidate: candidate({ verdicts }) });
    stage.show(<DecideForm decision="promote" service={tried} onClose={() => closed++} />);
    expect(find('decide-dialog').textContent).toContain(
      'churn@4 answers everybody from then on. churn@3 can be rolled back to. ' +
        'It is worse: time of an answer. Not decided yet: failed.'
    );
    fireEvent.change(find('decide-why'), { target: { value: ' in a hurry ' } });
    stage.api.refusal = new MlopsError('Conflict', 'churn was changed', '');
    await stage.after(() => find('decide-now').click());
    expect(find('problem').textContent).toContain('churn was changed');
    expect(closed).toBe(0);
    stage.api.refusal = null;
    await stage.after(() => find('decide-now').click());
    const decision = { why: 'in a hurry', expected: 'w' };
    expect(stage.api.asked).toContainEqual(['promoteService', 'churn', decision]);
    expect(closed).toBe(1);
  });

  it('says who answers after a way back', async () => {
    const stage = new Stage();
    const onClose = (): void => undefined;
    const { rerender } = stage.show(
      <DecideForm decision="roll back" service={service({ previous: 2 })} onClose={onClose} />
    );
    expect(find('decide-dialog').textContent).toContain(
      'churn@2 answers again, in place of churn@3.'
    );
    await stage.after(() => find('decide-now').click());
    expect(stage.api.asked).toContainEqual([
      'rollBackService',
      'churn',
      { why: '', expected: 'a' }
    ]);
    const tried = service({ candidate: candidate() });
    rerender(stage.within(<DecideForm decision="roll back" service={tried} onClose={onClose} />));
    expect(find('decide-dialog').textContent).toContain('churn@4 answers nobody any more');
  });

  it('says who called it lately, and nothing where that can’t be told', async () => {
    const stage = new Stage();
    stage.api.callers = {
      callers: [],
      words: 'billing and web called it within the hour.',
      counted: true
    };
    stage.show(<DecideForm decision="roll back" service={service({})} onClose={() => undefined} />);
    await stage.after(() => undefined);
    expect(find('missed').textContent).toBe('billing and web called it within the hour.');
    expect(stage.api.asked).toContainEqual(['serviceCallers', 'churn']);
  });

  it('can be decided where nobody knows who called it', async () => {
    const stage = new Stage();
    stage.api.refusal = new MlopsError('Unavailable', 'Its disk is away', '');
    stage.show(<DecideForm decision="roll back" service={service({})} onClose={() => undefined} />);
    await stage.after(() => undefined);
    expect(stage.api.asked).toContainEqual(['serviceCallers', 'churn']);
    expect(absent('missed') && absent('problem')).toBe(true);
    stage.api.refusal = null;
    await stage.after(() => find('decide-now').click());
    expect(stage.api.asked.at(-1)?.[0]).toBe('rollBackService');
  });
});

describe('The dialog before a stop', () => {
  it('says who would miss the service', async () => {
    const stage = new Stage();
    stage.api.callers = { callers: [], words: 'web called it within the hour.', counted: true };
    stage.show(<ServiceSection wanted="" />);
    await stage.after(() => stage.stream.say(snapshot({ services: [service({})] })));
    await stage.after(() => find('service-stop').click());
    await stage.after(() => undefined);
    expect(find('missed').textContent).toBe('web called it within the hour.');
    await stage.after(() =>
      document.querySelector<HTMLElement>('.jp-Dialog .jp-mod-warn')!.click()
    );
    expect(stage.api.asked.at(-1)).toEqual(['stopService', 'churn']);
  });
});

describe('How a version is deployed', () => {
  it('can be picked where another one answers', () => {
    const ways = waysToServe(trans, [service()], 'churn', 4);
    expect(ways.map(({ how }) => how.way)).toEqual([undefined, 'canary', 'ab', 'shadow']);
    expect(ways[0].words).toBe('In place of churn@3');
    const back = waysToServe(trans, [service({ version: 5 })], 'churn', 4);
    expect(back[0].words).toBe('In place of churn@5, which is newer');
    for (const others of [[], [service({ phase: 'stopped' })], [service({ version: 4 })]]) {
      expect(waysToServe(trans, others, 'churn', 4)).toEqual([{ words: '', how: {} }]);
    }
  });
});

describe('Another share', () => {
  it('is asked for with a reason, and refused where something else is wanted by now', async () => {
    const stage = new Stage();
    const tried = service({ candidate: candidate(), wanted: 'seen' });
    const onClose = jest.fn();
    stage.show(<ShareForm service={tried} candidate={candidate()} onClose={onClose} />);
    expect((find('share-percent') as HTMLInputElement).value).toBe('25');
    fireEvent.change(find('share-percent'), { target: { value: '120' } });
    await stage.after(() => find('share-now').click());
    expect(stage.api.asked).toEqual([]);
    fireEvent.change(find('share-percent'), { target: { value: '40' } });
    fireEvent.change(find('share-why'), { target: { value: 'to see more ' } });
    stage.api.refusal = new MlopsError('Conflict', 'Somebody has changed it', '');
    await stage.after(() => find('share-now').click());
    expect(find('problem').textContent).toContain('Somebody has changed it');
    expect(onClose).not.toHaveBeenCalled();
    stage.api.refusal = null;
    await stage.after(() => find('share-now').click());
    const asked = { share: 0.4, why: 'to see more', expected: 'seen' };
    expect(stage.api.asked[stage.api.asked.length - 1]).toEqual(['changeSplit', 'churn', asked]);
    expect(onClose).toHaveBeenCalled();
  });
});
