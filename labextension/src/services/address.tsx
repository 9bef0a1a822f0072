import { Clipboard } from '@jupyterlab/apputils';
import { copyIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import { Button } from '../controls/button';
import { useMlops } from '../state/hooks';

/** Where callers find a service, to be copied. */
export function Address({ address }: { address: string }): JSX.Element {
  const { trans } = useMlops();
  const [isCopied, setCopied] = useState(false);
  return (
    <span className="jp-mlops-address">
      <code className="jp-mlops-code" title={address} data-mlops="service-address">
        {address.replace('http://', '')}
      </code>
      <Button
        icon={copyIcon}
        label={trans.__('Copy the address %1', address)}
        onClick={() => {
          Clipboard.copyToSystem(address);
          setCopied(true);
        }}
        handle="copy"
      />
      <span role="status">{isCopied && trans.__('copied')}</span>
    </span>
  );
}
