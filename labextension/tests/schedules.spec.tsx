import { Dialog, Notification } from '@jupyterlab/apputils';
import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { MlopsError } from '../src/request';
import { addScheduleCommands } from '../src/schedules/commands';
import { ScheduleForm } from '../src/schedules/form';
import { ScheduleSection } from '../src/schedules/list';
import { ScheduleLog } from '../src/schedules/log';
import { offers } from '../src/schedules/places';
import { Panel } from '../src/sidebar/panel';
import { ScheduleView } from '../src/state/schema';
import { everyOf, everyText, everyWords, nextWords } from '../src/words/schedule';
import { NOW, PLACES, profile, schedule, snapshot, view } from './examples';
import { find, Stage, trans } from './stage';

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

const NIGHT = view({ profile: profile({ name: 'night', title: 'Night', place: 'kubernetes' }) });

function told(...schedules: ScheduleView[]): ReturnType<typeof snapshot> {
  return snapshot({ schedules: { schedules, silent: [] }, profiles: [view(), NIGHT] });
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-mlops="schedule"]')];
}

/** A stage with the commands on schedules, over a notebook that is open. */
function staged(): { stage: Stage; saved: string[] } {
  const stage = new Stage();
  const saved: string[] = [];
  const notebooks = {
    current: () => 'open.ipynb',
    save: async (path: string) => void saved.push(path)
  };
  addScheduleCommands(stage.commands, stage.store, trans, notebooks);
  return { stage, saved };
}

describe('Schedules in the sidebar', () => {
  it('are not there before the first, and stand below the services', async () => {
    const { stage } = staged();
    stage.show(<Panel />);
    await stage.after(() => stage.stream.say(told()));
    expect(document.querySelector('[data-mlops="schedules"]')).toBeNull();
    const value = { schedules: [schedule()], silent: [] };
    await stage.after(() => stage.stream.change(2, { noun: 'schedules', id: '', value }));
    const sections = [...document.querySelectorAll('section')].map(each => each.dataset.mlops);
    expect(sections).toEqual(['clusters', 'runs', 'models', 'schedules', 'money']);
  });

  it('say when, where and how it went, and those that failed come first', async () => {
    const { stage } = staged();
    stage.show(<ScheduleSection wanted="" />);
    const failed = schedule({
      id: 'f',
      notebook: '/srv/worse.ipynb',
      path: '',
      phase: 'failed',
      said: 'KeyError: age'
    });
    const there = schedule({
      id: 't',
      notebook: '/home/ada/there.ipynb',
      place: 'kubernetes',
      where: 'ml',
      profile: 'night',
      every: '15 min',
      began: null,
      phase: 'new',
      suspended: true
    });
    await stage.after(() => stage.stream.say(told(schedule(), failed, there)));
    expect(rows().map(row => row.dataset.name)).toEqual([
      'worse.ipynb',
      'late.ipynb',
      'there.ipynb'
    ]);
    const [bad, late, far] = rows();
    expect(find('schedule-failed', bad).textContent).toBe('KeyError: age');
    expect((find('schedule-open', bad) as HTMLButtonElement).disabled).toBe(true);
    expect(bad.querySelector('[data-mlops="schedule-change"]')).toBeNull();
    expect(find('schedule-plan', late).textContent).toMatch(
      /^every day at 02:00 \(Europe\/Berlin\) · next /
    );
    expect(find('schedule-went', late).textContent).toMatch(/^done /);
    expect(find('schedule-plan', far).textContent).toBe(
      'every 15 min · suspended there · Kubernetes · ml · night'
    );
    expect(find('schedule-plan', far).title).toMatch(/^It runs the notebook as it was at /);
    expect(find('schedule-went', far).textContent).toBe('hasn’t run yet');
    expect(far.querySelector('[data-mlops="schedule-run"]')).toBeNull();
    expect(far.querySelector('[data-mlops="schedule-log-open"]')).toBeNull();
    await stage.after(() => find('schedule-open', late).click());
    expect(stage.executed).toEqual([['docmanager:open', { path: 'by night/late.ipynb' }]]);
  });

  it('are found by what is looked for', async () => {
    const { stage } = staged();
    const other = schedule({ id: 'o', notebook: '/other.ipynb', said: 'KeyError' });
    const { rerender } = stage.show(<ScheduleSection wanted="keyerror" />);
    await stage.after(() => stage.stream.say(told(schedule(), other)));
    expect(rows().map(row => row.dataset.name)).toEqual(['other.ipynb']);
    expect(find('count').textContent).toBe('1 of 2');
    rerender(stage.within(<ScheduleSection wanted="nothing like it" />));
    expect(find('schedules').textContent).toContain('No notebook has “nothing like it”');
  });

  it('say that a place doesn’t answer once, and what isn’t known for it', async () => {
    const { stage } = staged();
    stage.show(<ScheduleSection wanted="" />);
    const problem = { what: 'Kubernetes doesn’t answer', why: '', todo: '' };
    const unheard = schedule({ place: 'kubernetes', phase: 'unknown', problem });
    const schedules = { schedules: [unheard], silent: [problem] };
    await stage.after(() => stage.stream.say(snapshot({ schedules })));
    expect(document.querySelectorAll('[data-mlops="problem"]')).toHaveLength(1);
    expect(find('problem').textContent).toContain('There may be more: Kubernetes');
    expect(find('schedule-went').textContent).toBe('not known');
  });

  it('run at once with a click, and no more with two', async () => {
    const { stage } = staged();
    stage.show(<ScheduleSection wanted="" />);
    await stage.after(() => stage.stream.say(told(schedule())));
    await stage.after(() => find('schedule-run').click());
    expect(stage.api.asked).toContainEqual(['runScheduled', 'abc']);
    await stage.after(() => stage.stream.say(told(schedule({ phase: 'running' }))));
    expect((find('schedule-run') as HTMLButtonElement).disabled).toBe(true);
    expect(find('schedule-went').textContent).toMatch(/^runs since /);
    for (const [button, ended] of [
      ['jp-mod-reject', 0],
      ['jp-mod-warn', 1]
    ] as const) {
      await stage.after(() => find('schedule-end').click());
      expect(document.querySelector('.jp-Dialog')!.textContent).toContain('late.ipynb');
      await stage.after(() =>
        document.querySelector<HTMLElement>(`.jp-Dialog .${button}`)!.click()
      );
      expect(stage.api.asked.filter(([what]) => what === 'unschedule')).toHaveLength(ended);
    }
    Dialog.flush();
  });
});

