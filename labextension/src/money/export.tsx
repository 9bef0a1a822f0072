import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { openMenu } from '../controls/menu';
import { useMlops } from '../state/hooks';
import { formats } from './commands';

/** Opens the formats that this month can be saved in. */
export function ExportButton(): JSX.Element {
  const { commands, trans } = useMlops();
  const [open, setOpen] = useState(false);
  const onClick = async (anchor: HTMLElement): Promise<void> => {
    setOpen(true);
    const items = formats(trans).map(({ as, label, detail }) => ({
      command: CommandIDs.exportCosts,
      args: { as, label, detail }
    }));
    await openMenu(commands, anchor, items);
    setOpen(false);
    anchor.focus();
  };
  return (
    <Button
      label={trans.__('save what this month cost as a file')}
      popup="menu"
      expanded={open}
      onClick={event => void onClick(event.currentTarget)}
      handle="export-costs"
    >
      {trans.__('Export ▾')}
    </Button>
  );
}
