import { PageConfig } from '@jupyterlab/coreutils';

import { localPath } from '../src/notebook/cell';
import { clientCode, connectCode, isSavable, saveCode } from '../src/notebook/code';
import { run } from './examples';

describe('the code that connects', () => {
  it('has the lines for cells, and those for a Dask client', () => {
    expect(connectCode('flights-2')).toBe('%load_ext jupyter_mlops\n%mlcluster select flights-2');
    expect(connectCode('flights.ml.kubernetes')).toMatch(/select flights\.ml\.kubernetes$/);
    expect(connectCode('flights.local~19a3b4c5d6e')).toMatch(/select flights\.local~19a3b4c5d6e$/);
    expect(clientCode('flights-2')).toBe(
      'import jupyter_mlops as mlops\ncluster = mlops.cluster("flights-2")\nclient = cluster.client()'
    );
  });

  it.each([connectCode, clientCode])('has only names in it', code => {
    expect(() => code('x\nimport os')).toThrow();
    expect(() => code('x.y\nimport os')).toThrow();
    expect(() => code('x.local~$(id)')).toThrow();
    expect(() => code('x")')).toThrow();
    expect(() => code('')).toThrow();
  });
});

describe('the code that saves what a run made', () => {
  const last = (part: Parameters<typeof run>[0]): string => saveCode(run(part)).split('\n').pop()!;

  it('has what a cell made last, and the result of a function', () => {
    const code = 'X, y = split(table)\nmodel = fit(X)\nif model == 1:\n    other = 2\n';
    expect(last({ id: '1a2b', kind: 'cell', name: 'Train it!', code })).toBe(
      'mlops.save_model(model, "train-it", valid=(X_valid, y_valid), run="1a2b")'
    );
    expect(last({ id: '1a2b', kind: 'function', name: '2', code: '' })).toBe(
      'mlops.save_model(mlops.get_run("1a2b"), "model", valid=(X_valid, y_valid), run="1a2b")'
    );
    expect(() => last({ id: '"); import os' })).toThrow();
  });

  it('is offered for what is done, and made one thing', () => {
    expect(isSavable(run({ phase: 'done', kind: 'cell' }))).toBe(true);
    expect(isSavable(run({ phase: 'failed', kind: 'cell' }))).toBe(false);
    expect(isSavable(run({ phase: 'done', kind: 'map' }))).toBe(false);
  });
});

describe('localPath', () => {
  it('is below the server’s root', () => {
    PageConfig.setOption('serverRoot', '/home/ada');
    expect(localPath('/home/ada/work/a.ipynb')).toBe('work/a.ipynb');
    expect(localPath('work/a.ipynb')).toBe('work/a.ipynb');
    PageConfig.setOption('serverRoot', '~/work'); // as the server says it of what is in one's home
    expect(localPath('/home/ada/work/by night/a.ipynb')).toBe('by night/a.ipynb');
    expect(localPath('/srv/a.ipynb')).toBe('srv/a.ipynb');
  });
});
