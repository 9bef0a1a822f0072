import { PageConfig } from '@jupyterlab/coreutils';

import { localPath } from '../src/notebook/cell';
import { clientCode, connectCode } from '../src/notebook/code';

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

describe('localPath', () => {
  it('is below the server’s root', () => {
    PageConfig.setOption('serverRoot', '/home/ada');
    expect(localPath('/home/ada/work/a.ipynb')).toBe('work/a.ipynb');
    expect(localPath('work/a.ipynb')).toBe('work/a.ipynb');
  });
});
