// The map's colours, those of the console's themes.
import { webDarkTheme, webLightTheme } from '@fluentui/react-components';

export interface Palette {
  background: string;
  box: string;
  boxStroke: string;
  /** The frame of an opened group. */
  frame: string;
  row: string;
  text: string;
  muted: string;
  line: string;
  brand: string;
  failed: string;
  good: string;
  warning: string;
  bad: string;
  none: string;
  /** On coloured badges. */
  onBadge: string;
  badBadge: string;
  warningBadge: string;
  brandBadge: string;
  match: string;
}

export const lightPalette: Palette = {
  background: '#f7f8fa',
  box: webLightTheme.colorNeutralBackground1,
  boxStroke: '#c6cad0',
  frame: '#eef1f5',
  row: webLightTheme.colorNeutralStroke3,
  text: webLightTheme.colorNeutralForeground1,
  muted: webLightTheme.colorNeutralForeground3,
  line: '#94a0ae',
  brand: webLightTheme.colorBrandForeground1,
  failed: webLightTheme.colorPaletteRedForeground1,
  good: webLightTheme.colorPaletteGreenForeground1,
  warning: webLightTheme.colorPaletteDarkOrangeForeground1,
  bad: webLightTheme.colorPaletteRedForeground1,
  none: webLightTheme.colorNeutralForeground3,
  onBadge: '#ffffff',
  badBadge: '#b10e1c',
  warningBadge: '#a33d08',
  brandBadge: '#0f5ba7',
  match: '#fff4ce',
};

export const darkPalette: Palette = {
  background: '#1c1e21',
  box: '#2b2e33',
  boxStroke: '#4d535b',
  frame: '#23262a',
  row: '#3a3f45',
  text: webDarkTheme.colorNeutralForeground1,
  muted: webDarkTheme.colorNeutralForeground3,
  line: '#6d7884',
  brand: webDarkTheme.colorBrandForeground1,
  failed: '#f1707b',
  good: '#54b054',
  warning: '#faa06b',
  bad: '#f1707b',
  none: webDarkTheme.colorNeutralForeground3,
  onBadge: '#ffffff',
  badBadge: '#c50f1f',
  warningBadge: '#a74109',
  brandBadge: '#115ea3',
  match: '#4a3f14',
};
