import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { panelFactory } from '../src/notebook/panel';
import { trans } from './stage';

const WIDGET = 'application/vnd.jupyter.widget-view+json';

/** As ipywidgets' renderer: it says so where it has no widget of that id. */
class WidgetOutput extends Widget implements IRenderMime.IRenderer {
  constructor(private readonly models: string[]) {
    super();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const { model_id } = model.data[WIDGET] as { model_id: string };
    const known = this.models.includes(model_id);
    this.node.textContent = known ? 'the panel' : 'Error displaying widget: model not found';
    await new Promise(resolve => setTimeout(resolve)); // until what watches the page has seen it
  }
}

function model(mimeType: string): IRenderMime.IMimeModel {
  const data = { [mimeType]: { model_id: 'm1' }, 'text/plain': 'Run this cell in a notebook' };
  return { data, metadata: {}, trusted: true, setData: () => undefined };
}

describe('The panel in a notebook', () => {
  async function shown(
    createRenderer: () => IRenderMime.IRenderer
  ): Promise<IRenderMime.IRenderer> {
    const factory = panelFactory({ createRenderer }, trans);
    const output = factory.createRenderer({} as never);
    await output.renderModel(model(factory.mimeTypes[0]));
    return output;
  }

  it('is its widget', async () => {
    const output = await shown(() => new WidgetOutput(['m1']));
    expect(output).toBeInstanceOf(WidgetOutput); // or ipywidgets wouldn't find it
    expect(output.node.textContent).toBe('the panel');
  });

  it('says what to do where its kernel is gone, until it is back', async () => {
    const models: string[] = [];
    const output = await shown(() => new WidgetOutput(models));
    expect(output.node.textContent).toContain('Run this cell again');
    models.push('m1');
    await output.renderModel(model(WIDGET)); // as ipywidgets does when it has restored its widgets
    expect(output.node.textContent).toBe('the panel');
  });

  it('says so where there are no widgets', async () => {
    const output = await shown(() => {
      throw new Error('No factory');
    });
    expect(output.node.textContent).toBe('Run this cell in a notebook');
  });
});
