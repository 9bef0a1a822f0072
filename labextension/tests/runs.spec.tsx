import { fireEvent } from '@testing-library/react';

import { CommandIDs } from '../src/commands';
import { MlopsError } from '../src/request';

import { NOW, cluster, entry, run, view } from './examples';
import { panel, standStill } from './shown';
import { find } from './stage';

standStill();

describe('Runs', () => {
  it('shows progress, and cancels', async () => {
    const stage = await panel({ runs: [run()] });
    expect(find('run-info').textContent).toBe('61 % · 40 s left');
    expect(document.querySelector('[role="progressbar"]')!.getAttribute('aria-valuenow')).toBe(
      '61'
    );
    await stage.after(() => find('cancel').click());
    expect(stage.api.asked).toEqual([['cancel', 'aaaaaaaaaaaa']]);
  });

  it('says which workers would have done, with a way to a profile of them', async () => {
    const [text, evidence] = ['1 CPU and 1.5 GB would have done', 'Measured for 2 min'];
    const advice = [
      {
        kind: 'less' as const,
        group: 'default',
        cpus: 1,
        memory: 15e8,
        saving: null,
        confidence: 'low' as const,
        text,
        evidence
      }
    ];
    const fit = {
      fitness: 'fit' as const,
      text: 'Fit for spot: an item takes 3 s',
      evidence: '8 h'
    };
    const over = run({ phase: 'done', ended: NOW, advice, spot_fit: fit });
    const stage = await panel({ runs: [over], profiles: [view()] });
    await stage.after(() => find('run-open').click());
    expect(find('advice').querySelector('p')!.outerHTML).toContain(`${evidence}">${text}.`);
    expect(find('run-details').textContent).toContain('SpotFit for spot: an item takes 3 s');
    await stage.after(() => find('save-advice').click());
    expect(stage.executed).toContainEqual([CommandIDs.editProfile, { run: 'aaaaaaaaaaaa' }]);
  });

  it('shows the ranks of a gang as squares that the keyboard goes through', async () => {
    const known = { worker: 'default-1', total: 40, seen: NOW, memory: 69e6, busy: 1, loaders: 0 };
    const rank = { ...known, gpu: null, gpu_memory: 0 };
    const ranks = [
      { ...rank, rank: 0, phase: 'running' as const, step: 20, lag: 0 },
      { ...rank, rank: 1, phase: 'saving' as const, step: 15, lag: 4, gpu: 0.83, gpu_memory: 12e9 },
      { ...rank, rank: 2, phase: 'failed' as const, step: null, lag: 0, memory: 0 }
    ];
    const stage = await panel({ runs: [run({ kind: 'gang', total: 3, ranks, to_finish: 0.42 })] });
    await stage.after(() => find('run-open').click());
    expect(find('run-details').textContent).toContain('To finishabout $0.42');
    expect(find('rank-words').textContent).toBe('step 20 of 40 · rank 1 is 4 behind');
    const squares = [...find('ranks').querySelectorAll('button')];
    expect(squares.map(square => square.tabIndex)).toEqual([0, -1, -1]);
    expect(squares.map(square => square.textContent)).toEqual(['', '↓', '✗']);
    await stage.after(() => squares[0].focus());
    await stage.after(() => fireEvent.keyDown(squares[0], { key: 'ArrowRight' }));
    expect(document.activeElement).toBe(squares[1]);
    const state = 'rank 1 · saving · step 15 of 40 · 4 behind · default-1 · 69 MB';
    const words = `${state} · GPU 83 % · 12.0 GB on the GPU`;
    expect(find('rank-words').textContent).toBe(words);
    expect(squares[1].title).toBe(words);
    await stage.after(() => fireEvent.keyDown(squares[1], { key: 'End' }));
    expect(find('rank-words').textContent).toBe('rank 2 · failed · default-1');
  });

  it('shows where the code of a run is, on demand', async () => {
    const stage = await panel({ runs: [run({ kind: 'gang' })] });
    await stage.after(() => find('run-open').click());
    stage.api.where = [
      { worker: 'default-1', rank: 0, text: 'File "a.py", line 3 in wait', why: '' },
      { worker: 'default-2', rank: 1, text: '', why: 'it has just ended' }
    ];
    await stage.after(() => find('stacks').click(), 500);
    expect(find('stack-texts').textContent).toBe(
      'rank 0 on default-1:\nFile "a.py", line 3 in wait\n\nrank 1 on default-2:\nit has just ended'
    );
    stage.api.refusal = new Error('The cluster did not answer');
    await stage.after(() => find('stacks').click());
    expect(find('problem').textContent).toContain('The cluster did not answer');
  });

  it('follows the journal of an opened run only', async () => {
    const stage = await panel({ runs: [run()] });
    await stage.after(() => find('run-open').click());
    expect(stage.stream.hellos[1].follow_runs).toEqual(['aaaaaaaaaaaa']);
    const value = [entry(1, 'hello\n'), entry(2, 'world')];
    await stage.after(() =>
      stage.stream.change(2, { noun: 'journal', id: 'aaaaaaaaaaaa', value, whole: true })
    );
    expect(find('run-details').textContent).toContain('Cost$0.03 ($0.49 per 1,000 items)');
    expect(find('prints').textContent).toBe('hello\nworld\n');
    await stage.after(() => find('reveal').click());
    expect(stage.executed).toContainEqual([CommandIDs.revealRun, { run: 'aaaaaaaaaaaa' }]);
    await stage.after(() => find('run-open').click());
    expect(stage.stream.hellos[2].follow_runs).toEqual([]);
  });

  it('shows what failed, and runs again what was kept', async () => {
    const errors = [
      { index: 42, item: '42', error: 'ValueError: no title', traceback: 'Traceback' }
    ];
    const failed = run({ phase: 'failed', ended: NOW, failed: 1, errors });
    const stage = await panel({ runs: [failed] });
    expect(find('run-info').textContent).toBe('item 42: ValueError: no title');
    await stage.after(() => find('run-open').click());
    expect(find('item-error').textContent).toContain('Traceback');
    stage.api.refusal = new MlopsError('ClusterEnded', 'The cluster has ended', '', 'Start one.');
    await stage.after(() => find('again').click());
    expect(find('problem').textContent).toBe('The cluster has endedStart one.');
  });

  it('says at once that it runs again, takes a double click for one, and says what became of it', async () => {
    const stage = await panel({ runs: [run({ phase: 'done', ended: NOW })] });
    await stage.after(() => {
      find('again').click();
      find('again').click();
    }, 0);
    expect(find('run-doing').textContent).toBe('Sent again…');
    await stage.after(() => find('again').click(), 3000);
    expect(stage.api.asked).toEqual([['again', 'aaaaaaaaaaaa', undefined]]);
    // The server answered that it is at it.
    expect(find('run-doing').textContent).toBe('Sent again…');
    expect(find('again').getAttribute('aria-busy')).toBe('true');
    const problem = { what: 'The cluster has ended', why: '', todo: '' };
    const value = { ...stage.api.doing, phase: 'failed', problem } as const;
    await stage.after(() => stage.stream.change(2, { noun: 'operation', id: value.id, value }));
    expect(find('problem').textContent).toBe('The cluster has ended');
    expect(document.querySelector('[data-mlops="run-doing"]')).toBeNull();
    expect(find('again').getAttribute('aria-busy')).toBeNull();
  });

  it('believes the stream, where it was quicker than the answer', async () => {
    const stage = await panel({ runs: [run({ phase: 'done', ended: NOW })] });
    const value = { ...stage.api.doing, phase: 'done' } as const;
    await stage.after(() => stage.stream.change(2, { noun: 'operation', id: value.id, value }));
    await stage.after(() => find('again').click(), 1000);
    expect(find('again').getAttribute('aria-busy')).toBeNull();
  });

  it('connects a notebook once on a double click', async () => {
    const stage = await panel({ clusters: [cluster()] });
    await stage.after(() => find('use').click(), 10);
    await stage.after(() => find('use').click(), 10);
    expect(stage.executed.map(([id]) => id)).toEqual([CommandIDs.useCluster]);
    await stage.after(() => undefined, 1000);
    await stage.after(() => find('use').click(), 10);
    expect(stage.executed).toHaveLength(2);
  });
});
