import js from '@eslint/js';
import imports, { createNodeResolver } from 'eslint-plugin-import-x';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const TYPES = {
  selector: 'ImportDeclaration[importKind="type"][source.value=/^[.]/]',
  message: 'Import it without `type`: import-x/no-cycle passes over imports of types.'
};

// How numbers, money and times are written is decided in one place, as in Python.
const WRITTEN = [
  'CallExpression[callee.property.name=/^(toLocale(Date|Time)?String|fmtDate)$/]',
  'MemberExpression[object.name="Intl"][property.name=/Format$/]'
].map(selector => ({ selector, message: 'Use the functions of src/words/.' }));

export default tseslint.config(
  {
    ignores: [
      'lib/',
      'node_modules/',
      'coverage/',
      'src/state/schema.ts',
      '*.js',
      'style/',
      'scripts/'
    ]
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  a11y.flatConfigs.recommended,
  hooks.configs['recommended-latest'],
  {
    files: ['src/**/*.{ts,tsx}', 'tests/**/*.{ts,tsx}'],
    languageOptions: { parserOptions: { project: './tsconfig.lint.json' } },
    plugins: { 'import-x': imports },
    settings: {
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.tsx'] })],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] }
    },
    rules: {
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], custom: { regex: '^I[A-Z]', match: true } }
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-namespace': ['error', { allowDeclarations: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'import-x/no-cycle': 'error',
      'no-restricted-syntax': ['error', TYPES],
      // What scrolls must be reachable by keyboard.
      'jsx-a11y/no-noninteractive-tabindex': 'off',
      'no-warning-comments': 'error'
    }
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    ignores: ['src/words/**'],
    rules: { 'no-restricted-syntax': ['error', TYPES, ...WRITTEN] }
  },
  {
    // Tests call what they check without waiting for it, and stand-ins do nothing.
    files: ['tests/**/*.{ts,tsx}'],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/naming-convention': 'off'
    }
  }
);
