import { CommandRegistry } from '@lumino/commands';
import { ReadonlyJSONObject } from '@lumino/coreutils';
import { h, VirtualElement } from '@lumino/virtualdom';
import { Menu } from '@lumino/widgets';

/** An item of a menu; null is a line between items. */
export interface IMenuItem {
  command: string;
  /**
   * The command's arguments. `label` is what the item says, instead of the command's own label; `detail` a second line
   * below it; `aside` what stands at its right end, and `hint` what that rests on.
   */
  args: ReadonlyJSONObject;
}

/**
 * Open a menu of Lab's own look below `anchor`.
 *
 * @returns when the menu is closed.
 */
export function openMenu(
  commands: CommandRegistry,
  anchor: HTMLElement,
  items: (IMenuItem | null)[]
): Promise<void> {
  const menu = new Menu({ commands, renderer: new Renderer() });
  menu.addClass('jp-mlops-menu');
  for (const item of items) {
    menu.addItem(item ?? { type: 'separator' });
  }
  const { left, bottom } = anchor.getBoundingClientRect();
  menu.open(left, bottom);
  menu.activeIndex = 0;
  return new Promise(resolve => {
    menu.aboutToClose.connect(() => {
      // The command of the chosen item runs after this signal.
      window.setTimeout(() => menu.dispose());
      resolve();
    });
  });
}

class Renderer extends Menu.Renderer {
  renderLabel(data: Menu.IRenderData): VirtualElement {
    const { detail } = data.item.args as { detail?: string };
    const label = h.div({ className: 'lm-Menu-itemLabel' }, this.formatLabel(data));
    return detail
      ? h.div(
          { className: 'lm-Menu-itemLabel jp-mlops-menu-label' },
          h.div(data.item.label),
          h.div({ className: 'jp-mlops-menu-detail' }, detail)
        )
      : label;
  }

  renderShortcut(data: Menu.IRenderData): VirtualElement {
    const { aside, hint } = data.item.args as { aside?: string; hint?: string };
    return aside
      ? h.div({ className: 'lm-Menu-itemShortcut jp-mlops-menu-aside', title: hint ?? '' }, aside)
      : super.renderShortcut(data);
  }
}
