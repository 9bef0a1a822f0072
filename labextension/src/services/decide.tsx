import React, { useState } from 'react';

import { DialogForm } from '../controls/dialog-form';
import { useMlops } from '../state/hooks';
import { ServiceState } from '../state/schema';
import { comparedWord, isTried } from '../words/candidate';
import { versionName } from '../words/model';
import { Missed } from './missed';
import { Why } from './why';

/** What is decided: that the version that is tried serves, or that what served before does so again. */
export type Decision = 'promote' | 'roll back';

interface IDecideProps {
  decision: Decision;
  /** The service as it is when that is asked: should it change meanwhile, nothing is done. */
  service: ServiceState;
  onClose: () => void;
}

/** Asks whether another version is to serve, and says what comes of it. */
export function DecideForm({ decision, service, onClose }: IDecideProps): JSX.Element {
  const { store, trans } = useMlops();
  const [why, setWhy] = useState('');
  const promotes = decision === 'promote';
  const send = async (): Promise<void> => {
    const asked = { why: why.trim(), expected: service.wanted };
    await (promotes
      ? store.api.promoteService(service.name, asked)
      : store.api.rollBackService(service.name, asked));
    onClose();
  };
  return (
    <DialogForm
      handle="decide-dialog"
      send={send}
      isMissing={false}
      button={{
        label: promotes ? trans.__('Promote') : trans.__('Roll back'),
        handle: 'decide-now',
        warns: !promotes
      }}
      close={{ label: trans.__('Cancel'), do: onClose }}
      busy={trans.__('Until it answers…')}
    >
      <p>
        <What promotes={promotes} service={service} />
      </p>
      <Missed api={store.api} service={service.name} />
      <Why value={why} onChange={setWhy} handle="decide-why" />
    </DialogForm>
  );
}

function What({ promotes, service }: { promotes: boolean; service: ServiceState }): JSX.Element {
  const { trans } = useMlops();
  const { model, version, previous, candidate } = service;
  const stable = versionName(model, version);
  if (!isTried(candidate)) {
    return (
      <>{trans.__('%1 answers again, in place of %2.', versionName(model, previous), stable)}</>
    );
  }
  const tried = versionName(model, candidate.version);
  if (!promotes) {
    return <>{trans.__('%1 answers nobody any more, and %2 everybody.', tried, stable)}</>;
  }
  const open = candidate.verdicts.filter(each => ['undecided', 'no data'].includes(each.state));
  const worse = candidate.verdicts.filter(each => each.state === 'worse');
  const names = (some: typeof open): string =>
    some.map(each => comparedWord(trans, each.name)).join(', ');
  return (
    <>
      {trans.__('%1 answers everybody from then on. %2 can be rolled back to.', tried, stable)}
      {worse.length > 0 && ` ${trans.__('It is worse: %1.', names(worse))}`}
      {open.length > 0 && ` ${trans.__('Not decided yet: %1.', names(open))}`}
    </>
  );
}
