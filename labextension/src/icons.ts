import { LabIcon } from '@jupyterlab/ui-components';

/** Three workers around a scheduler. Lab's own classes give it the colour of the place where it stands. */
const MLOPS = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="16">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <circle cx="8" cy="8" r="2.4"/>
    <circle cx="8" cy="2.4" r="1.6"/><circle cx="3.1" cy="10.9" r="1.6"/><circle cx="12.9" cy="10.9" r="1.6"/>
    <path d="M7.5 3.5h1v3h-1zM4 10l2.2-1.4.5.9-2.2 1.3zM12 10 9.8 8.6l-.5.9 2.2 1.3z"/>
  </g>
</svg>`;

/** The sidebar's, the launcher's and the tabs' icon. */
export const mlopsIcon = new LabIcon({ name: 'jupyter-mlops:icon', svgstr: MLOPS });