describe('The form that has a notebook run by itself', () => {
  it('begins with every night here, and keeps what was typed when it is refused', async () => {
    const { stage } = staged();
    await stage.after(() => stage.stream.say(told()));
    const saves: string[] = [];
    const onClose = jest.fn();
    const emit = jest.spyOn(Notification, 'emit');
    stage.show(
      <ScheduleForm
        path="a.ipynb"
        before={null}
        save={async () => void saves.push('saved')}
        onClose={onClose}
      />
    );
    expect(find('schedule-hint').textContent).toContain('Europe/Berlin');
    fireEvent.change(find('schedule-count'), { target: { value: '3' } });
    fireEvent.change(find('schedule-at'), { target: { value: '18:30' } });
    stage.api.refusal = new MlopsError('NotFound', 'a.ipynb has no steps', 'No cell is one');
    await stage.after(() => find('schedule-now').click());
    expect(find('problem', find('schedule-dialog')).textContent).toContain('a.ipynb has no steps');
    expect((find('schedule-count') as HTMLInputElement).value).toBe('3');
    expect(onClose).not.toHaveBeenCalled();
    stage.api.refusal = null;
    stage.api.answered = { ...stage.api.answered, told: ['It names files that lie outside.'] };
    await stage.after(() => find('schedule-now').click());
    const request = { path: 'a.ipynb', every: '3 day at 18:30', place: 'local' };
    expect(stage.api.asked.slice(-1)).toEqual([['schedule', request]]);
    expect(saves).toEqual(['saved', 'saved']);
    expect(onClose).toHaveBeenCalled();
    expect(emit.mock.calls[0][0]).toContain('It names files that lie outside.');
    expect(emit.mock.calls[0][1]).toBe('warning');
    emit.mockRestore();
  });

  it('asks by whose clock where a profile of another place is chosen', async () => {
    const { stage } = staged();
    await stage.after(() => stage.stream.say(told()));
    stage.show(
      <ScheduleForm
        path="a.ipynb"
        before={null}
        save={async () => undefined}
        onClose={() => undefined}
      />
    );
    expect(document.querySelector('[data-mlops="schedule-zone"]')).toBeNull();
    fireEvent.change(find('schedule-where'), { target: { value: '1' } });
    fireEvent.change(find('schedule-zone'), { target: { value: 'Asia/Tokyo' } });
    fireEvent.change(find('schedule-unit'), { target: { value: 'h' } });
    expect(document.querySelector('[data-mlops="schedule-at"]')).toBeNull();
    await stage.after(() => find('schedule-now').click());
    const where = { place: 'kubernetes', profile: 'night', zone: 'Asia/Tokyo' };
    expect(stage.api.asked.slice(-1)).toEqual([
      ['schedule', { path: 'a.ipynb', every: '1 h', ...where }]
    ]);
    fireEvent.change(find('schedule-count'), { target: { value: '' } });
    expect(find('schedule-now').getAttribute('aria-disabled')).toBe('true');
  });

  it('begins with how it is, also where that isn’t offered otherwise', async () => {
    const { stage } = staged();
    await stage.after(() => stage.stream.say(told()));
    const before = schedule({ every: '2 weeks at 7:05', cluster: 'work' });
    stage.show(
      <ScheduleForm
        path="a.ipynb"
        before={before}
        save={async () => undefined}
        onClose={() => undefined}
      />
    );
    expect(find('schedule-before').textContent).toContain('every 2 weeks at 07:05');
    expect(find('schedule-where').textContent).toContain('this machine · work');
    await stage.after(() => find('schedule-now').click());
    const request = { path: 'a.ipynb', every: '2 week at 07:05', place: 'local', cluster: 'work' };
    expect(stage.api.asked.slice(-1)).toEqual([['schedule', request]]);
  });
});

