import { noticesOf } from '../src/notice/notices';
import { NOTHING } from '../src/state/state';
import { CandidateState } from '../src/state/schema';
import { NOW, budget, candidate, cluster, run, service } from './examples';
import { trans } from './stage';

function texts(before: object, after: object): string[] {
  const base = { ...NOTHING, loaded: true };
  return noticesOf(trans, { ...base, ...before }, { ...base, ...after }).map(({ text }) => text);
}

const runs = (value: ReturnType<typeof run>) => ({ runs: new Map([[value.id, value]]) });
const clusters = (value: ReturnType<typeof cluster>) => ({
  clusters: new Map([[value.name, value]])
});

describe('noticesOf', () => {
  it('tells of a long run that is over', () => {
    const done = run({ phase: 'done', ended: NOW + 12 });
    expect(texts(runs(run()), runs(done))).toEqual([
      '“clean flights” is done after 1 min 12 s, $0.03'
    ]);
    const failed = run({ phase: 'failed', ended: NOW, error: 'KeyError: 3' });
    expect(texts(runs(run()), runs(failed))).toEqual([
      '“clean flights” failed after 1 min: KeyError: 3'
    ]);
  });

  it('tells what a sweep has found: that trials fail is no news', () => {
    const sweep = { kind: 'sweep', metrics: { best: 0.98125 }, failed: 2 } as const;
    const done = run({ ...sweep, phase: 'done', ended: NOW });
    expect(texts(runs(run(sweep)), runs(done))).toEqual([
      '“clean flights” is done after 1 min, $0.03: best 0.9813, 63 trials'
    ]);
  });

  it('keeps quiet about short, cancelled and old ones', () => {
    expect(texts(runs(run()), runs(run({ phase: 'done', ended: NOW - 55 })))).toEqual([]);
    expect(texts(runs(run()), runs(run({ phase: 'cancelled', ended: NOW })))).toEqual([]);
    expect(texts({}, runs(run({ phase: 'done', ended: NOW })))).toEqual([]);
    const unloaded = { ...NOTHING, ...runs(run()) };
    expect(
      noticesOf(trans, unloaded, { ...NOTHING, ...runs(run({ phase: 'done', ended: NOW })) })
    ).toEqual([]);
  });

  it('tells of each step of a budget, once', () => {
    const at = (step: 'fine' | 'half' | 'warn') =>
      clusters(cluster({ budget: budget({ step, spent: step === 'warn' ? 16.2 : 10 }) }));
    expect(texts(at('fine'), at('half'))).toEqual([
      'Cluster flights: half of the budget is used ($10.00)'
    ]);
    expect(texts(at('half'), at('warn'))).toEqual([
      'Cluster flights: 81% of the budget is used: from 90% on no worker is added ($16.20)'
    ]);
    expect(texts(at('warn'), at('warn'))).toEqual([]);
    expect(texts(at('warn'), at('fine'))).toEqual([]);
  });

  it('tells why a cluster stopped, unless the user stopped it', () => {
    const idle = cluster({ phase: 'ended', cause: 'idle' });
    expect(texts(clusters(cluster()), clusters(idle))).toEqual([
      'Cluster flights: stopped: nobody used it. It cost $0.42.'
    ]);
    const stopped = cluster({ phase: 'ended', cause: 'user' });
    expect(texts(clusters(cluster()), clusters(stopped))).toEqual([]);
  });

  describe('of a version that is tried', () => {
    const tried = (part: Partial<CandidateState>) => ({
      services: [service({ candidate: candidate(part) })]
    });
    const serves = { services: [service({ version: 4, previous: 3 })] };
    const problem = { what: 'churn@4 was taken back: errors are worse', why: '12 %', todo: '' };

    it('tells once that it went back by itself, and why', () => {
      const back = tried({ phase: 'back', share: 0, problem });
      const text = 'Service churn: churn@4 was taken back: errors are worse – 12 %';
      expect(texts(tried({}), back)).toEqual([text]);
      expect(texts({ services: [service()] }, back)).toEqual([text]);
      expect(texts(back, tried({ phase: 'back', share: 0, problem, errors: 9 }))).toEqual([]);
    });

    it('tells that it went all the way by itself, and not each step', () => {
      const text = 'Service churn: churn@4 answers all now, in place of churn@3';
      expect(texts(tried({ share: 0.5 }), serves)).toEqual([text]);
      expect(texts(tried({ phase: 'won' }), serves)).toEqual([text]);
      expect(texts(tried({ share: 0.05 }), tried({ share: 0.25 }))).toEqual([]);
    });

    it('keeps quiet about what somebody decided, and about one that didn’t start', () => {
      expect(texts(tried({}), serves)).toEqual([]);
      expect(texts(tried({ share: 0.5, paused: true }), serves)).toEqual([]);
      expect(texts(tried({ way: 'ab', share: 0.5, steps: [] }), serves)).toEqual([]);
      expect(texts(tried({}), tried({ phase: 'back', share: 0 }))).toEqual([]);
      const starting = tried({ phase: 'starting', requests: 0 });
      expect(texts(starting, tried({ phase: 'back', requests: 0, problem }))).toEqual([]);
      expect(texts({}, tried({ phase: 'back', problem }))).toEqual([]);
    });
  });
});
