import { addIcon } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { IMenuItem, openMenu } from '../controls/menu';
import { useMlops, useSelector } from '../state/hooks';
import { ProfileView } from '../state/schema';
import { Store } from '../state/store';
import { basis, estimate, reference } from '../words/money';
import { shape } from '../words/size';
import { about } from '../words/time';

/** Opens the profiles: with a click on one, a cluster starts. */
export function StartButton({ wide = false }: { wide?: boolean }): JSX.Element {
  const { commands, store, trans } = useMlops();
  const loaded = useSelector(state => state.loaded);
  const [open, setOpen] = useState(false);
  const onClick = async (anchor: HTMLElement): Promise<void> => {
    setOpen(true);
    await openProfiles(commands, trans, store, anchor);
    setOpen(false);
    anchor.focus();
  };
  return (
    <Button
      icon={addIcon}
      label={
        wide ? trans.__('choose its profile') : trans.__('Start a cluster: choose its profile')
      }
      popup="menu"
      expanded={open}
      disabled={!loaded}
      accent={wide}
      onClick={event => void onClick(event.currentTarget)}
      handle="new"
    >
      {wide ? trans.__('Start a cluster ▾') : trans.__('New ▾')}
    </Button>
  );
}

/** The menu of profiles, the last used one first, and what they cost an hour. */
export function openProfiles(
  commands: CommandRegistry,
  trans: TranslationBundle,
  store: Store,
  anchor: HTMLElement
): Promise<void> {
  const items: (IMenuItem | null)[] = store.state.profiles.map(view => ({
    command: CommandIDs.startCluster,
    args: {
      profile: view.profile.name,
      label: view.profile.title || view.profile.name,
      detail: describe(trans, view),
      aside: estimate(trans, view.estimate),
      hint: basis(trans, view.estimate, store.now())
    }
  }));
  return openMenu(commands, anchor, [
    ...items,
    null,
    { command: CommandIDs.editProfile, args: { label: trans.__('New profile…') } },
    {
      command: CommandIDs.editProfile,
      args: { label: trans.__('Edit a profile…'), choose: true }
    }
  ]);
}

/** A profile's workers and end, in a line. */
export function describe(
  trans: TranslationBundle,
  { profile, estimate: cost, note }: ProfileView
): string {
  const groups = profile.groups.map(group => {
    const each = shape(trans, group);
    return group.adaptive && group.minimum !== group.maximum
      ? trans.__('%1–%2 workers, each %3', group.minimum, group.maximum, each)
      : trans._n('%1 worker, %2', '%1 workers, each %2', group.workers, each);
  });
  const { idle_timeout } = profile.limits;
  const elsewhere =
    cost.reference && reference(trans, cost.reference.per_hour, cost.reference.currency);
  const why = cost.at_start === null && cost.source;
  const end = idle_timeout && trans.__('stops after %1 unused', about(trans, idle_timeout));
  return [...groups, end, why, elsewhere, note].filter(Boolean).join(' · ');
}
