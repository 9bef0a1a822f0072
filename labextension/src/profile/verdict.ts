import { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useState } from 'react';

import { IApi } from '../api';
import { asProblem, MlopsError } from '../request';
import { Estimate, Fault, Problem } from '../state/schema';
import { IDraft, oddLine, profileOf } from './draft';
import { fieldsOf } from './labels';

/** Milliseconds after the last key before the server is asked. */
const SETTLE = 350;

/** What there is to say of a draft: what it would cost, or why it can't be. */
export interface IVerdict {
  estimate: Estimate | null;
  /** What is wrong with fields of the form: path of the field → words. */
  faults: ReadonlyMap<string, string>;
  /** What is wrong besides. */
  problem: Problem | null;
}

const NONE: IVerdict = { estimate: null, faults: new Map(), problem: null };

/** The verdict on `draft`, asked for while it is typed. */
export function useVerdict(api: IApi, trans: TranslationBundle, draft: IDraft): IVerdict {
  const [verdict, setVerdict] = useState(NONE);
  useEffect(() => {
    let current = true;
    const timer = window.setTimeout(() => {
      // Without a name it can be estimated, but not saved.
      const profile = profileOf({ ...draft, name: draft.name.trim() || 'unnamed' });
      const odd = ownFaults(trans, draft);
      api.estimate(profile).then(
        estimate => current && setVerdict({ estimate, faults: odd, problem: null }),
        error => current && setVerdict(refused(trans, draft, error, odd))
      );
    }, SETTLE);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [api, trans, draft]);
  return verdict;
}

/** What can be said without the server, which gets the environment without its lines. */
export function ownFaults(trans: TranslationBundle, draft: IDraft): ReadonlyMap<string, string> {
  const line = oddLine(draft);
  return line === null
    ? new Map()
    : new Map([
        [
          'environment',
          line.includes('=')
            ? trans.__('names “%1” twice', line.split('=')[0].trim())
            : trans.__('has a line without “=”: “%1”. Write NAME=value', line.trim())
        ]
      ]);
}

/** The verdict where the server refuses: what it says of fields stands by the fields. */
export function refused(
  trans: TranslationBundle,
  draft: IDraft,
  error: unknown,
  more: ReadonlyMap<string, string> = new Map()
): IVerdict {
  const faults = error instanceof MlopsError ? error.faults : [];
  const [found, others] = placed(trans, draft, faults);
  const problem = asProblem(error);
  return {
    estimate: null,
    faults: new Map([...found, ...more]),
    problem:
      faults.length === 0
        ? problem
        : others.length
          ? { ...problem, why: others.map(({ at, words }) => `${at} ${words}`.trim()).join('; ') }
          : null
  };
}

/** Remarks by the path of the field that they are about, and those that the form has no field for. */
export function placed(
  trans: TranslationBundle,
  draft: IDraft,
  remarks: readonly Fault[]
): [Map<string, string>, Fault[]] {
  const fields = fieldsOf(trans, draft);
  const own = remarks.filter(({ at }) => at in fields);
  return [
    new Map(own.map(({ at, words }) => [at, words])),
    remarks.filter(({ at }) => !(at in fields))
  ];
}
