// Addresses outside: where they are, and what the list of threats says of them, those first.
import { Badge, makeStyles, tokens } from '@fluentui/react-components';
import type { RemoteEnd } from '../../../api/map';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, fontSize: '13px', overflowWrap: 'anywhere', display: 'flex', flexDirection: 'column', gap: '4px' },
  head: { display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: '8px' },
  muted: { color: tokens.colorNeutralForeground2 },
  threat: { borderLeft: `2px solid ${tokens.colorPaletteRedForeground1}`, paddingLeft: '10px', margin: '2px 0 4px' },
  old: { borderLeft: `2px solid ${tokens.colorNeutralStroke1}`, paddingLeft: '10px', margin: '2px 0 4px' },
  link: { color: tokens.colorBrandForegroundLink },
});

interface RemoteAddressesProps {
  addresses: readonly string[];
  remotes: Record<string, RemoteEnd>;
}

export function RemoteAddresses({ addresses, remotes }: RemoteAddressesProps) {
  const styles = useStyles();
  const rank = (address: string) => (remotes[address]?.threat ? 0 : 1);
  const sorted = [...addresses].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, undefined, { numeric: true }));
  return (
    <ul className={styles.list} aria-label="Addresses">
      {sorted.map((address) => {
        const remote = remotes[address];
        const place = placeWords(remote);
        return (
          <li key={address}>
            <div className={styles.head}>
              <span>{address}</span>
              {place !== '' && <span className={styles.muted}>{place}</span>}
              {remote?.threat && (remote.threat.isActive ? <Badge color="danger" appearance="filled">malicious</Badge> : <Badge color="informative" appearance="outline">was malicious</Badge>)}
            </div>
            {remote?.threat && <ThreatFacts threat={remote.threat} />}
          </li>
        );
      })}
    </ul>
  );
}

/** Country, and the city where it is known. */
export function placeWords(remote: RemoteEnd | undefined): string {
  return [remote?.city, remote?.country].filter(Boolean).join(', ');
}

function ThreatFacts({ threat }: { threat: NonNullable<RemoteEnd['threat']> }) {
  const styles = useStyles();
  const facts = [
    threat.kind, `severity ${threat.severity} of 5`, threat.confidence && `confidence ${threat.confidence}`, threat.tlpLevel && `TLP ${threat.tlpLevel}`,
    threat.firstReported && `first reported ${threat.firstReported}`, threat.lastReported && `last reported ${threat.lastReported}`,
  ];
  const isAddress = /^https?:\/\//i.test(threat.link);
  return (
    <div className={threat.isActive ? styles.threat : styles.old}>
      {threat.description && <div>{threat.description}</div>}
      <div className={styles.muted}>{facts.filter(Boolean).join(' · ')}</div>
      {threat.more && <div>{threat.more}</div>}
      {threat.link && <div>{isAddress ? <a className={styles.link} href={threat.link} target="_blank" rel="noreferrer">{threat.link}</a> : threat.link}</div>}
    </div>
  );
}
