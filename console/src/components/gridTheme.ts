// How every grid looks: AG Grid's modules and its two themes.
import { AllCommunityModule, colorSchemeDark, colorSchemeLight, ModuleRegistry, themeQuartz, type Theme } from 'ag-grid-community';
import { useTheme } from '../shell/theme';

ModuleRegistry.registerModules([AllCommunityModule]);

const common = { fontFamily: 'inherit', fontSize: 13, rowHeight: 30, headerHeight: 34, wrapperBorder: false, wrapperBorderRadius: 0, spacing: 6 };
const light = themeQuartz.withPart(colorSchemeLight).withParams({ ...common, accentColor: '#0f6cbd' });
const dark = themeQuartz.withPart(colorSchemeDark).withParams({ ...common, accentColor: '#479ef5', backgroundColor: '#292929', foregroundColor: '#ffffff' });

/** The grid's theme that goes with the console's. */
export function useGridTheme(): Theme {
  return useTheme().dark ? dark : light;
}
