import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import React, { useState } from 'react';

import { DialogForm } from '../controls/dialog-form';
import { useMlops } from '../state/hooks';
import { ScheduleView } from '../state/schema';
import { everyOf, everyText, everyWords, hasTime, IEvery } from '../words/schedule';
import { zoneOfBrowser } from '../words/time';
import { chosen, offers } from './places';

/** What the form begins with. */
const NIGHTLY: IEvery = { count: 1, unit: 'day', at: '02:00' };

interface IScheduleFormProps {
  /** The notebook, from the server's root on. */
  path: string;
  /** How it runs by itself now; null where it doesn't. */
  before: ScheduleView | null;
  /** Write down what its editor has: what runs is its file. */
  save: () => Promise<void>;
  onClose: () => void;
}

/** Asks when and where a notebook is to run by itself. */
export function ScheduleForm({ path, before, save, onClose }: IScheduleFormProps): JSX.Element {
  const { store, trans } = useMlops();
  const [offered] = useState(() => offers(store.state, before));
  const [every, setEvery] = useState<IEvery>((before && everyOf(before.every)) ?? NIGHTLY);
  const [index, setIndex] = useState(before ? chosen(offered, before) : 0);
  const [zone, setZone] = useState((before?.place !== 'local' && before?.zone) || zoneOfBrowser());
  const { where } = offered[index];
  const isHere = where.place === 'local';
  const send = async (): Promise<void> => {
    await save();
    const text = everyText(every);
    const request = { path, every: text, ...where, ...(isHere || !zone ? {} : { zone }) };
    const { told } = await store.api.schedule(request);
    onClose();
    const words = trans.__('%1 runs by itself from now on.', PathExt.basename(path));
    Notification.emit([words, ...told].join('\n\n'), told.length > 0 ? 'warning' : 'success', {
      autoClose: told.length > 0 ? false : 5000
    });
  };
  return (
    <DialogForm
      handle="schedule-dialog"
      send={send}
      isMissing={!(every.count > 0)}
      button={{
        label: before ? trans.__('Change') : trans.__('Schedule'),
        handle: 'schedule-now'
      }}
      close={{ label: trans.__('Cancel'), do: onClose }}
      busy={trans.__('Its steps are looked at…')}
    >
      {before && (
        <p data-mlops="schedule-before">{trans.__('Now: %1.', everyWords(trans, before))}</p>
      )}
      <EveryFields value={every} onChange={setEvery} />
      {offered.length > 1 && (
        <label className="jp-mlops-field">
          <span>{trans.__('Where')}</span>
          <select
            className="jp-mod-styled"
            value={index}
            onChange={event => setIndex(Number(event.target.value))}
            data-mlops="schedule-where"
          >
            {offered.map(({ words }, number) => (
              <option key={words} value={number}>
                {words}
              </option>
            ))}
          </select>
        </label>
      )}
      {!isHere && (
        <label className="jp-mlops-field">
          <span>{trans.__('By the clock of')}</span>
          <input
            type="text"
            className="jp-mod-styled"
            value={zone}
            placeholder={trans.__('this server’s time zone')}
            onChange={event => setZone(event.target.value.trim())}
            data-mlops="schedule-zone"
          />
        </label>
      )}
      <p className="jp-mlops-hint" data-mlops="schedule-hint">
        {isHere
          ? trans.__(
              'Its steps run in the background, while this machine is on, by its clock (%1). What the file says then is what runs.',
              store.state.places.get('local')?.zone ?? ''
            )
          : trans.__(
              'Each time a cluster of that profile is started, and ended. It takes the notebook as it is now.'
            )}
      </p>
    </DialogForm>
  );
}

/** How often, and at what time of day. */
function EveryFields(props: { value: IEvery; onChange: (value: IEvery) => void }): JSX.Element {
  const { trans } = useMlops();
  const { value, onChange } = props;
  const units: Record<IEvery['unit'], string> = {
    min: trans.__('minutes'),
    h: trans.__('hours'),
    day: trans.__('days'),
    week: trans.__('weeks')
  };
  return (
    <div className="jp-mlops-fields">
      <label className="jp-mlops-field">
        <span>{trans.__('Every')}</span>
        <input
          type="number"
          className="jp-mod-styled"
          min={1}
          max={9999}
          value={value.count || ''}
          aria-invalid={!(value.count > 0)}
          onChange={event => onChange({ ...value, count: Math.floor(Number(event.target.value)) })}
          data-mlops="schedule-count"
        />
      </label>
      <label className="jp-mlops-field">
        <span>{trans.__('Unit')}</span>
        <select
          className="jp-mod-styled"
          value={value.unit}
          onChange={event => onChange({ ...value, unit: event.target.value as IEvery['unit'] })}
          data-mlops="schedule-unit"
        >
          {Object.entries(units).map(([unit, words]) => (
            <option key={unit} value={unit}>
              {words}
            </option>
          ))}
        </select>
      </label>
      {hasTime(value.unit) && (
        <label className="jp-mlops-field">
          <span>{trans.__('At')}</span>
          <input
            type="time"
            className="jp-mod-styled"
            value={value.at}
            onChange={event => onChange({ ...value, at: event.target.value })}
            data-mlops="schedule-at"
          />
        </label>
      )}
    </div>
  );
}
