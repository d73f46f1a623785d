//! Endpoints written as Rust closures.

use std::sync::Arc;

use crate::endpoint::{Endpoint, EndpointOptions};
use crate::frontend::{AppError, Call, Frontend, FrontendWorker};
use crate::request::Response;

/// A native handler. It runs again when its transaction conflicts, so it must depend on the request
/// and on what it reads from the transaction only.
pub(crate) type NativeHandler =
    Arc<dyn Fn(&mut Call<'_>) -> Result<Response, AppError> + Send + Sync>;

/// The front end of Rust closures.
#[derive(Default)]
pub(crate) struct NativeFrontend {
    endpoints: Vec<Endpoint>,
    handlers: Arc<Vec<NativeHandler>>,
}

impl NativeFrontend {
    /// Adds an endpoint.
    ///
    /// # Panics
    /// A worker exists already; endpoints are added before the front end is shared.
    pub(crate) fn add(
        &mut self,
        method: &str,
        path: &str,
        options: EndpointOptions,
        handler: NativeHandler,
    ) {
        self.endpoints.push(Endpoint {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            function: format!("{} {path}", method.to_ascii_uppercase()),
            options,
            ..Endpoint::default()
        });
        Arc::get_mut(&mut self.handlers).expect("not shared while it is built").push(handler);
    }

    /// Whether no endpoint was added.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }
}

impl Frontend for NativeFrontend {
    fn language(&self) -> &'static str {
        "native"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
        Ok(Box::new(NativeWorker(self.handlers.clone())))
    }
}

struct NativeWorker(Arc<Vec<NativeHandler>>);

impl FrontendWorker for NativeWorker {
    fn call(&mut self, call: &mut Call<'_>) -> Result<Response, AppError> {
        match self.0.get(call.endpoint_index) {
            Some(handler) => handler(call),
            None => Err(AppError::internal("This endpoint has no handler.")),
        }
    }
}
