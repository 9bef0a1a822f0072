import { fireEvent } from '@testing-library/react';
import React from 'react';

import { CommandIDs } from '../src/commands';
import { ModelDetails } from '../src/models/details';
import { Models } from '../src/models/list';
import { PromoteForm } from '../src/models/promote';
import { MlopsError } from '../src/request';
import {
  GateResult,
  Measured,
  ModelSummary,
  ModelVersion,
  ModelView,
  Verdict
} from '../src/state/schema';
import { Made } from '../src/run/made';
import { NOW, run, snapshot } from './examples';
import { find, Stage } from './stage';

const measure = (value: number): Measured => ({
  value,
  low: 0.8,
  high: 0.9,
  rows: 400,
  more: true
});

const summary = (part: Partial<ModelSummary> = {}): ModelSummary => ({
  name: 'churn',
  versions: 2,
  newest: 2,
  champion: 1,
  owner: 'ada',
  text: '',
  tags: [],
  since: NOW,
  metric: 'accuracy',
  measured: measure(0.8734),
  failed: [],
  changed: 1,
  problem: null,
  ...part
});

const version = (number: number, part: Partial<ModelVersion> = {}): ModelVersion => ({
  format: 1,
  model: 'churn',
  number,
  created: NOW,
  owner: 'ada',
  task: 'classification',
  flavor: 'sklearn',
  runs_code: true,
  note: '',
  digest: 'd',
  files: { 'artifact/model.pkl': 'd' },
  size: 20_000,
  signature: {
    kind: 'unknown',
    columns: [],
    shape: [],
    dtype: '',
    answer: '',
    answer_shape: []
  },
  metrics: { accuracy: measure(0.8734) },
  python: '3.11.7',
  platform: 'linux',
  packages: {},
  made: {
    run: 'aaaaaaaaaaaa',
    run_name: 'train',
    notebook: '/home/ada/train.ipynb',
    cell: 'c4',
    number: null,
    notebook_saved: null,
    unsaved: false,
    program: '',
    train: '',
    valid: '',
    cost: null
  },
  registered: '',
  problem: null,
  ...part
});

const gate = (passed: boolean): GateResult => ({
  gate: 'accuracy',
  passed,
  words: passed ? '0.87, at least 0.8' : '0.7, at least 0.8',
  value: 0.7,
  low: null,
  high: null
});

const verdict = (number: number, passed: boolean): Verdict => ({
  format: 1,
  version: number,
  champion: 1,
  time: NOW,
  results: [gate(passed)]
});

const modelView = (part: Partial<ModelView> = {}): ModelView => ({
  model: {
    name: 'churn',
    versions: [version(2), version(1)],
    aliases: { format: 1, champion: 1, since: NOW, by: 'ada', trail: 2, trail_digest: '' },
    description: { format: 1, text: '', tags: [], owner: '' },
    gated: true,
    problem: null
  },
  gates: {
    format: 1,
    metrics: { accuracy: { least: 0.8, most: null } },
    improvement: null,
    latency: null,
    size: null,
    slices: [],
    packages: null
  },
  verdicts: [],
  trail: [
    {
      format: 1,
      seq: 2,
      time: NOW,
      actor: { name: 'ada', how: 'cli' },
      verb: 'promoted',
      object: 'churn@1',
      service: '',
      before: '',
      after: '1',
      why: 'the first',
      override: true,
      gates: [gate(false)],
      digest: '',
      previous: ''
    }
  ],
  ...part
});

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW * 1000);
});
afterEach(() => jest.useRealTimers());

describe('Models in the sidebar', () => {
  it('say how the first one is made', async () => {
    const stage = new Stage();
    stage.show(<Models wanted="" />);
    await stage.after(() => stage.stream.say(snapshot()));
    expect(find('models').textContent).toContain('mlops.save_model(');
  });

  it('tell champion, measure and gates that failed, are filtered, and open', async () => {
    const stage = new Stage();
    const models = [summary({ failed: ['size'] }), summary({ name: 'late', champion: null })];
    const { rerender } = stage.show(<Models wanted="" />);
    await stage.after(() => stage.stream.say(snapshot({ models })));
    const row = find('model');
    expect(find('model-open', row).textContent).toBe('churn@1');
    expect(find('model-info', row).textContent).toMatch(/^accuracy 0.873 · \d\d:\d\d$/);
    expect(find('model-failed', row).textContent).toBe('@2 failed size');
    const late = document.querySelector('[data-name="late"]')!;
    expect(late.textContent).toMatch(/^late@2no champion · accuracy/);
    find('model-open', row).click();
    expect(stage.executed).toEqual([[CommandIDs.openModel, { model: 'churn' }]]);
    rerender(stage.within(<Models wanted="late" />));
    expect(document.querySelectorAll('[data-mlops="model"]')).toHaveLength(1);
  });

  it('are found among hundreds by tag, owner and text', async () => {
    const stage = new Stage();
    const models = Array.from({ length: 500 }, (_, index) =>
      summary({
        name: `model-${index}`,
        owner: index % 5 === 0 ? 'grace' : 'ada',
        tags: index === 15 ? ['Credit', 'eu'] : [],
        text: index === 17 ? 'Who leaves next month' : ''
      })
    );
    const { rerender } = stage.show(<Models wanted="" />);
    await stage.after(() => stage.stream.say(snapshot({ models })));
    const shown = (): string[] =>
      [...document.querySelectorAll<HTMLElement>('[data-mlops="model"]')].map(
        row => row.dataset.name!
      );
    expect(shown()).toHaveLength(500);
    for (const [wanted, name] of [
      ['credit', 'model-15'],
      ['GRACE eu', 'model-15'],
      ['leaves month', 'model-17']
    ]) {
      rerender(stage.within(<Models wanted={wanted} />));
      expect(shown()).toEqual([name]);
    }
  });
});

