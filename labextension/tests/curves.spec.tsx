import React from 'react';

import { describe as inWords } from '../src/curve/chart';
import { drawn, facts, mainKey, merge, NONE, smoothed } from '../src/curve/data';
import { SmallCurves } from '../src/curve/small';
import { CurvesView } from '../src/curve/view';
import { useSelector } from '../src/state/hooks';
import { CurveData } from '../src/state/schema';
import { run, snapshot } from './examples';
import { find, Stage, trans } from './stage';

const curve = (more: Partial<CurveData> = {}): CurveData => ({
  key: 'loss',
  rank: 0,
  steps: [0, 1, 2],
  values: [4, 2, 1],
  odd: '',
  odd_step: null,
  ...more
});
const options = { each: false, log: false, smoothing: 0, rank: (rank: number) => `rank ${rank}` };

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
