import { MlopsError } from '../src/request';
import { Gate } from '../src/state/gate';
import { reduce } from '../src/state/reduce';
import { NOTHING } from '../src/state/state';
import {
  NOW,
  cluster,
  entry,
  idOf,
  operation,
  profile,
  run,
  snapshot,
  view,
  worker
} from './examples';
import { Stage } from './stage';

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

describe('reduce', () => {
  const loaded = reduce(NOTHING, snapshot({ clusters: [cluster()], runs: [run()] }), NOW);
  const change = (...changes: never[]) =>
    ({ type: 'changes', epoch: 'e1', seq: 2, now: NOW, changes }) as never;

  it('keeps what a change does not touch', () => {
    const value = run({ done: 70 });
    const next = reduce(loaded, change({ noun: 'run', id: value.id, value } as never), NOW);
    expect(next.runs.get(value.id)?.done).toBe(70);
    expect(next.clusters).toBe(loaded.clusters);
    expect(loaded.runs.get(value.id)?.done).toBe(61);
    expect(next.seq).toBe(2);
  });

  it('drops what is no longer listed', () => {
    const gone = change({ noun: 'cluster', id: idOf(), value: null } as never);
    expect(reduce(loaded, gone, NOW).clusters.size).toBe(0);
  });

  it('merges workers, drops those that are gone, and starts anew when told the whole', () => {
    const two = [worker(), worker({ name: 'default-2' })];
    const base = { noun: 'workers', id: idOf(), gone: [], whole: false };
    let state = reduce(loaded, change({ ...base, value: two, whole: true } as never), NOW);
    const busy = worker({ phase: 'busy' });
    const more = { ...base, value: [busy], gone: ['default-2'] };
    state = reduce(state, change(more as never), NOW);
    expect([...state.workers.get(idOf())!.values()]).toEqual([busy]);
    state = reduce(state, change({ ...base, value: [], whole: true } as never), NOW);
    expect(state.workers.get(idOf())!.size).toBe(0);
  });

  it('takes a line that comes twice once', () => {
    const base = { noun: 'journal', id: 'aaaaaaaaaaaa', whole: false };
    const first = { ...base, value: [entry(1, 'a'), entry(2, 'b')] };
    const second = { ...base, value: [entry(2, 'b'), entry(3, 'c')] };
    const state = reduce(reduce(loaded, change(first as never), NOW), change(second as never), NOW);
    expect(state.journals.get('aaaaaaaaaaaa')!.map(line => line.text)).toEqual(['a', 'b', 'c']);
  });

  it('ignores nouns of a newer server', () => {
    const next = reduce(loaded, change({ noun: 'model', id: 'm', value: {} } as never), NOW);
    expect(next.clusters).toBe(loaded.clusters);
  });

  it('knows the server’s clock, without following every wobble of the network', () => {
    const state = reduce(NOTHING, snapshot({ now: NOW + 100 }), NOW);
    expect(state.skew).toBe(100);
    expect(reduce(state, { ...snapshot({ now: NOW + 100.4 }) }, NOW).skew).toBe(100);
    expect(reduce(state, { ...snapshot({ now: NOW }) }, NOW).skew).toBe(0);
  });
});