describe('The commands', () => {
  it('open the form of the notebook that is worked with, whose file is written first', async () => {
    const { stage, saved } = staged();
    await stage.after(() => stage.stream.say(told()));
    expect(stage.commands.isEnabled(CommandIDs.scheduleNotebook)).toBe(true);
    await stage.after(() => void stage.commands.execute(CommandIDs.scheduleNotebook));
    expect(document.querySelector('.jp-Dialog')!.textContent).toContain('Run open.ipynb by itself');
    await stage.after(() => find('schedule-now').click());
    expect(saved).toEqual(['open.ipynb']);
    expect(stage.api.asked.slice(-1)[0]).toMatchObject(['schedule', { path: 'open.ipynb' }]);
    Dialog.flush();
  });
});

describe('The log of a notebook that runs by itself', () => {
  it('is followed while it runs', async () => {
    const { stage } = staged();
    await stage.after(() => stage.stream.say(told(schedule({ phase: 'running' }))));
    stage.api.lines = ['one'];
    stage.show(<ScheduleLog id="abc" />);
    await stage.after(() => undefined);
    expect(find('schedule-log').textContent).toBe('one');
    stage.api.lines = ['one', 'two'];
    await stage.after(() => undefined, 3500);
    expect(find('schedule-log').textContent).toBe('one\ntwo');
    await stage.after(() => stage.stream.say(told(schedule())));
    const asked = stage.api.asked.length;
    await stage.after(() => undefined, 9000);
    expect(stage.api.asked).toHaveLength(asked);
  });
});

describe('When a notebook runs', () => {
  it('is read and written as Python does', () => {
    expect(everyOf('1 day at 2:00')).toEqual({ count: 1, unit: 'day', at: '02:00' });
    expect(everyOf('every 15 min')).toEqual({ count: 15, unit: 'min', at: '' });
    expect(everyOf('fortnightly')).toBeNull();
    expect(everyText({ count: 2, unit: 'h', at: '02:00' })).toBe('2 h');
    const words = (every: string): string => everyWords(trans, schedule({ every }));
    expect(words('1 week at 18:30')).toBe('every week at 18:30 (Europe/Berlin)');
    expect(words('2 h')).toBe('every 2 h');
    expect(words('fortnightly')).toBe('every fortnightly');
    expect(nextWords(trans, schedule({ next: NOW - 1 }), NOW)).toBe('due now');
    expect(nextWords(trans, schedule({ next: null }), NOW)).toBe('');
  });

  it('is offered here, and by profiles of places that can', () => {
    const places = new Map(PLACES.map(place => [place.name, place]));
    const state = { places, profiles: [view(), NIGHT] };
    expect(offers(state, null).map(({ words }) => words)).toEqual([
      'this machine',
      'Kubernetes · Night'
    ]);
    const none = new Map(PLACES.map(place => [place.name, { ...place, has_schedules: false }]));
    expect(offers({ ...state, places: none }, null)).toHaveLength(1);
  });
});
