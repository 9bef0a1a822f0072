import React from 'react';

import { describe as inWords } from '../src/curve/chart';
import {
  drawn,
  facts,
  mainKey,
  merge,
  MOST_FAINT,
  NONE,
  smoothed,
  strongest,
  trialGroups,
  trialsWith
} from '../src/curve/data';
import { SmallCurves } from '../src/curve/small';
import { CurvesView } from '../src/curve/view';
import { useSelector } from '../src/state/hooks';
import { CurveData } from '../src/state/schema';
import { run, snapshot } from './examples';
import { find, Stage, trans } from './stage';

const curve = (more: Partial<CurveData> = {}): CurveData => ({
  key: 'loss',
  rank: 0,
  trial: null,
  steps: [0, 1, 2],
  values: [4, 2, 1],
  odd: '',
  odd_step: null,
  ...more
});
const options = {
  each: false,
  log: false,
  smoothing: 0,
  part: ({ rank }: CurveData) => `rank ${rank}`
};

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => jest.useRealTimers());

describe('Curves', () => {
  it('are a mean and a band over the ranks, or a line for each', () => {
    const curves = [curve(), curve({ rank: 1, steps: [0, 2], values: [2, 3] })];
    const groups = [{ name: 'fit', curves }];
    expect(drawn(groups, options).data).toEqual([
      [0, 1, 2],
      [4, 2, 3],
      [2, 2, 1],
      [3, 2, 2]
    ]);
    const each = drawn(groups, { ...options, each: true });
    expect(each.lines.map(line => line.label)).toEqual(['fit rank 0', 'fit rank 1']);
    expect(each.data[2]).toEqual([2, 2, 3]);
  });

  it('have gaps where there is no number, and where a logarithm has none', () => {
    const odd = curve({ values: [null, -1, 2], odd: 'nan', odd_step: 0 });
    expect(drawn([{ name: '', curves: [odd] }], options).data[1]).toEqual([null, -1, 2]);
    expect(drawn([{ name: '', curves: [odd] }], { ...options, log: true }).data[1]).toEqual([
      null,
      null,
      2
    ]);
    expect(smoothed([null, 4, 2], 0.5)).toEqual([null, 4, 8 / 3]);
    expect(facts(curve({ values: [null, null, null] }))).toBeNull();
    expect(drawn([], options).data).toEqual([[]]);
  });

  it('of a sweep are those of its best trials before all others', () => {
    const trials = Array.from({ length: 7 }, (_, trial) => curve({ trial }));
    expect(strongest(trialsWith(trials.slice(2), [4, 3, 9]))).toEqual([4, 3, 2, 5, 6]);
    const strong = strongest(trialsWith(trials, [4, 3]));
    expect(strong).toEqual([4, 3, 0]);
    const groups = trialGroups(trials, strong, trial => `trial ${trial}`);
    const { lines } = drawn(groups, options);
    expect(lines.map(({ kind, group }) => [kind, group])).toEqual([
      ...Array.from({ length: 4 }, () => ['faint', -1]),
      ['own', 0],
      ['own', 1],
      ['own', 2]
    ]);
    const many = Array.from({ length: MOST_FAINT + 2 }, (_, trial) => curve({ trial }));
    const band = drawn(
      trialGroups(many, [1], trial => `trial ${trial}`),
      options
    );
    expect(band.lines.map(line => line.kind)).toEqual(['high', 'low', 'own']);
    expect(inWords(trans, 'loss', groups)).toMatch(/^loss, trial 4: .*\. 4 other trials, faint$/);
  });

  it('of trials that are ticked stand out', async () => {
    const stage = new Stage();
    const done = run({ phase: 'done', ended: 1, kind: 'sweep', metrics: { loss: 1 } });
    const curves = Array.from({ length: 8 }, (_, trial) => curve({ trial }));
    stage.api.drawn = { seq: 3, curves, attempts: [], left_out: 0 };
    const asked = { goal: 'max', metric: 'auc', budget: null, time: null, prune: null } as const;
    const sweep = { ...asked, spent: 0, space: {} };
    stage.api.tried = [{ seq: 1, sweep, trials: [], more: false }];
    stage.show(<CurvesView run={done.id} />);
    await stage.after(() => stage.stream.say(snapshot({ runs: [done] })));
    expect(find('curve-rest').textContent).toMatch(/^The other 5 trials are faint/);
    const ticks = [...find('curve-numbers').querySelectorAll('input')];
    expect(ticks.map(tick => tick.checked).filter(Boolean)).toHaveLength(3);
    await stage.after(() => ticks[5].click());
    expect(find('curve').getAttribute('aria-label')).toMatch(/trial 5.*4 other trials, faint$/);
  });

  it('are told in words', () => {
    const odd = curve({ rank: 1, odd: 'nan', odd_step: 7 });
    expect(inWords(trans, 'loss', [{ name: 'fit', curves: [curve(), odd] }])).toBe(
      'loss, fit: 1 at step 2, from 4, smallest 1 at step 2, largest 4, 2 ranks, nan from step 7 on'
    );
    expect(inWords(trans, 'loss', [{ name: '', curves: [] }])).toBe('loss: no number yet');
    expect(mainKey(['acc', 'val_loss'])).toBe('val_loss');
  });

  it('take over what changed, and keep the rest', () => {
    const view = { seq: 1, curves: [curve({ rank: 1 }), curve()], attempts: [], left_out: 0 };
    const known = merge(merge(NONE, view), { ...view, seq: 2, curves: [curve({ steps: [9] })] });
    expect([...known.byKey.get('loss')!.values()].map(each => each.steps.length)).toEqual([1, 3]);
  });

  it('are compared, on the same axes, with runs that have the same metric', async () => {
    const stage = new Stage();
    const metrics = { loss: 1 };
    const done = { phase: 'done', ended: 1, metrics } as const;
    const runs = [
      run({ ...done, name: 'fit' }),
      run({ ...done, id: 'bbbbbbbbbbbb', name: 'other' }),
      run({ ...done, id: 'cccccccccccc', metrics: { size: 3 } })
    ];
    stage.api.drawn = { seq: 3, curves: [curve()], attempts: [], left_out: 0 };
    stage.show(<CurvesView run="aaaaaaaaaaaa" />);
    await stage.after(() => stage.stream.say(snapshot({ runs })));
    expect(find('curve').getAttribute('aria-label')).toMatch(/^loss, fit: 1 at step 2/);
    const [tick, ...more] = find('compare').querySelectorAll('input');
    expect(more).toEqual([]);
    await stage.after(() => tick.click());
    expect(find('curve').getAttribute('aria-label')).toMatch(/loss, other/);
    expect(find('curve-numbers').querySelectorAll('tbody tr')).toHaveLength(2);
    expect(stage.api.asked.map(([what, id]) => [what, id])).toEqual([
      ['curves', 'aaaaaaaaaaaa'],
      ['curves', 'bbbbbbbbbbbb']
    ]);
  });

  it('are asked for every two seconds while a run goes on, and once more at its end', async () => {
    const stage = new Stage();
    const live = run({ metrics: { loss: 1 } });
    stage.api.drawn = { seq: 3, curves: [curve()], attempts: [], left_out: 0 };
    const Changing = (): JSX.Element => (
      <SmallCurves run={useSelector(state => state.runs.get(live.id)) ?? live} />
    );
    stage.show(<Changing />);
    await stage.after(() => stage.stream.say(snapshot({ runs: [live] })));
    for (let seq = 2; seq < 6; seq++) {
      const value = run({ metrics: { loss: 1 / seq } });
      await stage.after(() => stage.stream.change(seq, { noun: 'run', id: live.id, value }), 250);
    }
    expect(stage.api.asked).toEqual([['curves', live.id, 0, 200]]);
    await stage.after(() => undefined, 2000);
    expect(stage.api.asked.slice(1)).toEqual([['curves', live.id, 3, 200]]);
    const value = run({ metrics: { loss: 0.1 }, phase: 'done', ended: 1 });
    await stage.after(() => stage.stream.change(9, { noun: 'run', id: live.id, value }));
    expect(stage.api.asked.slice(2)).toEqual([['curves', live.id, 0, 200]]);
  });
});