describe('Store', () => {
  it('tells many messages at once, and the first at once', async () => {
    const { store, stream } = new Stage();
    const seen: number[] = [];
    store.changed.connect(() => seen.push(store.state.seq!));
    stream.say(snapshot({ runs: [run()] }));
    expect(seen).toEqual([1]);
    for (let seq = 2; seq < 50; seq++) {
      stream.change(seq, { noun: 'run', id: run().id, value: run({ done: seq }) });
    }
    expect(seen).toEqual([1]);
    await jest.advanceTimersByTimeAsync(250);
    expect(seen).toEqual([1, 49]);
  });

  it('resumes where it was when the connection comes back', () => {
    const { stream } = new Stage();
    expect(stream.greet!()).toMatchObject({ epoch: null, seq: null });
    stream.say(snapshot({ seq: 7 }));
    expect(stream.greet!()).toMatchObject({ epoch: 'e1', seq: 7, follow_clusters: [] });
  });

  it('asks for workers only while somebody looks, and forgets them afterwards', async () => {
    const { store, stream } = new Stage();
    stream.say(snapshot({ clusters: [cluster()] }));
    const one = store.follow('cluster', idOf());
    const two = store.follow('cluster', idOf());
    expect(stream.hellos.map(hello => hello.follow_clusters)).toEqual([[], [idOf()]]);
    const value = [worker()];
    stream.change(2, { noun: 'workers', id: idOf(), value, gone: [], whole: true });
    await jest.advanceTimersByTimeAsync(250);
    expect(store.state.workers.get(idOf())?.size).toBe(1);
    one.dispose();
    expect(stream.hellos).toHaveLength(2);
    two.dispose();
    expect(stream.hellos[2].follow_clusters).toEqual([]);
    stream.change(3);
    await jest.advanceTimersByTimeAsync(250);
    expect(store.state.workers.has(idOf())).toBe(false);
  });

  it('shows a start at once, and no longer once the cluster is listed', async () => {
    const { store, stream } = new Stage();
    stream.say(snapshot());
    const started = store.startCluster({ profile: 'this-machine' });
    expect(store.state.starts).toMatchObject([{ title: 'This machine', cluster: null }]);
    await started;
    expect(store.state.starts).toMatchObject([{ cluster: idOf() }]);
    stream.change(2, { noun: 'cluster', id: idOf(), value: cluster({ phase: 'starting' }) });
    await jest.advanceTimersByTimeAsync(250);
    expect(store.state.starts).toEqual([]);
  });

  it('drops a start whose cluster was listed before the answer came', async () => {
    const { store, stream } = new Stage();
    stream.say(snapshot());
    const started = store.startCluster({ profile: 'this-machine' });
    stream.change(2, { noun: 'cluster', id: idOf(), value: cluster() });
    await started;
    expect(store.state.starts).toEqual([]);
  });

  it('keeps a start that was refused, with what, why and what to do', async () => {
    const { store, stream, api } = new Stage();
    stream.say(snapshot());
    api.refusal = new MlopsError('StorageFull', 'The disk is full', 'no space', 'Make room.');
    await store.startCluster({ profile: 'this-machine' });
    expect(store.state.starts[0].problem).toEqual({
      what: 'The disk is full',
      why: 'no space',
      todo: 'Make room.'
    });
    store.dismissStart(store.state.starts[0].id);
    expect(store.state.starts).toEqual([]);
  });

  it('knows of an operation before the stream tells of it', () => {
    const { store } = new Stage();
    store.putOperation(operation());
    expect(store.state.operations.get('o1')?.kind).toBe('scale');
  });

  it('knows of a profile that was saved or removed before the stream tells of it', () => {
    const { store, stream } = new Stage();
    stream.say(snapshot());
    const names = () => store.state.profiles.map(each => each.profile.name);
    store.putProfile(view({ profile: profile({ name: 'mine' }) }));
    store.putProfile(view({ profile: profile({ name: 'mine', title: 'Mine' }) }));
    expect(names()).toEqual(['this-machine', 'mine']);
    expect(store.state.profiles[1].profile.title).toBe('Mine');
    store.dropProfile('mine');
    expect(names()).toEqual(['this-machine']);
  });
});

describe('Gate', () => {
  it('lets nothing through while its view is hidden, and the latest when it is shown', async () => {
    const { store, stream } = new Stage();
    const gate = new Gate(store);
    let draws = 0;
    gate.subscribe(() => draws++);
    stream.say(snapshot());
    stream.change(2, { noun: 'cluster', id: idOf(), value: cluster() });
    await jest.advanceTimersByTimeAsync(250);
    expect(draws).toBe(0);
    expect(gate.state).toBe(NOTHING);
    gate.open = true;
    expect(draws).toBe(1);
    expect(gate.state.clusters.has(idOf())).toBe(true);
  });
});
