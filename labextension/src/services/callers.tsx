import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ServiceCallers } from '../state/schema';
import { number } from '../words/number';
import { clock } from '../words/time';
import { Scrolled } from './scrolled';

interface ICallersProps {
  callers: ServiceCallers;
  now: number;
  trans: TranslationBundle;
}

/** Who may call a service, and what each asked today. */
export function CallersTable({ callers, now, trans }: ICallersProps): JSX.Element {
  const { callers: all, words, counted } = callers;
  return (
    <>
      {words && <p data-mlops="callers-words">{words}</p>}
      {all.length > 0 && (
        <Scrolled label={trans.__('Callers')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('Caller')}</th>
                {counted && (
                  <>
                    <th scope="col">{trans.__('Asked last')}</th>
                    <th scope="col" title={trans.__('Since midnight, UTC')}>
                      {trans.__('Requests today')}
                    </th>
                    <th scope="col">{trans.__('Rows')}</th>
                    <th scope="col" title={trans.__('Requests that the service failed')}>
                      {trans.__('Errors')}
                    </th>
                    <th scope="col">{trans.__('Versions')}</th>
                  </>
                )}
              </tr>
            </thead>
            <tbody>
              {all.map(caller => (
                <tr key={caller.caller} data-mlops="caller">
                  <th scope="row">{caller.caller}</th>
                  {counted && (
                    <>
                      <td>{caller.last > 0 ? clock(caller.last, now) : trans.__('not lately')}</td>
                      <td>{number(caller.requests)}</td>
                      <td>{number(caller.rows)}</td>
                      <td>{number(caller.errors)}</td>
                      <td>{caller.versions.map(version => `@${version}`).join(', ')}</td>
                    </>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolled>
      )}
    </>
  );
}
