import { act, fireEvent, render } from '@testing-library/react';
import React from 'react';

import {
  draftOf,
  freeName,
  moved,
  NEW_DRAFT,
  profileOf,
  promiseOf,
  sized,
  withPoint
} from '../src/profile/draft';
import { Editor } from '../src/profile/editor';
import { MlopsError } from '../src/request';
import { NOW, PLACES, profile } from './examples';
import { TestApi } from './server';
import { find, trans } from './stage';

describe('drafts', () => {
  it('say amounts as people do, and come back as what the server reads', () => {
    const draft = draftOf(profile({ environment: { A: '1=2' } }));
    expect(draft).toMatchObject({
      limits: { idle_timeout: '20 min', lifetime: '24 h', budget: '' }
    });
    expect(draft.groups[0].memory).toBe('2 GiB');
    expect(profileOf(draft)).toMatchObject({
      groups: [{ memory: '2 GiB', workers: 8, maximum: 16 }],
      limits: { idle_timeout: '20 min', budget: null },
      environment: { A: '1=2' },
      price: null,
      source: 'user'
    });
  });

  it('switch a limit off when it is empty, and leave nonsense to the server', () => {
    const sent = profileOf({
      ...NEW_DRAFT,
      groups: [{ ...NEW_DRAFT.groups[0], base: ' ' }],
      limits: { ...NEW_DRAFT.limits, idle_timeout: ' ', budget: 'lots' }
    });
    expect(sent.limits).toMatchObject({ idle_timeout: null, budget: 'lots' });
    expect(sent.groups[0].base).toBe(0);
  });

  it('take the comma that half of the world writes for a point, where it can mean nothing else', () => {
    const typed = ['1,5', '1,25 GiB', '1,500', '2 GiB', 'a,5'];
    expect(typed.map(withPoint)).toEqual(['1.5', '1.25 GiB', '1,500', '2 GiB', 'a,5']);
    const [group] = NEW_DRAFT.groups;
    const sent = profileOf({ ...NEW_DRAFT, groups: [{ ...group, cpus: '1,5', memory: '2' }] });
    // What has no unit is left to the server, which asks for one.
    expect(sent.groups[0]).toMatchObject({ cpus: 1.5, memory: '2' });
  });

  it('keep what only their place knows, until they are for another place', () => {
    const group = { ...profile().groups[0], options: { queue: 'short' } };
    const draft = draftOf(profile({ options: { partition: 'gpu' }, groups: [group] }));
    const kept = { options: { partition: 'gpu' }, groups: [{ options: { queue: 'short' } }] };
    expect(profileOf(draft)).toMatchObject(kept);
    const sent = profileOf({ ...draft, ...moved(draft, 'kubernetes') });
    expect(sent).toMatchObject({ place: 'kubernetes', options: {}, groups: [{ options: {} }] });
    expect(JSON.stringify(sent)).not.toMatch(/gpu"|short/);
  });
});

describe('Advice', () => {
  it('is a new name and other numbers in a draft, and says what it changes', () => {
    const group = { ...profile().groups[0], cpus: 4, memory: 4 * 1024 ** 3 };
    const advice = { kind: 'less' as const, group: group.name, cpus: 1, memory: 15e8 };
    const from = profile({ groups: [group] });
    const told = [{ ...advice, saving: null, confidence: 'low' as const, text: '', evidence: '' }];
    const [draft, changes] = sized(trans, draftOf(from), told, from);
    expect(draft.groups[0]).toMatchObject({ cpus: '1', memory: '1.5 GB' });
    const before = { cpus: 4, memory: 4 * 1024 ** 3, gpus: 0 };
    expect(profileOf(draft).groups[0].before).toEqual(before);
    const again = profile({ groups: [{ ...group, cpus: 1, before }] });
    const [later] = sized(trans, draftOf(again), told, again);
    expect(later.groups[0].before).toEqual(before);
    expect(profileOf(draftOf(from)).groups[0].before).toBeNull();
    expect(changes).toEqual([`${group.name}: CPUs 4 → 1`, `${group.name}: memory 4 GiB → 1.5 GB`]);
    const of = { run: 'resize', owner: 'ada', profile: from.name, since: NOW };
    const less = (saving: number | null) => ({ ...told[0], saving });
    expect(promiseOf([less(0.6), less(0.4)], of)).toEqual({ ...of, saving: 0.4 });
    expect(promiseOf([less(0.6), less(null)], of).saving).toBeNull();
    expect(profileOf({ ...draft, promise: promiseOf(told, of) }).promise).toEqual({
      ...of,
      saving: null
    });
    expect(freeName('a-sized', new Set(['a-sized', 'a-sized-2']))).toBe('a-sized-3');
    expect(freeName('a'.repeat(60), new Set(['a'.repeat(48)]))).toBe(`${'a'.repeat(46)}-2`);
  });
});

describe('Editor', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  const settle = () => act(() => jest.advanceTimersByTimeAsync(500));

  async function editor(api: TestApi): Promise<Record<'onSaved' | 'onClose', jest.Mock>> {
    const [onSaved, onClose] = [jest.fn(), jest.fn()];
    render(
      <Editor
        now={() => NOW}
        api={api}
        trans={trans}
        draft={NEW_DRAFT}
        places={PLACES}
        taken={new Set(['flights'])}
        removable={false}
        onSaved={onSaved}
        onRemoved={jest.fn()}
        onClose={onClose}
      />
    );
    await settle();
    return { onSaved, onClose };
  }

  async function type(handle: string, value: string): Promise<HTMLInputElement> {
    const field = find(`field-${handle}`) as HTMLInputElement;
    fireEvent.change(field, { target: { value } });
    await settle();
    return field;
  }

  const remark = (at: string) => document.querySelector(`[data-mlops="remark"][data-of="${at}"]`);

  it('says what it would cost, and saves', async () => {
    const api = new TestApi();
    const { onSaved, onClose } = await editor(api);
    expect(find('estimate').textContent).toMatch(/8 CPUs and 16.0 GB at the start · \$1.20/);
    await type('name', 'mine');
    fireEvent.click(find('profile-save'));
    await settle();
    expect(api.asked.find(([name]) => name === 'saveProfile')![1]).toMatchObject({ name: 'mine' });
    expect(onSaved).toHaveBeenCalledWith(expect.objectContaining({ profile: profile() }));
    expect(onClose).toHaveBeenCalled();
  });

  it('goes to the first field that keeps it from being saved', async () => {
    const api = new TestApi();
    await editor(api);
    await type('environment', 'FOO BAR');
    expect(remark('environment')!.textContent).toContain('NAME=value');
    fireEvent.click(find('profile-save'));
    expect(document.activeElement).toBe(find('field-name'));
    expect(remark('name')!.textContent).toBe('Name is missing');
    expect(api.asked.some(([name]) => name === 'saveProfile')).toBe(false);
  });

  it('warns before it replaces another profile', async () => {
    await editor(new TestApi());
    await type('name', 'flights');
    expect(remark('name')!.textContent).toContain('would replace it');
  });

  it('offers places by their titles, and spot machines where there are some', async () => {
    const api = new TestApi();
    await editor(api);
    const place = find('field-place') as HTMLSelectElement;
    const titles = [...place.options].map(option => option.text);
    expect(titles).toEqual(['this machine', 'Kubernetes']);
    expect(document.querySelector('[data-mlops="field-group-spot"]')).toBeNull();
    fireEvent.change(place, { target: { value: 'kubernetes' } });
    await settle();
    expect(document.querySelector('[data-mlops="field-group-base"]')).toBeNull();
    fireEvent.click(find('field-group-spot'));
    await settle();
    expect((await type('group-base', '2')).value).toBe('2');
  });

  it('shows what is wrong by the field, and above the buttons, while it is typed', async () => {
    const api = new TestApi();
    await editor(api);
    const faults = [
      { at: 'groups.0.maximum', words: 'must be more', given: '8' },
      { at: 'groups.0.memory', words: 'has no unit', given: "'2'" },
      { at: 'options.queue', words: 'is missing', given: '' }
    ];
    api.refusal = new MlopsError('InvalidSpec', 'This profile isn’t valid', 'all', '', 400, faults);
    const memory = await type('group-memory', '2');
    expect(remark('groups.0.memory')!.textContent).toBe('Memory each has no unit');
    expect(memory.getAttribute('aria-invalid')).toBe('true');
    expect(memory.getAttribute('aria-describedby')).toBe(remark('groups.0.memory')!.id);
    expect(find('wrong').textContent).toBe('Other values are needed in Maximum, Memory each');
    // What the form has no field for is said as a whole.
    expect(find('problem').textContent).toContain('options.queue is missing');
    fireEvent.click(find('wrong').querySelectorAll('button')[1]);
    expect(document.activeElement).toBe(memory);
  });

  it('shows what can hardly be meant, and lets it be saved', async () => {
    const api = new TestApi();
    api.doubts = [{ at: 'groups.0.memory', words: 'is more than this machine has', given: '' }];
    await editor(api);
    expect(remark('groups.0.memory')!.textContent).toBe(
      'Memory each is more than this machine has'
    );
    expect(find('field-group-memory').getAttribute('aria-invalid')).toBeNull();
    expect(find('estimate')).toBeTruthy();
  });

  it('writes what was understood', async () => {
    await editor(new TestApi());
    const cpus = await type('group-cpus', '1,5');
    fireEvent.blur(cpus);
    expect(cpus.value).toBe('1.5');
  });
});
