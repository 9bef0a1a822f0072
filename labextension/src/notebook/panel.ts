import { NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

/** What `mlops.panel()` is to a notebook, besides a widget; `notebook/panel/panel.py` has the same word. */
const PANEL = 'application/vnd.jupyter-mlops.panel+json';

const WIDGET = 'application/vnd.jupyter.widget-view+json';

/** How the renderer of widgets begins where a widget's kernel is gone. */
const LOST = 'Error displaying widget';

/** Makes renderers; of widgets, too, where their extension is installed. */
export type Registry = Pick<NotebookPanel['content']['rendermime'], 'createRenderer'>;

/** What renders the panels of a notebook, whose other outputs `registry` renders. */
export function panelFactory(
  registry: Registry,
  trans: TranslationBundle
): IRenderMime.IRendererFactory {
  return {
    safe: false,
    mimeTypes: [PANEL],
    // Before widgets, whose own rank is -10.
    defaultRank: -20,
    createRenderer: () => panelRenderer(registry, trans)
  };
}

/**
 * The renderer of widgets itself, since its extension looks for those among the outputs. Where it says that it has no
 * such widget, what to do is said instead.
 */
function panelRenderer(registry: Registry, trans: TranslationBundle): IRenderMime.IRenderer {
  const words = trans.__(
    'The kernel that showed this panel is gone. Run this cell again to have it back; clusters and detached runs go on.'
  );
  let renderer: IRenderMime.IRenderer;
  try {
    renderer = registry.createRenderer(WIDGET);
  } catch {
    return new NoWidgets();
  }
  const { node } = renderer;
  const render = renderer.renderModel.bind(renderer);
  renderer.renderModel = model => render(asWidget(model));
  renderer.addClass('jp-mlops-panel');
  node.dataset.lost = words;
  const look = (): void => {
    if (node.textContent!.startsWith(LOST)) {
      node.textContent = words;
    }
  };
  new MutationObserver(look).observe(node, { childList: true });
  return renderer;
}

function asWidget(model: IRenderMime.IMimeModel): IRenderMime.IMimeModel {
  const { data, metadata, trusted } = model;
  // It renders again what it was given, once its kernel is there.
  return PANEL in data
    ? { data: { [WIDGET]: data[PANEL] }, metadata, trusted, setData: () => undefined }
    : model;
}

/** Where widgets aren't installed, the panel is what is read elsewhere, too. */
class NoWidgets extends Widget implements IRenderMime.IRenderer {
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.node.textContent = String(model.data['text/plain'] ?? '');
    return Promise.resolve();
  }
}
