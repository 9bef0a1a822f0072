const jestJupyterLab = require('@jupyterlab/testing/lib/jest-config');

const lab = jestJupyterLab(__dirname);

/** Packages that are published as ES modules only, and so have to be translated too. */
const MODULES = [
  '@codemirror',
  '@jupyter',
  '@jupyterlab',
  '@lumino',
  '@marijn',
  '@microsoft',
  '@rjsf',
  'lib0',
  'nanoid'
];

module.exports = {
  ...lab,
  moduleNameMapper: {
    ...lab.moduleNameMapper,
    // The test environment has no canvas.
    '^uplot$': '<rootDir>/tests/plot.ts'
  },
  reporters: ['default'],
  setupFiles: [...lab.setupFiles, '<rootDir>/tests/browser.ts'],
  testRegex: '/tests/.*\\.spec\\.tsx?$',
  // The machine may have other work, and stand still for longer than the 5 s that are Jest's own.
  testTimeout: 150_000,
  transformIgnorePatterns: [
    `/node_modules/(?!(${MODULES.join('|')}|marked|vscode-ws-jsonrpc|y-protocols|y-websocket|yjs|color|exenv-es6)).+`
  ],
  transform: {
    ...lab.transform,
    '^.+\\.tsx?$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.test.json' }]
  }
};
