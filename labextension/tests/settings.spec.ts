import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal } from '@lumino/signaling';

import { IShared, SettingsSync } from '../src/settings/sync';
import { settings as serverSettings, snapshot } from './examples';
import { Stage } from './stage';

/** Lab's settings of one plugin. */
class LabSettings {
  readonly changed = new Signal<this, void>(this);
  composite: Record<string, unknown> = { currency: 'USD' };
  writes = 0;

  async set(key: string, value: unknown): Promise<void> {
    this.writes += 1;
    this.composite = { ...this.composite, [key]: value };
    this.changed.emit();
  }

  async remove(key: string): Promise<void> {
    this.writes += 1;
    this.composite = { ...this.composite, [key]: key === 'currency' ? 'USD' : null };
    this.changed.emit();
  }

  edit(part: Partial<IShared>): void {
    this.composite = { ...this.composite, ...part };
    this.changed.emit();
  }
}

async function sync(
  user: Partial<IShared>,
  price: Partial<ReturnType<typeof serverSettings>['price']>
) {
  const stage = new Stage();
  stage.api.kept = serverSettings({ price: { ...serverSettings().price, ...price } });
  const lab = new LabSettings();
  lab.composite = { ...lab.composite, ...user };
  const both = new SettingsSync(lab as unknown as ISettingRegistry.ISettings, stage.store);
  stage.stream.say(snapshot());
  await both.idle;
  return { stage, lab, both };
}

const saved = (stage: Stage): number =>
  stage.api.asked.filter(([name]) => name === 'saveSettings').length;

describe('SettingsSync', () => {
  it('takes over what the server has, and writes nothing back', async () => {
    const { stage, lab, both } = await sync({ cpuHour: 9 }, { cpu_hour: 0.05, currency: 'EUR' });
    expect(lab.composite).toMatchObject({ cpuHour: 0.05, currency: 'EUR' });
    await both.idle;
    expect(saved(stage)).toBe(0);
    expect(lab.writes).toBe(2);
  });

  it('gives the server what Lab has while the server has nothing', async () => {
    const { stage } = await sync({ cpuHour: 0.04 }, {});
    expect(stage.api.kept.price).toMatchObject({ cpu_hour: 0.04, source: 'your settings' });
    expect(stage.api.kept.last_used).toEqual({ 'this-machine': 5 });
    expect(saved(stage)).toBe(1);
  });

  it('writes nothing when neither has anything', async () => {
    const { stage, lab } = await sync({}, {});
    expect(saved(stage)).toBe(0);
    expect(lab.writes).toBe(0);
  });

  it('sends what a user changes, once', async () => {
    const { stage, lab, both } = await sync({}, { cpu_hour: 0.05 });
    lab.edit({ gbHour: 0.01 });
    await both.idle;
    expect(stage.api.kept.price).toMatchObject({ cpu_hour: 0.05, gb_hour: 0.01 });
    expect(saved(stage)).toBe(1);
    lab.edit({});
    await both.idle;
    expect(saved(stage)).toBe(1);
  });

  it('keeps what a user changes while it sends something else', async () => {
    const { stage, lab, both } = await sync({}, { cpu_hour: 0.05 });
    await both.idle;
    lab.edit({ gbHour: 0.01 });
    await Promise.resolve(); // it has begun
    lab.edit({ currency: 'EUR' });
    await both.idle;
    expect(stage.api.kept.price).toMatchObject({ gb_hour: 0.01, currency: 'EUR' });
    expect(lab.composite).toMatchObject({ gbHour: 0.01, currency: 'EUR' });
    expect(saved(stage)).toBe(2);
  });

  it('leaves who named a price alone when something else changes', async () => {
    const { stage, lab, both } = await sync({}, { cpu_hour: 0.05, source: 'the admin', date: 'd' });
    lab.edit({ defaultProfile: 'gentle' });
    await both.idle;
    expect(stage.api.kept).toMatchObject({
      default_profile: 'gentle',
      price: { source: 'the admin' }
    });
  });

  it('sends what list prices become, and leaves alone who said the rest', async () => {
    const { stage, lab, both } = await sync({}, { currency: 'EUR' });
    const discount = { percent: 18, by: 'ada', date: 'd' };
    stage.api.kept = { ...stage.api.kept, adjust: { exchange: null, discount } };
    stage.stream.say(snapshot({ epoch: 'e2' }));
    await new Promise(resolve => setTimeout(resolve, 300));
    await both.idle;
    expect(lab.composite).toMatchObject({ discount: 18 });
    lab.edit({ dollar: 0.92 });
    await both.idle;
    const exchange = { rate: 0.92, currency: 'EUR', by: '', date: '' };
    expect(stage.api.kept.adjust).toEqual({ exchange, discount });
    lab.edit({ currency: 'CHF', discount: null });
    await both.idle;
    expect(stage.api.kept.adjust).toEqual({ exchange, discount: null });
    expect(lab.composite.dollar).toBeNull();
  });

  it('asks a restarted server again', async () => {
    const { stage, lab, both } = await sync({}, {});
    stage.api.kept = serverSettings({ default_profile: 'elastic' });
    stage.stream.say(snapshot({ epoch: 'e2' }));
    await new Promise(resolve => setTimeout(resolve, 300));
    await both.idle;
    expect(lab.composite.defaultProfile).toBe('elastic');
  });
});
