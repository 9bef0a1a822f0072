import { act, fireEvent, render } from '@testing-library/react';
import React from 'react';

import { draftOf, moved, NEW_DRAFT, profileOf } from '../src/profile/draft';
import { Editor } from '../src/profile/editor';
import { MlopsError } from '../src/request';
import { PLACES, profile } from './examples';
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
      limits: { ...NEW_DRAFT.limits, idle_timeout: ' ', budget: 'lots' }
    });
    expect(sent.limits).toMatchObject({ idle_timeout: null, budget: 'lots' });
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

describe('Editor', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  const settle = () => act(() => jest.advanceTimersByTimeAsync(500));

  async function editor(api: TestApi): Promise<Record<'onSaved' | 'onClose', jest.Mock>> {
    const [onSaved, onClose] = [jest.fn(), jest.fn()];
    render(
      <Editor
        api={api}
        trans={trans}
        draft={NEW_DRAFT}
        places={PLACES}
        removable={false}
        onSaved={onSaved}
        onRemoved={jest.fn()}
        onClose={onClose}
      />
    );
    await settle();
    return { onSaved, onClose };
  }

  it('says what it would cost, and saves', async () => {
    const api = new TestApi();
    const { onSaved, onClose } = await editor(api);
    expect(find('estimate').textContent).toMatch(/8 CPUs and 16.0 GB at the start · \$1.20/);
    const save = find('profile-save') as HTMLButtonElement;
    expect(save.disabled).toBe(true);
    fireEvent.change(find('field-name'), { target: { value: 'mine' } });
    await settle();
    expect(save.disabled).toBe(false);
    fireEvent.click(save);
    await settle();
    expect(api.asked.find(([name]) => name === 'saveProfile')![1]).toMatchObject({ name: 'mine' });
    expect(onSaved).toHaveBeenCalledWith(expect.objectContaining({ profile: profile() }));
    expect(onClose).toHaveBeenCalled();
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
    expect(find('field-group-spot')).toBeTruthy();
  });

  it('shows what is wrong while it is typed, and lets nothing wrong be saved', async () => {
    const api = new TestApi();
    await editor(api);
    api.refusal = new MlopsError('InvalidSpec', 'This profile isn’t valid', 'workers must be …');
    fireEvent.change(find('field-group-workers'), { target: { value: '99' } });
    await settle();
    expect(find('problem').textContent).toContain('workers must be …');
    expect((find('profile-save') as HTMLButtonElement).disabled).toBe(true);
  });
});
