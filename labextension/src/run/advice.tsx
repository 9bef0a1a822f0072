import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { namesWorkers } from '../profile/draft';
import { useMlops, useSelector } from '../state/hooks';
import { Advice, GroupUse, RunState } from '../state/schema';
import { size } from '../words/size';

/** CPUs beyond those asked for that are no more than noise. */
const LACK = 0.2;

interface IAdviceProps {
  advice: readonly Advice[];
  /** The profile that it is about. */
  profile: string;
  /** Whose it is, as the command that edits profiles takes it. */
  of: { run: string } | { cluster: string };
}

/** Which workers would have done for a run or a cluster, with a way to a profile that has them. */
export function AdviceLines({ advice, profile, of }: IAdviceProps): JSX.Element | null {
  const { commands, trans } = useMlops();
  const known = useSelector(state => state.profiles.some(view => view.profile.name === profile));
  if (advice.length === 0) {
    return null;
  }
  const sizes = advice.filter(namesWorkers);
  return (
    <div className="jp-mlops-advice" data-mlops="advice">
      {advice.map(each => (
        <p key={each.text} title={each.evidence}>
          {sizes.length > 1 && namesWorkers(each) ? `${each.group}: ${each.text}` : each.text}.
        </p>
      ))}
      {sizes.length > 0 && (
        <div className="jp-mlops-actions">
          <Button
            label={
              known
                ? trans.__('Look at the profile with these workers, under a new name, and save it')
                : trans.__('The profile of its cluster, %1, isn’t here any more', profile)
            }
            disabled={!known}
            popup="dialog"
            onClick={() => void commands.execute(CommandIDs.editProfile, of)}
            handle="save-advice"
          >
            {trans.__('save as a profile…')}
          </Button>
        </div>
      )}
    </div>
  );
}

/** What it used of the workers of each group, as facts: name, words, tooltip. */
export function usedOf(trans: TranslationBundle, run: RunState): [string, string, string][] {
  const title = trans.__(
    'The most memory that one worker used, with all that the run started there; and the CPUs that were enough for 95 % of the time'
  );
  const cpus = (use: GroupUse): string => {
    const busy = use.busy.toFixed(use.busy < 10 ? 1 : 0);
    return use.busy > use.cpus + LACK // a pod may have more than it asks for
      ? trans.__('%1 CPUs (%2 asked for)', busy, use.cpus)
      : trans._n('%2 of %1 CPU', '%2 of %1 CPUs', use.cpus, busy);
  };
  const words = (use: GroupUse): string =>
    [trans.__('%1 of %2', size(use.peak), size(use.memory)), use.seconds > 0 && cpus(use)]
      .filter(Boolean)
      .join(' · ');
  const name = (use: GroupUse): string =>
    run.use.length > 1 ? trans.__('Used of %1', use.group) : trans.__('Used');
  return run.use.filter(use => use.peak > 0).map(use => [name(use), words(use), title]);
}
