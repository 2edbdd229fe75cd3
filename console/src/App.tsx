// Routes and providers. Pages are loaded when they are first shown, so that sign-in carries no editor and no charts.
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, type ReactNode } from 'react';
import { BrowserRouter, Navigate, Route, Routes, useLocation } from 'react-router-dom';
import { ApiError, setRefusedHandler, setSignedOutHandler } from './api/client';
import { permissionsKey } from './api/permissions';
import { useSession } from './api/session';
import { Guarded } from './components/May';
import { ErrorState, LoadingState } from './components/States';
import { SignInPage } from './pages/sign-in/SignInPage';
import { details, pages, type DetailPath, type PagePath } from './shell/pages';
import { Shell } from './shell/Shell';
import { ThemeRoot } from './shell/theme';

const HomePage = lazy(() => import('./pages/home/HomePage'));
const LogsPage = lazy(() => import('./pages/logs/LogsPage'));
const MachinesPage = lazy(() => import('./pages/machines/MachinesPage'));
const AlertsPage = lazy(() => import('./pages/alerts/AlertsPage'));
const AlertingPage = lazy(() => import('./pages/alerting/AlertingPage'));
const ItsmPage = lazy(() => import('./pages/itsm/ItsmPage'));
const StatePage = lazy(() => import('./pages/state/StatePage'));
const ObjectPage = lazy(() => import('./pages/objects/ObjectPage'));
const PerformancePage = lazy(() => import('./pages/performance/PerformancePage'));
const MaintenancePage = lazy(() => import('./pages/maintenance/MaintenancePage'));
const AuthoringPage = lazy(() => import('./pages/authoring/AuthoringPage'));
const AdministrationPage = lazy(() => import('./pages/administration/AdministrationPage'));
const MapPage = lazy(() => import('./pages/map/MapPage'));
const ServiceMapPage = lazy(() => import('./pages/service-map/ServiceMapPage'));
const ServiceMapViewPage = lazy(() => import('./pages/service-map/ViewPage'));
const MachinePage = lazy(() => import('./pages/machines/MachinePage'));
const AccessPage = lazy(() => import('./pages/access/AccessPage'));
const AccountPage = lazy(() => import('./pages/account/AccountPage'));

const AuthorizePage = lazy(() => import('./pages/sign-in/AuthorizePage'));
const DevicePage = lazy(() => import('./pages/sign-in/DevicePage'));
const SignedOutPage = lazy(() => import('./pages/sign-in/SignedOutPage'));

/** The authority's pages, below the tenant's name. */
const AUTHORIZE = /^\/[^/]+\/oauth2\/(v2\.0\/)?authorize$/;
const LOGOUT = /^\/[^/]+\/oauth2\/(v2\.0\/)?logout$/;

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 1 && !(error instanceof ApiError && error.status < 500),
    },
  },
});
setSignedOutHandler(() => queryClient.setQueryData(['session'], null));

// a refusal may mean that roles have changed; several at one time ask once
const REFUSALS_MILLISECONDS = 5000;
let askedAt = 0;
setRefusedHandler(() => {
  if (Date.now() - askedAt < REFUSALS_MILLISECONDS) return;
  askedAt = Date.now();
  void queryClient.invalidateQueries({ queryKey: permissionsKey });
});

const shown: Record<PagePath | DetailPath, ReactNode> = {
  '/': <HomePage />,
  '/logs': <LogsPage />,
  '/machines': <MachinesPage />,
  '/machines/:computer': <MachinePage />,
  '/map': <MapPage />,
  '/alerts': <AlertsPage />,
  '/alerting': <AlertingPage />,
  '/itsm': <ItsmPage />,
  '/state': <StatePage />,
  '/objects/:object': <ObjectPage />,
  '/performance': <PerformancePage />,
  '/service-map': <ServiceMapPage />,
  '/service-map/views/:object': <ServiceMapViewPage />,
  '/maintenance': <MaintenancePage />,
  '/authoring': <AuthoringPage />,
  '/administration': <AdministrationPage />,
  '/access': <AccessPage />,
  '/account': <AccountPage />,
};

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <ThemeRoot>
        <BrowserRouter future={{ v7_startTransition: true, v7_relativeSplatPath: true }}>
          <Pages />
        </BrowserRouter>
      </ThemeRoot>
    </QueryClientProvider>
  );
}

function Pages() {
  const session = useSession();
  const { pathname } = useLocation();
  if (session.isPending) return <LoadingState label="Opening Watchkeeper" />;
  if (session.isError) return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  const alone = AUTHORIZE.test(pathname) ? (
    <AuthorizePage session={session.data} />
  ) : LOGOUT.test(pathname) ? (
    <SignedOutPage session={session.data} />
  ) : null;
  if (alone) return <Suspense fallback={<LoadingState label="Loading the page" />}>{alone}</Suspense>;
  if (!session.data) return <SignInPage />;
  if (pathname === '/device') {
    return (
      <Suspense fallback={<LoadingState label="Loading the page" />}>
        <DevicePage session={session.data} />
      </Suspense>
    );
  }
  return (
    <Shell session={session.data}>
      <Suspense fallback={<LoadingState label="Loading the page" />}>
        <Routes>
          {pages.map(({ path, rest, label, needs, tabs }) => (
            // a page of tabs guards each of them
            <Route key={path} path={tabs ? `${path}/:tab?` : `${path}${rest ?? ''}`} element={tabs ? shown[path as PagePath] : <Guarded needs={needs} label={label}>{shown[path as PagePath]}</Guarded>} />
          ))}
          {details.map(({ path, label, needs }) => <Route key={path} path={path} element={<Guarded needs={needs} label={label}>{shown[path as DetailPath]}</Guarded>} />)}
          <Route path="*" element={<Navigate to="/" replace />} />
        </Routes>
      </Suspense>
    </Shell>
  );
}
