// The way back from a view to the folder that it is in.
import { Breadcrumb, BreadcrumbDivider, BreadcrumbItem, makeStyles, tokens } from '@fluentui/react-components';
import { Link } from 'react-router-dom';
import { useGroup } from '../../api/management';
import { connectionsPath, type Views } from '../../api/serviceMap';

const useStyles = makeStyles({ link: { color: tokens.colorBrandForegroundLink }, here: { color: tokens.colorNeutralForeground2 } });

export function ViewsBreadcrumb({ view }: { view: string }) {
  const styles = useStyles();
  const views = useGroup<Views>(`${connectionsPath}/views`, 30);
  const isGroup = views.data?.machineGroupViews.some((one) => one.object === view) ?? false;
  return (
    <Breadcrumb size="small" aria-label="Folder">
      <BreadcrumbItem className={styles.here}>Service Map</BreadcrumbItem>
      <BreadcrumbDivider />
      <BreadcrumbItem><Link className={styles.link} to={`/service-map/${isGroup ? 'group-views' : 'server-views'}`}>{isGroup ? 'Machine Group Dependency Views' : 'Server Dependency Views'}</Link></BreadcrumbItem>
    </Breadcrumb>
  );
}
