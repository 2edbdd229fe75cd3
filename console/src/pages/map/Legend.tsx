// What lines and signs of the map mean.
import { Button, Caption1, makeStyles, Popover, PopoverSurface, PopoverTrigger, Subtitle2, tokens } from '@fluentui/react-components';
import { QuestionCircleRegular } from '@fluentui/react-icons';
import { useTheme } from '../../shell/theme';
import { glyphs, type Glyph } from './draw/glyphs';
import { lineWidth } from './draw/paint';
import { darkPalette, lightPalette } from './draw/palette';

const useStyles = makeStyles({
  float: { boxShadow: tokens.shadow4 },
  surface: { display: 'flex', flexDirection: 'column', gap: '6px', width: '340px', maxWidth: '80vw' },
  line: { display: 'grid', gridTemplateColumns: '52px minmax(0, 1fr)', alignItems: 'center', gap: '10px', fontSize: '13px' },
  title: { margin: 0 },
});

export function Legend() {
  const styles = useStyles();
  const palette = useTheme().dark ? darkPalette : lightPalette;
  const stroke = (bytes: number, colour: string, dash?: string) => (
    <svg width="52" height="14" aria-hidden><line x1="2" x2="42" y1="7" y2="7" stroke={colour} strokeWidth={lineWidth(bytes)} strokeDasharray={dash} /><polygon points="50,7 41,3 41,11" fill={colour} /></svg>
  );
  const sign = (glyph: Glyph, colour: string) => <svg width="18" height="18" viewBox="0 0 16 16" aria-hidden style={{ justifySelf: 'center' }}><path d={glyphs[glyph]} fill={colour} fillRule="evenodd" /></svg>;
  const lines = [
    [stroke(100, palette.line), 'Connections, from who calls to who is called; up to some 1 KiB a second'],
    [stroke(1e6, palette.line), 'About 1 MiB a second'],
    [stroke(1e9, palette.line), '1 GiB a second and more'],
    [stroke(1e4, palette.failed), 'Connections failed; with a red thread alone, fewer than 2 %'],
    [stroke(1e4, palette.failed, '6 4'), 'All connections failed'],
    [sign('healthy', palette.good), 'Healthy'],
    [sign('warning', palette.warning), 'Warning'],
    [sign('critical', palette.bad), 'Critical'],
    [sign('server', palette.muted), 'A machine that the management group does not watch'],
    [sign('clients', palette.muted), 'Clients without an agent'],
    [sign('outside', palette.muted), 'Servers without an agent'],
    [sign('malicious', palette.failed), 'Addresses that the list of threats names; lines to them are red'],
    [sign('pin', palette.brand), 'Pinned: drag a box to put it somewhere, P takes the pin away'],
  ] as const;
  return (
    <Popover withArrow inline positioning={{ position: 'above', align: 'start' }}>
      <PopoverTrigger disableButtonEnhancement><Button size="small" className={styles.float} icon={<QuestionCircleRegular />}>Legend</Button></PopoverTrigger>
      <PopoverSurface aria-label="Legend" className={styles.surface}>
        <Subtitle2 as="h2" className={styles.title}>What it means</Subtitle2>
        {lines.map(([picture, text]) => <div key={text} className={styles.line}>{picture}<span>{text}</span></div>)}
        <Caption1>Click selects, double click opens a box, the wheel zooms, drag moves. Arrow keys go from box to box, Enter opens, F focuses.</Caption1>
      </PopoverSurface>
    </Popover>
  );
}
