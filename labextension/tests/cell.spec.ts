import { PageConfig } from '@jupyterlab/coreutils';

import { connectCode, localPath } from '../src/notebook/cell';

describe('connectCode', () => {
  it('writes only names into code', () => {
    expect(connectCode('flights-2')).toBe('%load_ext jupyter_mlops\n%mlcluster select flights-2');
    expect(() => connectCode('x\nimport os')).toThrow();
    expect(() => connectCode('')).toThrow();
  });
});

describe('localPath', () => {
  it('is below the server’s root', () => {
    PageConfig.setOption('serverRoot', '/home/ada');
    expect(localPath('/home/ada/work/a.ipynb')).toBe('work/a.ipynb');
    expect(localPath('work/a.ipynb')).toBe('work/a.ipynb');
  });
});