describe('The details of a model', () => {
  it('lead to the run, and are asked for again when the model changes', async () => {
    const stage = new Stage();
    stage.api.modelView = modelView({ verdicts: [verdict(1, false)] });
    stage.show(<ModelDetails name="churn" />);
    await stage.after(() => stage.stream.say(snapshot({ models: [summary()] })));
    expect(find('use-code').textContent).toContain('mlops.model("churn").load()');
    const champion = document.querySelector<HTMLElement>('[data-champion="true"]')!;
    expect(champion.textContent).toContain('accuracy0.8734 (0.8 to 0.9)');
    expect(find('gates-word', champion).textContent).toBe('✗ accuracy');
    expect(champion.querySelector('[data-mlops="promote"]')).toBeNull();
    expect(find('trail-entry').textContent).toContain(
      'promoted churn@1 despite its gatesthe first✗ accuracy: 0.7, at least 0.8'
    );
    find('version-run', champion).click();
    find('version-cell', champion).click();
    const { notebook, cell } = stage.api.modelView.model.versions.find(
      each => each.number === 1
    )!.made;
    expect(stage.executed).toEqual([
      [CommandIDs.openRun, { run: 'aaaaaaaaaaaa' }],
      [CommandIDs.revealCell, { notebook, cell }]
    ]);
    const asked = stage.api.asked.length;
    await stage.after(() =>
      stage.stream.change(2, { noun: 'models', id: '', value: [summary({ changed: 2 })] })
    );
    expect(stage.api.asked.slice(asked)).toEqual([['model', 'churn']]);
  });
});

describe('Many versions', () => {
  it('are folded after the newest, but for the champion', async () => {
    const stage = new Stage();
    const versions = Array.from({ length: 100 }, (_, index) => version(100 - index));
    stage.api.modelView = modelView({ model: { ...modelView().model, versions } });
    stage.show(<ModelDetails name="churn" />);
    await stage.after(() => stage.stream.say(snapshot({ models: [summary()] })));
    const shown = (): number => document.querySelectorAll('[data-mlops="version"]').length;
    expect(shown()).toBe(21);
    expect(find('all-versions').textContent).toBe('and 79 more');
    await stage.after(() => find('all-versions').click());
    expect(shown()).toBe(100);
    expect(document.querySelector('[data-mlops="all-versions"]')).toBeNull();
  });
});

describe('The notebook of a version', () => {
  it('is opened as a copy beside it, and never over a file', async () => {
    const stage = new Stage();
    const kept = version(1, { files: { 'notebook.ipynb': 'd' } });
    stage.api.modelView = modelView({
      model: { ...modelView().model, versions: [version(2), kept] }
    });
    stage.api.notebookOf = async () => ({
      name: 'churn@1 as of 12 May 2026.ipynb',
      folder: 'work',
      notebook: { cells: [] }
    });
    stage.show(<ModelDetails name="churn" />);
    await stage.after(() => stage.stream.say(snapshot({ models: [summary()] })));
    expect(document.querySelectorAll('[data-mlops="version-notebook"]')).toHaveLength(1);
    stage.files.set('work/churn@1 as of 12 May 2026.ipynb', 'mine');
    await stage.after(() => find('version-notebook').click());
    const path = 'work/churn@1 as of 12 May 2026 (2).ipynb';
    expect(stage.files.get('work/churn@1 as of 12 May 2026.ipynb')).toBe('mine');
    expect(stage.files.get(path)).toEqual({ cells: [] });
    expect(stage.executed).toEqual([['docmanager:open', { path }]]);
  });
});

describe('A run', () => {
  it('tells which versions it made, and leads to them', async () => {
    const stage = new Stage();
    stage.api.versions = ['churn@3', 'churn@4'];
    stage.show(<Made run={run()} />);
    expect(stage.api.asked).toEqual([]);
    await stage.after(() => stage.stream.say(snapshot({ models: [summary()] })));
    expect(find('made').textContent).toBe('Made churn@3churn@4');
    find('made-version').click();
    expect(stage.executed).toEqual([[CommandIDs.openModel, { model: 'churn' }]]);
  });
});

describe('Promoting', () => {
  it('says what refuses it, and then needs a reason', async () => {
    const stage = new Stage();
    const closed = jest.fn();
    stage.show(<PromoteForm view={modelView()} version={2} onClose={closed} />);
    const form = find('promote-dialog') as HTMLFormElement;
    expect(form.textContent).toContain('Its gates judge it first: accuracy.');
    stage.api.promote = async () => {
      throw new MlopsError('GatesFailed', 'churn@2 isn’t promoted');
    };
    stage.api.modelView = modelView({ verdicts: [verdict(2, false)] });
    await stage.after(() => void fireEvent.submit(form));
    expect(find('result').textContent).toContain('accuracy 0.7, at least 0.8');
    expect(find('promote-now').getAttribute('aria-disabled')).toBe('true');
    const sent = jest.fn().mockResolvedValue(null);
    stage.api.promote = sent;
    await stage.after(() => void fireEvent.submit(form));
    expect(sent).not.toHaveBeenCalled();
    fireEvent.change(find('promote-why'), { target: { value: ' the old one is wrong ' } });
    await stage.after(() => void fireEvent.submit(form));
    const why = 'the old one is wrong';
    expect(sent).toHaveBeenCalledWith('churn', { version: 2, why, override: why, expected: 1 });
    expect(closed).toHaveBeenCalled();
  });
});
