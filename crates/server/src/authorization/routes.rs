//! The builder of routes. It takes a handler only together with what a caller needs for it.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::MethodRouter;
use http::Method;

use super::Need;
use super::guard::Guarded;
use crate::api::App;

/// One method of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub path: String,
    pub method: Method,
    pub need: Need,
}

/// Routes with their needs.
#[derive(Default)]
pub struct Routes {
    router: Router<Arc<App>>,
    listed: Vec<Listed>,
}

/// The methods of one path.
#[derive(Default)]
pub struct Methods {
    router: MethodRouter<Arc<App>>,
    listed: Vec<(Method, Need)>,
}

impl Routes {
    pub fn new() -> Routes {
        Routes::default()
    }

    pub fn route(mut self, path: &str, methods: Methods) -> Routes {
        let listed = methods.listed.into_iter().map(|(method, need)| Listed { path: path.to_owned(), method, need });
        self.listed.extend(listed);
        Routes { router: self.router.route(path, methods.router), listed: self.listed }
    }

    pub fn merge(mut self, other: Routes) -> Routes {
        self.listed.extend(other.listed);
        Routes { router: self.router.merge(other.router), listed: self.listed }
    }

    /// The largest body that these routes take.
    pub fn body_limit(self, bytes: usize) -> Routes {
        Routes { router: self.router.layer(DefaultBodyLimit::max(bytes)), listed: self.listed }
    }

    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    pub fn into_router(self) -> Router<Arc<App>> {
        self.router
    }
}

macro_rules! methods {
    ($($name:ident $method:ident;)*) => {
        $(
            /// A handler of one method with what a caller needs for it.
            pub fn $name<H, T>(need: impl Into<Need>, handler: H) -> Methods
            where
                H: Handler<T, Arc<App>>,
                T: 'static,
            {
                Methods::default().$name(need, handler)
            }
        )*

        impl Methods {
            $(
                pub fn $name<H, T>(mut self, need: impl Into<Need>, handler: H) -> Methods
                where
                    H: Handler<T, Arc<App>>,
                    T: 'static,
                {
                    let need = need.into();
                    self.listed.push((Method::$method, need));
                    Methods { router: self.router.$name(Guarded { need, handler }), listed: self.listed }
                }
            )*
        }
    };
}

methods! {
    get GET;
    post POST;
    put PUT;
    patch PATCH;
    delete DELETE;
}
